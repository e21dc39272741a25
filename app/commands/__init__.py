"""Commands of `egs`, one subject a file; app.cli registers them."""

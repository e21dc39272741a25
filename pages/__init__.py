"""One module a screen, each with `render`."""

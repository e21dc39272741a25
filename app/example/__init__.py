"""What the studio brings along to look at before the first search."""

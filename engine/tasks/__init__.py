"""The tasks that a search can solve, one file each."""

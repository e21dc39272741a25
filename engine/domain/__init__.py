"""Plain values, ports and errors that every other part shares."""

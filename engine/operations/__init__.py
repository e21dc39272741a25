"""The candidate operations: their modules and the literal table of them."""

"""Pure functions from domain values to pictures, and the one palette."""

"""The trained network of a run in formats that need torch to be made."""

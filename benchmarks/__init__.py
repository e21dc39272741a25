"""Measurements of the studio and of the method; none of them is needed to use it."""

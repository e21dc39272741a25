"""Schedules and optimisers that search and training share."""

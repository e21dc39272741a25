"""Training of a derived network from scratch, measured once on the test data."""

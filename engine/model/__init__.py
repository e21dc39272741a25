"""The networks: estimator, cells, supernet and derived network."""

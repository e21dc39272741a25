"""The engine: the method, its data, the search and the processes that run it."""

"""Browser components: tiny inline loaders of static modules, and their Python faces."""

"""One file a revision of the database; written once, never changed."""

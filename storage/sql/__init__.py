"""The rooms of the SQL store, one a subject."""

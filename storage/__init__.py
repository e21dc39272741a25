"""The one database and the one artifact store that all processes share."""

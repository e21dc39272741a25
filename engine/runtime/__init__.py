"""The processes of the engine: the supervisor, its workers, and where they run."""

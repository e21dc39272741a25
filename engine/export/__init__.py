"""What a person can take home of a run, one file a format; free of torch."""

from engine.export.table import EXPORTERS

__all__ = ["EXPORTERS"]

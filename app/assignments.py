"""Settings from a command line, as ``key=value``."""

from collections.abc import Sequence

from engine.domain.errors import InvalidConfig


def assigned(assignments: Sequence[str]) -> dict[str, str]:
    """The settings of some ``key=value``, the last one of a key counting.

    Raises:
        InvalidConfig: One has no equals sign.
    """
    values: dict[str, str] = {}
    for assignment in assignments:
        key, sign, value = assignment.partition("=")
        if not sign:
            raise InvalidConfig(
                asked=f"--set {assignment!r}",
                found="no '='",
                allowed="key=value",
                advice="write for instance --set epochs=10",
            )
        values[key.strip()] = value.strip()
    return values

"""Durations as text for a person who waits."""

UNITS = (("h", 3600), ("min", 60), ("s", 1))
"""Units of a rough duration with their lengths in seconds, the longest first."""

FEW = 2
"""Least number of a unit, so that one and a half hours are given as 90 min."""


def rough_duration(seconds: float) -> str:
    """Return a duration in one unit, rounded: ``45 s``, ``12 min``, ``3 h``.

    Args:
        seconds: Duration in seconds, at least 0.
    """
    unit, length = next(((unit, length) for unit, length in UNITS if seconds >= FEW * length), UNITS[-1])
    return f"{round(seconds / length)} {unit}"

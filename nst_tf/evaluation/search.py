"""The score that a search for settings minimises."""

from collections.abc import Sequence

from nst_tf.evaluation.judge import score_names
from nst_tf.runs.folder import RunFolder
from nst_tf.util.errors import InputError

TOTAL = "total"
"""Name of the run's own total loss, which needs no judge."""

NAMES = (TOTAL, *score_names())
"""Scores that can be minimised: the total loss and the scores that every judge gives."""


def check(minimise: Sequence[str], *, judged: bool) -> None:
    """Check that every run of a search will have the scores that it minimises.

    Args:
        minimise: Names of scores.
        judged: Whether the pictures of the runs are scored.

    Raises:
        InputError: A name is unknown, or names a judge's score although no picture is scored.
    """
    if not minimise or any(name not in NAMES for name in minimise):
        raise InputError(f"hydra.sweeper.minimise={list(minimise)}: takes some of {', '.join(NAMES)}")
    if not judged and set(minimise) != {TOTAL}:
        raise InputError(f"hydra.sweeper.minimise={list(minimise)}: scores need evaluation=on")


def score(run: RunFolder, names: Sequence[str]) -> float | None:
    """Return the sum of some of a run's `NAMES`.

    Args:
        run: The folder of a run that has ended.
        names: The scores to sum.

    Returns:
        The sum; None where one is missing or not finite, which a search counts as a failed trial.
    """
    record = run.read_record()
    known = {TOTAL: record["final"]["total"], **record.get("scores", {})}
    values = [value for name in names if (value := known.get(name)) is not None]
    return sum(values) if len(values) == len(names) else None

"""What a search for settings is to lower."""

from collections.abc import Sequence
from dataclasses import fields

from nst_tf.evaluation import Scores
from nst_tf.runs.folder import RunFolder
from nst_tf.util.errors import InputError

OWN = "total"
NAMES = (OWN, *(field.name for field in fields(Scores) if field.name != "judge"))
"""What can be minimised: the run's own loss, or a judge's scores."""


def check(minimise: Sequence[str], *, judged: bool) -> None:
    """Refuse what is no score, or is none that a run will have.

    Args:
        minimise: Names.
        judged: Whether the runs' pictures are scored.

    Raises:
        InputError: Lists those there are, or says how a run comes to have scores.
    """
    if not minimise or any(name not in NAMES for name in minimise):
        raise InputError(f"hydra.sweeper.minimise={list(minimise)}: takes some of {', '.join(NAMES)}")
    if not judged and set(minimise) != {OWN}:
        raise InputError(f"hydra.sweeper.minimise={list(minimise)}: scores need evaluation=on")


def score(run: RunFolder, names: Sequence[str]) -> float | None:
    """The sum of some of a run's `NAMES`, which a search lowers.

    Args:
        run: A run that is over.
        names: Which.

    Returns:
        None where one is missing or not finite, which a search counts as a trial that failed.
    """
    record = run.read_record()
    known = {OWN: record["final"]["total"], **record.get("scores", {})}
    values = [value for name in names if (value := known.get(name)) is not None]
    return sum(values) if len(values) == len(names) else None

"""Names under which the numbers of a run are recorded outside of `metrics.csv`, in TensorBoard and MLflow."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

from nst_tf.runs.events import Iterate

DIAGNOSTICS = ("entropy", "peak")
"""Names of the figures of a layer that are no losses."""


def scalars(iterate: Iterate) -> dict[str, float]:
    """Return the tags and values of one step."""
    fixed = {
        "loss/total": iterate.total,
        "gradient/norm": iterate.gradient_norm,
        "speed/evaluations_per_second": iterate.speed,
    }
    named = {scalar_tag(column): value for column, value in iterate.terms.items()}
    return fixed | named | _layer_ranges(iterate.terms)


def scalar_tag(column: str) -> str:
    """Return the tag for a column of `metrics.csv`. The columns of the loss ``style`` show the rules.

    ======================== ==========================
    column                   tag
    ======================== ==========================
    ``style``                ``weighted/style``
    ``style/raw``            ``raw/style``
    ``style/conv1_1``        ``layers/style/conv1_1``
    ``style/conv1_1/peak``   ``peak/style/conv1_1``
    ======================== ==========================
    """
    head, _, last = column.rpartition("/")
    if not head:
        return f"weighted/{column}"
    return f"{last}/{head}" if last in ("raw", *DIAGNOSTICS) else f"layers/{column}"


def layer_columns(loss: str, columns: Iterable[str]) -> list[str]:
    """Return the columns of a loss's layers.

    Args:
        loss: Name of the loss.
        columns: Keys of `Iterate.terms`.
    """
    return [column for column in columns if scalar_tag(column).startswith(f"layers/{loss}/")]


def loss_names(columns: Iterable[str]) -> list[str]:
    """Return the names of the losses, whose columns have no slash."""
    return [column for column in columns if "/" not in column]


def range_tags(loss: str) -> list[str]:
    """Return the tags of the mean, the lowest and the highest value of a loss's layers."""
    return [f"layer_range/{loss}/{name}" for name in ("mean", "lowest", "highest")]


def _layer_ranges(terms: Mapping[str, float]) -> dict[str, float]:
    """Return mean, lowest and highest value of the layers of each loss with several layers."""
    ranges: dict[str, float] = {}
    for loss in loss_names(terms):
        values = [terms[column] for column in layer_columns(loss, terms)]
        if len(values) > 1:
            ranges |= dict(zip(range_tags(loss), _range(values), strict=True))
    return ranges


def _range(values: Sequence[float]) -> tuple[float, float, float]:
    return fmean(values), min(values), max(values)

"""What a run has to say of itself, in short lines of Markdown."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nst_tf.reports.comparison import FigureComparison, figure_text
from nst_tf.reports.comparison import measured as of_metrics
from nst_tf.reports.documents import ESCAPED
from nst_tf.reports.reading import Run
from nst_tf.runs.published import Measure, PublishedFigure

SCORES = ("content", "style_ratio", "ssim", "histogram_distance", "total_variation")
"""What is shown of the judge's; a style score without its ratio says little."""


def recorded(run: Run) -> Iterator[str]:
    """Network, weights, size and precision, as far as the run recorded them."""
    weights = run.record.get("weights")
    if isinstance(weights, dict):
        yield f"{weights.get('name')}, weights {Path(str(weights.get('weights'))).name}"
    if {"height", "width"} <= run.record.keys():
        yield f"{run.record['height']}x{run.record['width']}"
    if run.settings.get("method") != "feedforward" and run.record.get("precision"):
        yield str(run.record["precision"])


def measured(run: Run) -> Iterator[str]:
    """How it ended, first and last loss, seconds an iteration where no printed figure stands beside them."""
    if not run.stands:
        yield f"**{run.status}**: {str(run.record.get('reason')).translate(ESCAPED)}"
    last, steps = run.final.get("total"), run.counted("steps")
    if last is not None and not run.metrics.empty:
        yield f"total {run.metrics.total.iloc[0]:.4g} → {last:.4g}"
    yield "one iteration" if steps == 1 else f"{steps} iterations, {run.counted('evaluations')} evaluations"
    told = any(figure.measure is Measure.seconds_per_step for figure in run.printed.values())
    if not told and (seconds := _seconds(run)) is not None:
        yield f"{figure_text(seconds)} s an iteration"


def _seconds(run: Run) -> float | None:
    """Mean time of the iterations after the first logged one, which has tracing in it; of a single one its own."""
    later = run.metrics[run.metrics.step > 0].step
    if len(later):
        return of_metrics(run.metrics, PublishedFigure(measure=Measure.seconds_per_step, step=int(later.iloc[0])))
    return run.counted("seconds") if run.counted("steps") == 1 else None


def figures(comparisons: Sequence[FigureComparison], kind: str) -> Iterator[str]:
    """A run's ``printed`` or ``measured`` figures, as many as there are, with their ratios."""
    for one in comparisons:
        value, ratio = getattr(one, kind), getattr(one, f"{kind}_ratio")
        if value is not None:
            yield f"{one.figure} {figure_text(value)}" + ("" if ratio is None else f" (ratio {figure_text(ratio)})")


def judged(run: Run) -> Iterator[str]:
    """Its scores, as many as there are."""
    for name in SCORES:
        if isinstance(value := score(run, name), int | float):
            yield f"{name.replace('_', ' ')} {value:.3g}"


def score(run: Run, name: str) -> Any:
    """One of its scores, or the ``judge``; None where it was not judged."""
    scores = run.record.get("scores")
    return scores.get(name) if isinstance(scores, dict) else None

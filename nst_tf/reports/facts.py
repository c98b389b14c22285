"""Short lines of Markdown about one run: its settings, its losses and its scores."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nst_tf.reports.comparison import FigureComparison, figure_text, measured_value
from nst_tf.reports.documents import MARKDOWN_ESCAPES
from nst_tf.reports.reading import Run
from nst_tf.runs.published import Measure, PublishedFigure

SUMMARY_SCORES = ("content", "style_ratio", "ssim", "histogram_distance", "total_variation")
"""Scores of the judge that the lines contain. The style score is left out: it says little without its ratio."""


def settings_lines(run: Run) -> Iterator[str]:
    """Yield network and weights, size, and precision, as far as the run recorded them."""
    weights = run.record.get("weights")
    if isinstance(weights, dict):
        yield f"{weights.get('name')}, weights {Path(str(weights.get('weights'))).name}"
    if {"height", "width"} <= run.record.keys():
        yield f"{run.record['height']}x{run.record['width']}"
    if run.settings.get("method") != "feedforward" and run.record.get("precision"):
        yield str(run.record["precision"])


def result_lines(run: Run) -> Iterator[str]:
    """Yield the failure if there was one, first and last loss, number of iterations, and seconds per iteration.

    The seconds are left out where a figure of the paper has them.
    """
    if not run.succeeded:
        yield f"**{run.status}**: {str(run.record.get('reason')).translate(MARKDOWN_ESCAPES)}"
    last, steps = run.final.get("total"), run.count("steps")
    if last is not None and not run.metrics.empty:
        yield f"total {run.metrics.total.iloc[0]:.4g} → {last:.4g}"
    yield "one iteration" if steps == 1 else f"{steps} iterations, {run.count('evaluations')} evaluations"
    has_figure = any(figure.measure is Measure.seconds_per_step for figure in run.printed.values())
    if not has_figure and (seconds := seconds_per_iteration(run)) is not None:
        yield f"{figure_text(seconds)} s an iteration"


def seconds_per_iteration(run: Run) -> float | None:
    """Return the mean time of the iterations after the first logged one, which includes tracing.

    The time of a single iteration is its own, with tracing.
    """
    later = run.metrics[run.metrics.step > 0].step
    if len(later):
        return measured_value(run.metrics, PublishedFigure(measure=Measure.seconds_per_step, step=int(later.iloc[0])))
    return run.count("seconds") if run.count("steps") == 1 else None


def figure_lines(comparisons: Sequence[FigureComparison], kind: str) -> Iterator[str]:
    """Yield the figures of a run with their ratios.

    Args:
        comparisons: The figures of the run.
        kind: ``printed`` or ``measured``.
    """
    for comparison in comparisons:
        value, ratio = getattr(comparison, kind), getattr(comparison, f"{kind}_ratio")
        if value is not None:
            suffix = "" if ratio is None else f" (ratio {figure_text(ratio)})"
            yield f"{comparison.figure} {figure_text(value)}{suffix}"


def score_lines(run: Run) -> Iterator[str]:
    """Yield the scores of the run that exist."""
    for name in SUMMARY_SCORES:
        if isinstance(value := score(run, name), int | float):
            yield f"{name.replace('_', ' ')} {value:.3g}"


def score(run: Run, name: str) -> Any:
    """Return a score of the run, or the judge's name for ``judge``; None where the run was not judged."""
    scores = run.record.get("scores")
    return scores.get(name) if isinstance(scores, dict) else None

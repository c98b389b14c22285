"""The runs of several methods over the same pairs of content and style, at equal conditions."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nst_tf.config.keys import role_of
from nst_tf.config.overrides import PICTURE_KEYS, override_key
from nst_tf.reports import facts
from nst_tf.reports.methods.catalog import Method, MethodCatalog
from nst_tf.reports.reading import Run
from nst_tf.reports.study.grouping import pair_key, pair_name, without_copies
from nst_tf.runs.folder import FINAL
from nst_tf.util.errors import InputError

CONDITIONS = (*PICTURE_KEYS, "sweep", "pairs", "image.size", "seed", "hydra")
"""Keys that say under which conditions a method was run, and not which method it was."""

Pair = tuple[str, ...]
"""The SHA-256 of a content and its styles."""


@dataclass(frozen=True, eq=False)
class MethodRuns:
    """The judged runs of one method.

    Attributes:
        method: The method; one that is not in the catalogue is named after its overrides.
        extra: Overrides of the runs beyond those of the method.
        runs: Its runs by pair, one for each seed.
    """

    method: Method
    extra: tuple[str, ...]
    runs: Mapping[Pair, Sequence[Run]]

    @property
    def title(self) -> str:
        """Name of the method, with the overrides that its runs have beyond it."""
        return " ".join([self.method.title, *([inline_code(self.extra)] if self.extra else [])])

    def on(self, pairs: Collection[Pair]) -> list[Run]:
        """Return the runs with some pairs."""
        return [run for pair in pairs for run in self.runs[pair]]


@dataclass(frozen=True)
class MethodComparison:
    """Methods with the pairs that all of them have.

    Attributes:
        methods: The methods: those of the catalogue in its order, then others.
        pairs: Name of each pair, such as ``00.png × 03.png``, in the order of the first method's runs.
        missing: Methods of the catalogue without a run.
        unfinished: Number of runs that are left out because they have no scores.
    """

    methods: tuple[MethodRuns, ...]
    pairs: Mapping[Pair, str]
    missing: tuple[Method, ...]
    unfinished: int

    @property
    def runs(self) -> list[Run]:
        """All runs that are compared."""
        return [run for method in self.methods for run in method.on(self.pairs)]

    def values(self, read: Any) -> list[Any]:
        """Return the distinct values that a function reads from the runs, without None, in the order of the runs."""
        return list(dict.fromkeys(value for run in self.runs if (value := read(run)) is not None))


def compare_methods(runs: Sequence[Run], catalog: MethodCatalog) -> MethodComparison:
    """Group runs by method and check that the conditions of all methods are equal.

    A method is a set of typed overrides without those that set conditions: pictures, size, seed, judge, weights files,
    machine and observers. Runs are recognised as being of one pair by the SHA-256 of its pictures. The pairs that are
    compared are those that every method has.

    Args:
        runs: The runs; those without scores are left out.
        catalog: Names of the methods.

    Raises:
        InputError: No run has scores, no pair has a run of every method, or the judges or sizes differ.
    """
    judged = [run for run in runs if _is_judged(run)]
    if not judged:
        raise InputError("No run has scores. Add them: nst-tf evaluate --write FOLDER …")
    methods = _group(judged, catalog)
    found = [method.method for method in methods]
    comparison = MethodComparison(
        methods,
        _common_pairs(methods),
        tuple(method for method in catalog.methods if method not in found),
        len(runs) - len(judged),
    )
    _check_judges(comparison)
    _check_sizes(comparison)
    return comparison


def _is_judged(run: Run) -> bool:
    return run.status in FINAL and isinstance(facts.score(run, "judge"), str)


def _group(runs: Sequence[Run], catalog: MethodCatalog) -> tuple[MethodRuns, ...]:
    groups: dict[tuple[Method, tuple[str, ...]], list[Run]] = defaultdict(list)
    for run in runs:
        choices = method_overrides(run.overrides)
        method = catalog.method_of(choices) or Method(inline_code(choices) or "the default config", choices)
        extra = tuple(choice for choice in choices if choice not in method.overrides)
        groups[method, extra].append(run)
    order = list(catalog.methods)
    ranked = sorted(groups, key=lambda key: order.index(key[0]) if key[0] in order else len(order))
    return tuple(MethodRuns(*key, _by_pair(groups[key])) for key in ranked)


def inline_code(overrides: Iterable[str]) -> str:
    """Return overrides as code in a cell of a Markdown table; empty for none."""
    text = " ".join(overrides).replace("|", r"\|").replace("\n", " ")
    return f"`{text}`" if text else ""


def method_overrides(overrides: Iterable[str]) -> tuple[str, ...]:
    """Return the overrides that say which method a run is of, sorted and without the conditions."""
    return tuple(sorted(text for text in overrides if _is_of_method(override_key(text))))


def _is_of_method(key: str) -> bool:
    role = role_of(key)
    is_condition = key in CONDITIONS or key.partition(".")[0] in CONDITIONS
    return role.in_run_name and role.in_fingerprint and not is_condition


def _by_pair(runs: Sequence[Run]) -> dict[Pair, list[Run]]:
    numbers: dict[Pair, list[int]] = defaultdict(list)
    for number, run in enumerate(runs):
        numbers[pair_key(run)].append(number)
    return {pair: [runs[number] for number in without_copies(found, runs)] for pair, found in numbers.items()}


def _common_pairs(methods: Sequence[MethodRuns]) -> dict[Pair, str]:
    """Return the names of the pairs that every method has.

    Raises:
        InputError: There is none; the message names the number of pairs of each method.
    """
    first = methods[0].runs
    common = {pair: pair_name(runs[0]) for pair, runs in first.items() if all(pair in one.runs for one in methods)}
    if not common:
        counts = ", ".join(f"{method.title} ({len(method.runs)})" for method in methods)
        raise InputError(f"No pair of content and style has a judged run of every method: {counts}. Leave folders out")
    return common


def _check_judges(comparison: MethodComparison) -> None:
    judges: dict[str, str] = {}
    for method in comparison.methods:
        for run in method.on(comparison.pairs):
            judges.setdefault(facts.score(run, "judge"), method.title)
    if len(judges) > 1:
        names = "; ".join(f"{judge} (first {title})" for judge, title in judges.items())
        raise InputError(f"Several judges gave the scores: {names}. Judge all runs alike: nst-tf evaluate --write")


def _check_sizes(comparison: MethodComparison) -> None:
    for pair, name in comparison.pairs.items():
        sizes: dict[Any, str] = {}
        for method in comparison.methods:
            for run in method.on([pair]):
                sizes.setdefault(picture_size(run), method.title)
        if len(sizes) > 1:
            names = ", ".join(f"{size} (first {title})" for size, title in sizes.items())
            raise InputError(f"The pictures of {name} have several sizes: {names}. Run every method at one size")


def picture_size(run: Run) -> str:
    """Return the height and width of a run's picture, ``256x384``."""
    return f"{run.record.get('height')}x{run.record.get('width')}"

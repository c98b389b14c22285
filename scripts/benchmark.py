"""Measure this program against PyTorch on this machine: `python scripts/benchmark.py --weights vgg19.h5`.

Needs the extra `bench`: `pip install -e .[bench]`. Figures are kept as they come, so the same command goes on where it
was cut short.
"""

import argparse
import importlib.util
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from arguments import OneLineParser, shown_command

from nst_tf.cli.main import EXIT_CODES, report_errors

if TYPE_CHECKING:
    from benchmarks.measurements import Bench

DOCS = Path(__file__).parents[1] / "docs"


def parser() -> OneLineParser:
    """Describe the command line."""
    made = OneLineParser(prog="benchmark", description="Measure this program against PyTorch on this machine.")
    made.add_argument(
        "measurements",
        nargs="*",
        metavar="MEASUREMENT",
        help="evaluation, peak, memory, startup, race, area; default: all",
    )
    made.add_argument("--content", default="sample:astronaut", help="a path or sample:NAME (default: %(default)s)")
    made.add_argument("--style", default="sample:night_swirls", help="a path or sample:NAME (default: %(default)s)")
    made.add_argument("--weights", default="imagenet", help="VGG-19's: imagenet, or a file (default: %(default)s)")
    made.add_argument(
        "--folder", type=Path, default=Path("outputs/benchmarks"), help="for figures (default: %(default)s)"
    )
    made.add_argument(
        "--page", type=Path, default=DOCS / "benchmarks.md", help="the page to write (default: docs/benchmarks.md)"
    )
    made.add_argument("--rounds", type=int, default=5, help="alternating rounds of timings (default: %(default)s)")
    made.add_argument(
        "--race-size", type=int, default=256, help="long side of the race's pictures (default: %(default)s)"
    )
    made.add_argument(
        "--race-share", type=float, default=1.0, help="part of each peer's steps to run (default: %(default)s)"
    )
    return made


def benchmark(arguments: argparse.Namespace) -> str:
    """Measure what is asked for and not yet known, then write the page."""
    bench, measurements = _checked(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # of the processes that measure
    for measure in measurements:
        measure(bench)
    _write_page(bench, arguments.page)
    print(f"  figures  {arguments.folder / 'figures.csv'}\n  page     {arguments.page}")
    return "completed"


def _checked(arguments: argparse.Namespace) -> "tuple[Bench, list[Callable[[Bench], None]]]":
    """What to measure with, and what.

    Raises:
        InputError: PyTorch is not installed, or an argument cannot be used.
    """
    from nst_tf.util.errors import InputError

    if importlib.util.find_spec("torch") is None:
        raise InputError("torch not installed: pip install -e .[bench]")
    from benchmarks.ledger import Ledger
    from benchmarks.measurements import MEASUREMENTS, Bench

    names = arguments.measurements or list(MEASUREMENTS)
    for name in names:
        if name not in MEASUREMENTS:
            raise InputError(f"Unknown measurement {name!r}; available: {', '.join(MEASUREMENTS)}")
    for name, least in {"rounds": 1, "race_size": 1, "race_share": 0.01}.items():
        if getattr(arguments, name) < least:
            raise InputError(f"--{name.replace('_', '-')} {getattr(arguments, name)}: must be at least {least}")
    arguments.folder.mkdir(parents=True, exist_ok=True)
    bench = Bench(
        content=arguments.content,
        style=arguments.style,
        weights=arguments.weights,
        folder=arguments.folder,
        ledger=Ledger(arguments.folder / "figures.csv"),
        rounds=arguments.rounds,
        race_size=arguments.race_size,
        race_share=arguments.race_share,
    )
    return bench, [MEASUREMENTS[name] for name in names]


def _write_page(bench: "Bench", page: Path) -> None:
    """The page, and its plot in `gallery/` beside it."""
    from benchmarks.page import write_page

    plot = page.parent / "gallery" / f"{page.stem}.png"
    plot.parent.mkdir(parents=True, exist_ok=True)
    names = [Path(name).stem for name in (bench.content, bench.style)]
    write_page(bench.ledger, page, plot, shown_command("scripts/benchmark.py"), *names)


if __name__ == "__main__":
    sys.exit(EXIT_CODES.get(report_errors(lambda: benchmark(parser().parse_args())), 0))

"""Compare this program with PyTorch on this machine: `python scripts/benchmark.py --weights vgg19.h5`.

The extra `bench` is required: `pip install -e .[bench]`. Measurements are saved one by one, so the same command
continues an interrupted benchmark.
"""

import argparse
import importlib.util
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from nst_tf.cli.arguments import OneLineParser, typed_command
from nst_tf.cli.errors import exit_code, report_errors
from nst_tf.util.errors import InputError

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # for the package `benchmarks`; worker processes inherit the path

if TYPE_CHECKING:
    from benchmarks.benchmark import Benchmark


def make_parser() -> OneLineParser:
    """Return the parser of the arguments."""
    parser = OneLineParser(prog="benchmark", description="Compare this program with PyTorch on this machine.")
    parser.add_argument(
        "measurements",
        nargs="*",
        metavar="MEASUREMENT",
        help="evaluation, peak, memory, startup, target or area (default: all)",
    )
    parser.add_argument("--content", default="sample:astronaut", help="a path or sample:NAME (default: %(default)s)")
    parser.add_argument("--style", default="sample:night_swirls", help="a path or sample:NAME (default: %(default)s)")
    parser.add_argument(
        "--weights", default="imagenet", help="weights of VGG-19: imagenet, or a file (default: %(default)s)"
    )
    parser.add_argument(
        "--folder", type=Path, default=Path("outputs/benchmarks"), help="folder of the measurements (%(default)s)"
    )
    parser.add_argument(
        "--page", type=Path, default=ROOT / "docs/benchmarks.md", help="page to write (default: docs/benchmarks.md)"
    )
    parser.add_argument("--rounds", type=int, default=5, help="alternating rounds of timings (default: %(default)s)")
    parser.add_argument(
        "--target-size",
        type=int,
        default=256,
        help="long side in pixels of the pictures of complete runs (default: %(default)s)",
    )
    parser.add_argument(
        "--step-share", type=float, default=1.0, help="fraction of the steps of complete runs (default: %(default)s)"
    )
    return parser


def run_benchmark(arguments: argparse.Namespace) -> str:
    """Make the measurements that are missing, and write the page."""
    benchmark, measurements = _check_arguments(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # for the worker processes
    for measure in measurements:
        measure(benchmark)
    _write_page(benchmark, arguments.page)
    print(f"  figures  {arguments.folder / 'figures.csv'}\n  page     {arguments.page}")
    return "completed"


def _check_arguments(arguments: argparse.Namespace) -> "tuple[Benchmark, list[Callable[[Benchmark], None]]]":
    """Return the benchmark and its measurements.

    Raises:
        InputError: PyTorch is not installed, or an argument cannot be used.
    """
    if importlib.util.find_spec("torch") is None:
        raise InputError("torch not installed: pip install -e .[bench]")
    from benchmarks.benchmark import Benchmark
    from benchmarks.ledger import Ledger
    from benchmarks.measurements import MEASUREMENTS

    names = arguments.measurements or list(MEASUREMENTS)
    for name in names:
        if name not in MEASUREMENTS:
            raise InputError(f"Unknown measurement {name!r}; available: {', '.join(MEASUREMENTS)}")
    for name, least in {"rounds": 1, "target_size": 1, "step_share": 0.01}.items():
        if getattr(arguments, name) < least:
            raise InputError(f"--{name.replace('_', '-')} {getattr(arguments, name)}: must be at least {least}")
    arguments.folder.mkdir(parents=True, exist_ok=True)
    benchmark = Benchmark(
        content=arguments.content,
        style=arguments.style,
        weights=arguments.weights,
        folder=arguments.folder,
        ledger=Ledger(arguments.folder / "figures.csv"),
        rounds=arguments.rounds,
        target_size=arguments.target_size,
        step_share=arguments.step_share,
    )
    return benchmark, [MEASUREMENTS[name] for name in names]


def _write_page(benchmark: "Benchmark", page: Path) -> None:
    """Write the page, and its plot in `gallery/` beside it."""
    from benchmarks.page import write_page

    plot = page.parent / "gallery" / f"{page.stem}.png"
    plot.parent.mkdir(parents=True, exist_ok=True)
    names = [Path(name).stem for name in (benchmark.content, benchmark.style)]
    command = typed_command(["python", "scripts/benchmark.py"], sys.argv[1:])
    write_page(benchmark.ledger, page, plot, command, *names)


if __name__ == "__main__":
    sys.exit(exit_code([report_errors(lambda: run_benchmark(make_parser().parse_args()))]))

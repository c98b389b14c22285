"""Compare this program with PyTorch on this machine: `python scripts/benchmark.py --weights vgg19.h5`.

The extra `bench` is required: `pip install -e .[bench]`. On a processor without instructions for bfloat16, float32
alone is measured. Measurements are saved one by one, so the same command continues an interrupted benchmark, and
further commands with the same folder add to its page:

    python scripts/benchmark.py target --peers neural_style --target-size 256 --pairs 1
    python scripts/benchmark.py page                  # writes the page of what has been measured
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
from nst_tf.system.runtime import has_bfloat16
from nst_tf.util.errors import InputError

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # for the package `benchmarks`; worker processes inherit the path

if TYPE_CHECKING:
    from benchmarks.benchmark import Benchmark, Pair

PAGE_ONLY = "page"
"""In place of a measurement: write the page of the measurements so far."""

CONTENTS = ("sample:astronaut", "sample:coffee", "sample:cat", "sample:motorcycle")
STYLES = ("sample:night_swirls", "sample:wave_woodcut", "sample:river_dots", "sample:harbour_mosaic")
"""Pictures of the race, in pairs."""


def make_parser() -> OneLineParser:
    """Return the parser of the arguments."""
    parser = OneLineParser(prog="benchmark", description="Compare this program with PyTorch on this machine.")
    _add_subjects(parser)
    _add_settings(parser)
    return parser


def _add_subjects(parser: OneLineParser) -> None:
    """Add the arguments that say what is measured: measurements, pictures and programs."""
    parser.add_argument(
        "measurements",
        nargs="*",
        metavar="MEASUREMENT",
        help="evaluation, peak, memory, startup, area, picture or target (default: all), or page for none",
    )
    parser.add_argument(
        "--content",
        nargs="+",
        default=list(CONTENTS),
        metavar="PICTURE",
        help="photographs, each a path or sample:NAME (default: %(default)s)",
    )
    parser.add_argument(
        "--style",
        nargs="+",
        default=list(STYLES),
        metavar="PICTURE",
        help="paintings, one for each photograph (default: %(default)s)",
    )
    parser.add_argument("--pairs", type=int, help="number of pairs in the race, from the first on (default: all)")
    parser.add_argument(
        "--peers",
        nargs="+",
        metavar="PEER",
        help="programs in the race: neural_style, pastiche, crowsonkb, tf_tutorial or keras_io (default: all)",
    )


def _add_settings(parser: OneLineParser) -> None:
    """Add the arguments that say how, and where the results go."""
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
        nargs="+",
        default=[256],
        metavar="SIZE",
        help="long sides in pixels of the pictures of the race (default: %(default)s)",
    )
    parser.add_argument(
        "--untimed-defaults",
        action="store_true",
        help="keep no seconds of published settings, the longest runs of the race, so that other work may run beside",
    )
    parser.add_argument(
        "--step-share",
        type=float,
        default=1.0,
        help="fraction of the steps of complete runs, for trials (default: %(default)s)",
    )


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
    from benchmarks.brief import gpu_name
    from benchmarks.ledger import Ledger
    from benchmarks.measurements import MEASUREMENTS
    from benchmarks.peers import PEERS
    from benchmarks.variants import PRECISIONS

    peers = arguments.peers or list(PEERS)
    names = [name for name in arguments.measurements or MEASUREMENTS if name != PAGE_ONLY]
    for kind, chosen, known in (("measurement", names, MEASUREMENTS), ("peer", peers, PEERS)):
        for name in chosen:
            if name not in known:
                raise InputError(f"Unknown {kind} {name!r}; available: {', '.join(known)}")
    least = {"rounds": 1, "target_size": 32, "step_share": 0.01, "pairs": 1}
    for name, smallest in least.items():
        value = getattr(arguments, name)
        for number in value if isinstance(value, list) else [value]:
            if number is not None and number < smallest:
                raise InputError(f"--{name.replace('_', '-')} {number}: must be at least {smallest}")
    pairs = _pairs(arguments)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    benchmark = Benchmark(
        pairs=pairs,
        weights=arguments.weights,
        folder=arguments.folder,
        ledger=Ledger(arguments.folder / "figures.csv"),
        rounds=arguments.rounds,
        target_sizes=tuple(arguments.target_size),
        peers=tuple(peers),
        step_share=arguments.step_share,
        precisions=PRECISIONS if has_bfloat16() or gpu_name() else PRECISIONS[:1],
        times_defaults=not arguments.untimed_defaults,
    )
    return benchmark, [MEASUREMENTS[name] for name in names]


def _pairs(arguments: argparse.Namespace) -> "tuple[Pair, ...]":
    """Return the pairs of pictures in their order.

    Raises:
        InputError: There are not as many paintings as photographs, or too few for ``--pairs``, or two pairs share a
            name, under which both would be kept.
    """
    from benchmarks.benchmark import Pair

    contents, styles = arguments.content, arguments.style
    if len(contents) != len(styles):
        raise InputError(f"--content has {len(contents)} pictures and --style {len(styles)}: give one for each other")
    if arguments.pairs is not None and arguments.pairs > len(contents):
        raise InputError(f"--pairs {arguments.pairs}: there are {len(contents)}, give more --content and --style")
    pairs = tuple(Pair(content, style) for content, style in zip(contents, styles, strict=True))[: arguments.pairs]
    names = [pair.name for pair in pairs]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"Two pairs are called '{name}': give their files different names")
    return pairs


def _write_page(benchmark: "Benchmark", page: Path) -> None:
    """Write the page, and its plot in `gallery/` beside it."""
    from benchmarks.page import write_page

    plot = page.parent / "gallery" / f"{page.stem}.png"
    plot.parent.mkdir(parents=True, exist_ok=True)
    command = typed_command(["python", "scripts/benchmark.py"], sys.argv[1:])
    write_page(benchmark.ledger, page, plot, command, benchmark.pairs[0].name, benchmark.precisions)


if __name__ == "__main__":
    sys.exit(exit_code([report_errors(lambda: run_benchmark(make_parser().parse_args()))]))

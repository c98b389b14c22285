"""The commands of ``nst-tf``: compare, evaluate, comparison, reproduction, distill, video, and stylising without one.

``compare``, ``evaluate``, ``comparison`` and ``reproduction`` take plain arguments. Everything else is a command
line for Hydra.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nst_tf.cli import scoring
from nst_tf.cli.arguments import HYDRA_COMMANDS, OneLineParser, typed_command


@dataclass(frozen=True)
class Command:
    """A command with plain arguments.

    Attributes:
        make_parser: Returns the parser for a program name.
        run: Does the work and returns a status.
    """

    make_parser: Callable[[str], OneLineParser]
    run: Callable[[argparse.Namespace], str]


def make_compare_parser(prog: str) -> OneLineParser:
    """Return the parser of ``compare``."""
    parser = OneLineParser(prog=prog, description="Compare runs, or films: write a page, tables and figures.")
    parser.add_argument("folders", nargs="+", metavar="FOLDER", help="folder of a run, film or sweep, or of several")
    parser.add_argument(
        "--report", help="folder to write (default: FOLDER/report for one FOLDER, outputs/report for several)"
    )
    parser.add_argument(
        "--best",
        metavar="COLUMN",
        help="column of table.csv that decides on the best run (default: the Pareto front of judged/content and "
        "judged/style_ratio where all runs are judged alike, else loss/total where all runs have the same objective, "
        "else the front of raw/content and raw/style where only weights differ)",
    )
    for limit, end in (("--at-most", "largest"), ("--at-least", "smallest")):
        parser.add_argument(
            limit,
            metavar="COLUMN=NUMBER",
            help=f"{end} value of a column that the best run may have, for example judged/content=0.9",
        )
    parser.add_argument(
        "--spread",
        action="store_true",
        help="write a picture of the standard deviation over seeds for each setting and pair of pictures",
    )
    return parser


def compare(arguments: argparse.Namespace) -> str:
    """Write the report of runs, or of films, and print its path."""
    from nst_tf.cli.video import compare_films
    from nst_tf.reports import write_report

    page = compare_films(arguments) or write_report(
        arguments.folders,
        arguments.report,
        arguments.best,
        arguments.at_most,
        arguments.at_least,
        arguments.spread,
    )
    print(f"  report       {page}")
    return "completed"


def make_reproduction_parser(prog: str) -> OneLineParser:
    """Return the parser of ``reproduction``."""
    return _make_page_parser(prog, "Compare the papers' systems with runs of them, on a Markdown page.", "reproduction")


def make_comparison_parser(prog: str) -> OneLineParser:
    """Return the parser of ``comparison``."""
    description = "Compare methods that were run on the same pictures, such as sweep=styleid_small, on a Markdown page."
    return _make_page_parser(prog, description, "comparison")


def _make_page_parser(prog: str, description: str, page: str) -> OneLineParser:
    """Return the parser of a command that writes a page of ``docs/``."""
    parser = OneLineParser(prog=prog, description=description)
    parser.add_argument("folders", nargs="+", metavar="FOLDER", help="a run folder, a sweep, or a folder of these")
    parser.add_argument(
        *("-o", "--output"),
        type=Path,
        help=f"page to write, with its pictures in gallery/ beside it (default: docs/{page}.md of a checkout, else "
        f"{page}.md)",
    )
    return parser


def reproduction(arguments: argparse.Namespace) -> str:
    """Write the page of the papers' systems and print its path."""
    from nst_tf.reports.reproduction import write_reproduction

    return _write_page(arguments, "reproduction", write_reproduction)


def comparison(arguments: argparse.Namespace) -> str:
    """Write the page of the methods and print its path."""
    from nst_tf.reports.methods.page import write_comparison

    return _write_page(arguments, "comparison", write_comparison)


def _write_page(
    arguments: argparse.Namespace, name: str, write: Callable[[Sequence[str | Path], Path, str], Path]
) -> str:
    from nst_tf.reports.commands import SCRIPTS, program_words

    docs = SCRIPTS.parent / "docs"
    default = docs / f"{name}.md" if docs.is_dir() and SCRIPTS.is_dir() else Path(f"{name}.md")
    command = typed_command(program_words(name), arguments.words)
    print(f"  page         {write(arguments.folders, arguments.output or default, command)}")
    return "completed"


COMMANDS: dict[str, Command] = {
    "compare": Command(make_compare_parser, compare),
    "evaluate": Command(scoring.make_parser, scoring.evaluate),
    "comparison": Command(make_comparison_parser, comparison),
    "reproduction": Command(make_reproduction_parser, reproduction),
}
"""Commands with plain arguments, by the first word after ``nst-tf``."""


def run_command(name: str, words: Sequence[str], prog: str | None = None) -> int:
    """Run a command with plain arguments.

    Args:
        name: A key of `COMMANDS`.
        words: The arguments as typed.
        prog: Program name in messages of the parser. Default: the name.

    Returns:
        The exit code, as `nst_tf.cli.errors.EXIT_CODES` says.
    """
    command = COMMANDS[name]
    arguments = command.make_parser(prog or name).parse_args(words)
    arguments.words = list(words)

    from nst_tf.cli.errors import exit_code, report_errors  # imports Hydra, which --help need not wait for

    return exit_code([report_errors(lambda: command.run(arguments))])


def main() -> None:
    """Run ``nst-tf``: the command of the first argument, or a Hydra command line that stylises."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name in COMMANDS:
        sys.exit(run_command(name, sys.argv[2:], f"nst-tf {name}"))

    from nst_tf.cli.main import main as run_hydra

    if name in HYDRA_COMMANDS:
        del sys.argv[1]
        run_hydra(name)
    else:
        run_hydra()

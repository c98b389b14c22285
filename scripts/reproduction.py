"""Write docs/reproduction.md out of runs of the papers' systems: `python scripts/reproduction.py outputs/sweeps/NAME`.

Each argument is a run folder, a sweep, or a folder of these; `python scripts/stylize.py sweep=papers …` makes them.
"""

import argparse
import sys
from pathlib import Path

from arguments import OneLineParser, shown_command

from nst_tf.cli.main import EXIT_CODES, report_errors

PAGE = Path(__file__).parents[1] / "docs" / "reproduction.md"


def parser() -> OneLineParser:
    """Describe the command line."""
    made = OneLineParser(prog="reproduction", description="Set the papers' systems beside what runs of them measured.")
    made.add_argument("folders", nargs="+", metavar="FOLDER", help="a run folder, a sweep, or a folder of these")
    made.add_argument(
        "--output",
        type=Path,
        default=PAGE,
        help="the page to write, its pictures in gallery/ beside it (default: docs/reproduction.md)",
    )
    return made


def reproduction(arguments: argparse.Namespace) -> str:
    """Write the page and say where it is."""
    from nst_tf.reports.reproduction import write_reproduction

    command = shown_command("scripts/reproduction.py")
    print(f"  page         {write_reproduction(arguments.folders, arguments.output, command)}")
    return "completed"


if __name__ == "__main__":
    sys.exit(EXIT_CODES.get(report_errors(lambda: reproduction(parser().parse_args())), 0))

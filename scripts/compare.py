"""Set runs side by side: `python scripts/compare.py outputs/sweeps/NAME`.

Each argument is a run folder, a sweep, or a folder of these. A sweep writes the same report when it ends.
"""

import argparse
import sys

from arguments import OneLineParser

from nst_tf.cli.main import EXIT_CODES, report_errors


def parser() -> OneLineParser:
    """Describe the command line."""
    made = OneLineParser(prog="compare", description="Set runs side by side: a page, tables and figures.")
    made.add_argument("folders", nargs="+", metavar="FOLDER", help="a run folder, a sweep, or a folder of these")
    made.add_argument(
        "--report", help="the folder to write (default: FOLDER/report for one FOLDER, outputs/report for several)"
    )
    made.add_argument(
        "--best",
        metavar="COLUMN",
        help="of table.csv that decides on the best run (default: judged/style_ratio, else loss/total if it compares)",
    )
    return made


def compare(arguments: argparse.Namespace) -> str:
    """Write the report and say where it is."""
    from nst_tf.reports import write_report

    page = write_report(arguments.folders, arguments.report, arguments.best)
    print(f"  report       {page}")
    return "completed"


if __name__ == "__main__":
    sys.exit(EXIT_CODES.get(report_errors(lambda: compare(parser().parse_args())), 0))

"""Score pictures with a fixed judge: `python scripts/evaluate.py outputs/runs/lighthouse outputs/sweeps/NAME/*`.

Each argument is a run folder, or a picture together with --content and --style.
"""

import argparse
import csv
import sys
from pathlib import Path

from arguments import OneLineParser

from nst_tf.cli import EXIT_CODES, quiet, reported


def parser() -> OneLineParser:
    """Describe the command line."""
    made = OneLineParser(prog="evaluate", description="Score pictures with a fixed judge, VGG-19.")
    made.add_argument("paths", nargs="+", metavar="RUN_OR_PICTURE", help="a run folder, or a picture")
    made.add_argument("--content", help="the photograph of the pictures given: a path or sample:NAME")
    made.add_argument("--style", action="append", help="their painting; again for a second one")
    made.add_argument("--weights", default="imagenet", help="of the judge: imagenet, or a file (default: %(default)s)")
    return made


def evaluate(arguments: argparse.Namespace) -> str:
    """Print a CSV table of scores, a row for each path."""
    with quiet():
        from nst_tf.evaluation import Judge, Scores
    from dataclasses import asdict, fields

    from nst_tf.backbones import VGG19
    from nst_tf.images import read_picture

    rows = [_material(path, arguments) for path in arguments.paths]
    judge = Judge(VGG19(weights=arguments.weights))
    table = csv.DictWriter(sys.stdout, ["picture", *(field.name for field in fields(Scores))], lineterminator="\n")
    table.writeheader()
    for picture, content, styles, shares in rows:
        scores = judge.scores(
            read_picture(picture, role="picture").pixels,
            read_picture(content, role="content"),
            [read_picture(style, role="style") for style in styles],
            shares,
        )
        rounded = {key: round(value, 5) if isinstance(value, float) else value for key, value in asdict(scores).items()}
        table.writerow({"picture": picture} | rounded)
    return "completed"


def _material(path: str, arguments: argparse.Namespace) -> tuple[str, str, list[str], list[float] | None]:
    """Picture, content, styles and shares of an argument."""
    from nst_tf.config import read_pictures
    from nst_tf.errors import InputError
    from nst_tf.runs import RunFolder

    if not Path(path).is_dir():
        if not (arguments.content and arguments.style):
            raise InputError(
                f"'{path}' is no run folder: give its photograph with --content and its painting with --style"
            )
        return path, arguments.content, arguments.style, None
    run = RunFolder(Path(path))
    config = read_pictures(run.config)
    if config.content is None or not config.styles:
        raise InputError(f"'{path}' has no content or no style to compare with: its run looked at one of them only")
    return str(run.picture), config.content, config.styles, config.shares


if __name__ == "__main__":
    sys.exit(EXIT_CODES.get(reported(lambda: evaluate(parser().parse_args())), 0))

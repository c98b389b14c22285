"""Score pictures with a fixed judge: `python scripts/evaluate.py outputs/runs/lighthouse outputs/sweeps/NAME/*/`.

Each argument is a run folder, or a picture together with --content and --style. With --write the scores of run folders
go where a run with evaluation=on puts them, into run.json and TensorBoard, for `scripts/compare.py` to show.
"""

import argparse
import csv
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from arguments import OneLineParser

from nst_tf.cli.main import EXIT_CODES, report_errors
from nst_tf.runs.folder import RunFolder
from nst_tf.system.startup import load_tensorflow_quietly
from nst_tf.util.errors import InputError


def parser() -> OneLineParser:
    """Describe the command line."""
    made = OneLineParser(prog="evaluate", description="Score pictures with a fixed judge.")
    made.add_argument("paths", nargs="+", metavar="RUN_OR_PICTURE", help="a run folder, or a picture")
    made.add_argument("--content", help="the photograph of the pictures given: a path or sample:NAME")
    made.add_argument("--style", action="append", help="their painting; again for a second one")
    made.add_argument(
        "--weights",
        default="auto",
        help="of the judge: auto (VGG-19 where Keras's weights are cached, else vgg19_lite), embedded (vgg19_lite), "
        "imagenet, or a file of VGG-19's (default: %(default)s)",
    )
    made.add_argument("--write", action="store_true", help="into run.json and TensorBoard of run folders, too")
    return made


@dataclass
class Material:
    """What one argument names.

    Attributes:
        picture: What is scored.
        content: Its photograph.
        styles: Its paintings.
        shares: One a painting; None for equal ones.
        run: The run it comes from; None for a picture.
    """

    picture: str
    content: str | None
    styles: list[str]
    shares: list[float] | None
    run: RunFolder | None = None


def evaluate(arguments: argparse.Namespace) -> str:
    """Print a CSV table of scores, a row for each path."""
    with load_tensorflow_quietly():
        from nst_tf.evaluation import EvaluationConfig, Scores
    from nst_tf.evaluation.recording import record_scores
    from nst_tf.runs.session import run_lock

    rows = [_material(path, arguments) for path in arguments.paths]
    judge = EvaluationConfig(weights=arguments.weights).judge()
    table = csv.DictWriter(sys.stdout, ["picture", *(field.name for field in fields(Scores))], lineterminator="\n")
    table.writeheader()
    for row in rows:
        scores = judge.scores(*_pictures(row), row.shares)
        if row.run is not None and arguments.write:
            with run_lock(row.run):
                record_scores(row.run, row.run.read_record(), scores)
        rounded = {key: round(value, 5) if isinstance(value, float) else value for key, value in asdict(scores).items()}
        table.writerow({"picture": row.picture} | rounded)
    return "completed"


def _material(path: str, arguments: argparse.Namespace) -> Material:
    """What an argument names; refused where it is neither a run that is over nor a picture with its material."""
    from nst_tf.config.settings import read_recorded_pictures

    if not Path(path).is_dir():
        if not (arguments.content and arguments.style):
            raise InputError(
                f"'{path}' is no run folder: give its photograph with --content and its painting with --style"
            )
        return Material(path, arguments.content, arguments.style, None)
    run = RunFolder(Path(path))
    config = read_recorded_pictures(run.config)
    if run.read_record().get("status", "running") == "running":
        raise InputError(f"'{path}' is a run that is not over: continue it, or score its snapshots as pictures")
    return Material(str(run.picture), config.content, config.styles, config.shares, run)


def _pictures(row: Material) -> tuple[Any, Any, list[Any]]:
    """Picture, photograph and paintings, read.

    Raises:
        InputError: One cannot be read, or is not the one its run was made from.
    """
    from nst_tf.images import read_picture

    picture = read_picture(row.picture, role="picture").pixels
    content = None if row.content is None else read_picture(row.content, role="content")
    styles = [read_picture(style, role="style") for style in row.styles]
    if row.run is not None:
        recorded = row.run.read_record().get("inputs", {})
        given = {"content": content} | {f"style:{n}": style for n, style in enumerate(styles, start=1)}
        for role, one in given.items():
            if one is not None and recorded.get(role, {}).get("sha256", one.sha256) != one.sha256:
                raise InputError(
                    f"{one.source!r} ({role}) is no longer the picture that '{row.run.path}' was made from"
                )
    return picture, content, styles


if __name__ == "__main__":
    sys.exit(EXIT_CODES.get(report_errors(lambda: evaluate(parser().parse_args())), 0))

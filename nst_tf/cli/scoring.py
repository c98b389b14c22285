"""The command ``evaluate``: score run folders and other pictures with a fixed judge."""

from __future__ import annotations

import argparse
import csv
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nst_tf.cli.arguments import OneLineParser
from nst_tf.util.errors import InputError

if TYPE_CHECKING:
    from nst_tf.runs.folder import RunFolder

WEIGHTS_HELP = (
    "weights of the judge: auto (VGG-19 where Keras has its weights in the cache, else vgg19_lite), embedded "
    "(vgg19_lite), imagenet, or a file of VGG-19 weights (default: %(default)s)"
)


def make_parser(prog: str) -> OneLineParser:
    """Return the parser of the arguments."""
    parser = OneLineParser(prog=prog, description="Score pictures with a fixed judge and print a CSV table.")
    parser.add_argument("paths", nargs="+", metavar="RUN_OR_PICTURE", help="a run folder, or a picture")
    parser.add_argument("--content", help="photograph of the given pictures: a path or sample:NAME")
    parser.add_argument("--style", action="append", help="painting of the given pictures; repeat for several paintings")
    parser.add_argument("--weights", default="auto", help=WEIGHTS_HELP)
    parser.add_argument(
        "--write", action="store_true", help="also write the scores into run.json and TensorBoard of the run folders"
    )
    return parser


@dataclass
class ScoredPicture:
    """A picture to score, with the pictures that it is compared with.

    Attributes:
        picture: Path of the picture.
        content: Its photograph; None for a run without one.
        styles: Its paintings.
        shares: Share of each painting; None for equal shares.
        run: The run that made it; None for any other picture.
    """

    picture: str
    content: str | None
    styles: list[str]
    shares: list[float] | None
    run: RunFolder | None = None


def evaluate(arguments: argparse.Namespace) -> str:
    """Print a CSV table of scores with one row for each path."""
    from nst_tf.evaluation import EvaluationConfig, Scores
    from nst_tf.evaluation.recording import record_scores
    from nst_tf.runs.session import run_lock

    pictures = [_find_picture(path, arguments) for path in arguments.paths]
    judge = EvaluationConfig(weights=arguments.weights).judge()
    table = csv.DictWriter(sys.stdout, ["picture", *(field.name for field in fields(Scores))], lineterminator="\n")
    table.writeheader()
    for scored in pictures:
        scores = judge.scores(*_read_pixels(scored), scored.shares)
        if scored.run is not None and arguments.write:
            with run_lock(scored.run):
                record_scores(scored.run, scored.run.read_record(), scores)
        rounded = {key: round(value, 5) if isinstance(value, float) else value for key, value in asdict(scores).items()}
        table.writerow({"picture": scored.picture} | rounded)
    return "completed"


def _find_picture(path: str, arguments: argparse.Namespace) -> ScoredPicture:
    """Return the picture that an argument names.

    Raises:
        InputError: The argument is a run that has not ended, or a picture without ``--content`` and ``--style``.
    """
    from nst_tf.config.settings import read_recorded_pictures
    from nst_tf.runs.folder import RunFolder

    if not Path(path).is_dir():
        if not (arguments.content and arguments.style):
            raise InputError(
                f"'{path}' is no run folder. For a picture, give its photograph with --content and its painting "
                "with --style."
            )
        return ScoredPicture(path, arguments.content, arguments.style, None)
    run = RunFolder(Path(path))
    config = read_recorded_pictures(run.config)
    if run.read_record().get("status", "running") == "running":
        raise InputError(f"'{path}' is a run that is not over. Continue it, or score its snapshots as pictures.")
    return ScoredPicture(str(run.picture), config.content, [str(style) for style in config.styles], config.shares, run)


def _read_pixels(scored: ScoredPicture) -> tuple[Any, Any, list[Any]]:
    """Read picture, photograph and paintings.

    Raises:
        InputError: A file cannot be read, or is not the file that the run used.
    """
    from nst_tf.images import read_picture

    picture = read_picture(scored.picture, role="picture").pixels
    content = None if scored.content is None else read_picture(scored.content, role="content")
    styles = [read_picture(style, role="style") for style in scored.styles]
    if scored.run is not None:
        recorded = scored.run.read_record().get("inputs", {})
        inputs = {"content": content} | {f"style:{number}": style for number, style in enumerate(styles, start=1)}
        for role, one in inputs.items():
            if one is not None and recorded.get(role, {}).get("sha256", one.sha256) != one.sha256:
                raise InputError(
                    f"{one.source!r} ({role}) is no longer the picture that '{scored.run.path}' was made from"
                )
    return picture, content, styles

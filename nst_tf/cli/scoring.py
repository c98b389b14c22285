"""The command ``evaluate``: score run folders and other pictures with a fixed judge."""

from __future__ import annotations

import argparse
import contextlib
import csv
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nst_tf.cli.arguments import OneLineParser
from nst_tf.util.errors import InputError

if TYPE_CHECKING:
    from nst_tf.evaluation import Scores
    from nst_tf.runs.folder import RunFolder

log = logging.getLogger(__name__)

WEIGHTS_HELP = (
    "weights of the judge: auto (VGG-19 where Keras has its weights in the cache, else vgg19_lite), embedded "
    "(vgg19_lite), imagenet, or a file of VGG-19 weights (default: %(default)s)"
)


def make_parser(prog: str) -> OneLineParser:
    """Return the parser of the arguments."""
    parser = OneLineParser(prog=prog, description="Score pictures with a fixed judge and print a CSV table.")
    parser.add_argument("paths", nargs="+", metavar="RUN_OR_PICTURE", help="a run folder, a sweep, or a picture")
    parser.add_argument("--content", help="photograph of the given pictures: a path or sample:NAME")
    parser.add_argument("--style", action="append", help="painting of the given pictures; repeat for several paintings")
    parser.add_argument("--weights", default="auto", help=WEIGHTS_HELP)
    parser.add_argument(
        "--measures", type=_names, default=[], metavar="NAMES", help="further measures: cfsd,histogan,lpips or some"
    )
    parser.add_argument("--lpips-network", metavar="FILE", help="torchvision's AlexNet, for lpips and --artfid")
    parser.add_argument(
        "--lpips-linear", metavar="FILE", help="linear weights of LPIPS (default: those of the installed package lpips)"
    )
    parser.add_argument(
        "--artfid", metavar="FILE", help="score all pictures as one set by ArtFID, with this art_inception.pth"
    )
    parser.add_argument(
        "--write", action="store_true", help="also write the scores into run.json and TensorBoard of the runs"
    )
    return parser


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


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
    """Print a CSV table of scores with one row for each picture.

    Raises:
        InputError: There is nothing to score, or a picture could not be scored. The others have been.
    """
    from nst_tf.evaluation import EvaluationConfig
    from nst_tf.evaluation.judge import score_names

    pictures = _find_pictures(arguments)
    if arguments.artfid:
        return _print_artfid(pictures, arguments)
    _require_readable(pictures)
    judge = EvaluationConfig(
        weights=arguments.weights,
        measures=arguments.measures,
        lpips_network=arguments.lpips_network,
        lpips_linear=arguments.lpips_linear,
    ).judge()
    names = score_names([measure.name for measure in judge.measures])
    table = csv.DictWriter(sys.stdout, ["picture", *names, "judge"], lineterminator="\n")
    table.writeheader()
    failures = []
    for scored in pictures:
        try:
            scores = judge.scores(*_read_pixels(scored), scored.shares)
            if scored.run is not None and arguments.write:
                _write_scores(scored.run, scores)
        except InputError as error:
            failures.append(str(error))
            continue
        table.writerow({"picture": scored.picture} | _rounded(scores.as_dict()))
        sys.stdout.flush()
    if arguments.write:
        _update_tables({scored.run.path.parent for scored in pictures if scored.run is not None})
    if failures:
        raise _not_scored(failures, pictures)
    return "completed"


def _require_readable(pictures: Sequence[ScoredPicture]) -> None:
    """Refuse the command, before the judge needs TensorFlow, if no picture can be read."""
    failures = []
    for scored in pictures:
        try:
            _read_pixels(scored)
        except InputError as error:
            failures.append(str(error))
        else:
            return
    raise _not_scored(failures, pictures)


def _not_scored(failures: Sequence[str], pictures: Sequence[ScoredPicture]) -> InputError:
    """Return the error of a command that could not score some pictures: the first of their errors, and their number."""
    others = f" ({len(failures)} of {len(pictures)} pictures could not be scored)" if len(pictures) > 1 else ""
    return InputError(f"{failures[0]}{others}")


def _rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: round(value, 5) if isinstance(value, float) else value for name, value in values.items()}


def _print_artfid(pictures: list[ScoredPicture], arguments: argparse.Namespace) -> str:
    """Print a CSV table of one row: the scores of all pictures as one set.

    Raises:
        InputError: A file of weights is missing, or a picture does not have exactly one painting and a photograph.
    """
    from nst_tf.evaluation.art_inception import ART_INCEPTION, ArtInception
    from nst_tf.evaluation.artfid import ArtFID
    from nst_tf.evaluation.lpips import LPIPS, locate_files

    if arguments.write:
        raise InputError("--artfid scores a set of pictures, which has no run.json: leave --write out")
    inception = ART_INCEPTION.locate(arguments.artfid)
    files = locate_files(arguments.lpips_network, arguments.lpips_linear)
    measure = ArtFID(LPIPS(*files), ArtInception(inception))
    for scored in pictures:
        if scored.content is None or len(scored.styles) != 1:
            raise InputError(
                f"'{scored.picture}' has no photograph or not one painting, which ArtFID needs: leave it out"
            )
        picture, content, (style,) = _read_pixels(scored)
        measure.add(picture, content, style)
    for file in (*files, inception):
        log.info("%s: SHA-256 %s", file.path, file.sha256)
    scores = measure.scores()
    row = {"pictures": scores.pictures, measure.lpips_name: scores.lpips, measure.fid_name: scores.fid}
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerows([[*row, measure.name], [*_rounded(row | {measure.name: scores.artfid}).values()]])
    return "completed"


def _write_scores(run: RunFolder, scores: Scores) -> None:
    from nst_tf.evaluation.recording import record_scores
    from nst_tf.runs.session import run_lock

    with run_lock(run):
        record_scores(run, run.read_record(), scores)


def _update_tables(sweeps: set[Path]) -> None:
    """Give TensorBoard's tables of the sweeps columns for the scores."""
    from nst_tf.observers.hparams_table import update_hparams_config
    from nst_tf.runs.folder import read_records

    for sweep in sweeps:
        with contextlib.suppress(OSError):
            update_hparams_config(sweep, read_records(sweep))


def _find_pictures(arguments: argparse.Namespace) -> list[ScoredPicture]:
    """Return the pictures that the arguments name, each run and each picture once.

    What cannot be scored is left out with a warning.

    Raises:
        InputError: A path does not exist, or there is nothing to score.
    """
    found: dict[tuple[bool, str], ScoredPicture] = {}
    left_out = []
    for path in arguments.paths:
        for candidate in _candidates(path):
            try:
                scored = _scored_picture(candidate, arguments)
            except InputError as error:
                left_out.append(str(error).rstrip("."))
                continue
            found.setdefault((scored.run is None, os.path.realpath(scored.picture)), scored)
    if not found:
        others = f" (and {len(left_out) - 1} others cannot be scored)" if len(left_out) > 1 else ""
        raise InputError(f"{left_out[0]}{others}")
    for reason in left_out:
        log.warning("%s. It is left out.", reason)
    return list(found.values())


def _candidates(path: str) -> list[str]:
    """Return the run folders in and below a folder, or the path itself if there are none.

    Raises:
        InputError: The path does not exist.
    """
    from nst_tf.reports.reading import run_folders

    if not Path(path).exists():
        raise InputError(f"'{path}' does not exist: give a run folder, a sweep, or a picture")
    return [str(run) for run in run_folders(Path(path))] or [path]


def _scored_picture(path: str, arguments: argparse.Namespace) -> ScoredPicture:
    """Return the picture of a run folder, or a picture that is compared with ``--content`` and ``--style``.

    Raises:
        InputError: The run has not ended or has no picture, or ``--content`` and ``--style`` are missing.
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
    if not run.record.exists():
        raise InputError(f"No run in '{path}'")
    if run.read_record().get("status", "running") == "running":
        raise InputError(f"'{path}' is a run that is not over. Continue it, or score its snapshots as pictures.")
    if not run.picture.exists():
        raise InputError(f"'{path}' is a run without a picture")
    config = read_recorded_pictures(run.config)
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

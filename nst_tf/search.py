"""What a search for settings is to lower."""

import functools
import math
from collections.abc import Sequence
from dataclasses import asdict, fields

from nst_tf.api import read_inputs
from nst_tf.backbones import VGG19, VGG19Lite, cache_folder
from nst_tf.config import Config
from nst_tf.errors import InputError
from nst_tf.evaluation import Judge, Scores
from nst_tf.images import read_picture
from nst_tf.runs import RunFolder

NAMES = ("total", *(field.name for field in fields(Scores) if field.name != "judge"))
"""What can be minimised: the run's own loss, or a judge's scores."""


def check(minimise: Sequence[str]) -> None:
    """Refuse what is no score.

    Raises:
        InputError: Lists those there are.
    """
    if not minimise or any(name not in NAMES for name in minimise):
        raise InputError(f"hydra.sweeper.minimise={list(minimise)}: takes some of {', '.join(NAMES)}")


def score(run: RunFolder, config: Config, names: Sequence[str]) -> float:
    """The sum of some of a run's `NAMES`, which a search lowers; NaN where one is not finite.

    Args:
        run: A run that is over; if nobody has judged it yet, its record gets the scores.
        config: Its settings.
        names: Which.
    """
    record = run.read_record()
    if "scores" not in record:
        content, styles = read_inputs(config)
        picture = read_picture(str(run.picture)).pixels
        record["scores"] = asdict(_judge().scores(picture, content, styles, config.shares))
        run.write_record(record)
    known = {"total": record["final"]["total"], **record["scores"]}
    return sum(math.nan if known[name] is None else known[name] for name in names)


@functools.cache
def _judge() -> Judge:
    """VGG-19 where Keras has its weights at hand, else `vgg19_lite`."""
    at_hand = (cache_folder() / VGG19.pretrained.file).is_file()
    return Judge(VGG19() if at_hand else VGG19Lite())

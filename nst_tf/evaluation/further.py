"""Further measures of a judge, which are computed where ``evaluation.measures`` names them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nst_tf.backbones import Backbone
from nst_tf.backbones.weights import WEIGHT_KEYWORDS
from nst_tf.evaluation.cfsd import CFSD
from nst_tf.evaluation.histogan import HistoGAN
from nst_tf.evaluation.judge import Measure
from nst_tf.evaluation.lpips import LPIPS
from nst_tf.evaluation.weights_files import DIGITS, WeightsFile
from nst_tf.util.errors import InputError

TORCHVISION_VGG19 = "dcbb9e9d"
"""Beginning of the SHA-256 of torchvision's VGG-19, which is part of its file's name."""

MEASURES: dict[str, Callable[[Backbone, Sequence[WeightsFile]], Measure]] = {
    "cfsd": lambda backbone, files: CFSD(backbone, network_label(backbone)),
    "histogan": lambda backbone, files: HistoGAN(),
    "lpips": lambda backbone, files: LPIPS(*files),
}
"""Constructors of the further measures, from the judge's network and the files of LPIPS."""


def check_measures(names: Sequence[str]) -> None:
    """Reject names that are not in `MEASURES`, and names that stand twice.

    Raises:
        InputError: A name is unknown or stands twice.
    """
    for name in names:
        if name not in MEASURES:
            raise InputError(f"evaluation.measures: {name!r} is no measure. Choose some of {', '.join(MEASURES)}.")
        if list(names).count(name) > 1:
            raise InputError(f"evaluation.measures: {name} stands twice. Name each measure once.")


def network_label(backbone: Backbone) -> str:
    """Return network and weights for the name of a score: ``vgg19_keras``, ``vgg19_torchvision``, ``vgg19_lite``.

    Weights of an unknown file are named by the first digits of its SHA-256.
    """
    weights = {"imagenet": "keras", "embedded": ""}.get(backbone.weights, backbone.weights)
    if backbone.weights not in WEIGHT_KEYWORDS:
        sha256 = str(backbone.identity()["sha256"])
        weights = "torchvision" if sha256.startswith(TORCHVISION_VGG19) else sha256[:DIGITS]
    return f"{backbone.name}_{weights}" if weights else backbone.name

"""The judge: what a picture is worth, whatever network or loss made it."""

from nst_tf.evaluation.judge import CONTENT_LAYER, STYLE_LAYERS, Judge, Scores
from nst_tf.evaluation.settings import Judging

__all__ = ["CONTENT_LAYER", "STYLE_LAYERS", "Judge", "Judging", "Scores"]

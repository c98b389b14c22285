"""The judge: one fixed network that scores pictures, whatever network or loss made them."""

from nst_tf.evaluation.judge import CONTENT_LAYER, STYLE_LAYERS, Judge, Scores
from nst_tf.evaluation.settings import EvaluationConfig

__all__ = ["CONTENT_LAYER", "STYLE_LAYERS", "EvaluationConfig", "Judge", "Scores"]

"""Scores of pictures from one fixed network, so that the results of different networks and losses compare."""

from nst_tf.evaluation.judge import CONTENT_LAYER, STYLE_LAYERS, Judge, Scores
from nst_tf.evaluation.settings import EvaluationConfig

__all__ = ["CONTENT_LAYER", "STYLE_LAYERS", "EvaluationConfig", "Judge", "Scores"]

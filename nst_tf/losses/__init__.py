"""Losses: dataclasses whose fields are their settings and whose methods are functions of features."""

from nst_tf.losses.content import ContentLoss, ContentReduction
from nst_tf.losses.distribution_loss import DistributionLoss, Extent, PositionWeights, StatisticsLoss, Sums
from nst_tf.losses.gram import GramDivisor, GramLoss, GramReduction
from nst_tf.losses.layer_loss import Balance, Blend, LayerLoss, OverLayers
from nst_tf.losses.loss import Features, Loss, Representation, Targets, Temperatures
from nst_tf.losses.mean_variance import MeanVarianceLoss, MeanVarianceReduction
from nst_tf.losses.moments import MomentsLoss, MomentsReduction
from nst_tf.losses.sliced_wasserstein import SlicedReduction, SlicedWassersteinLoss
from nst_tf.losses.smoothing import Smoothing
from nst_tf.losses.total_variation import TotalVariationLoss, ValueRange, Variation

LOSSES: dict[str, type[Loss]] = {
    "content": ContentLoss,
    "gram": GramLoss,
    "mean_variance": MeanVarianceLoss,
    "moments": MomentsLoss,
    "sliced_wasserstein": SlicedWassersteinLoss,
    "total_variation": TotalVariationLoss,
}
"""Name in a config to class of the loss."""

__all__ = [
    "LOSSES",
    "Balance",
    "Blend",
    "ContentLoss",
    "ContentReduction",
    "DistributionLoss",
    "Extent",
    "Features",
    "GramDivisor",
    "GramLoss",
    "GramReduction",
    "LayerLoss",
    "Loss",
    "MeanVarianceLoss",
    "MeanVarianceReduction",
    "MomentsLoss",
    "MomentsReduction",
    "OverLayers",
    "PositionWeights",
    "Representation",
    "SlicedReduction",
    "SlicedWassersteinLoss",
    "Smoothing",
    "StatisticsLoss",
    "Sums",
    "Targets",
    "Temperatures",
    "TotalVariationLoss",
    "ValueRange",
    "Variation",
]

"""Losses: dataclasses whose fields are their settings and whose methods are functions of features."""

from nst_tf.losses.colour_similarity import ColourSimilarityLoss
from nst_tf.losses.content import ContentLoss, ContentReduction
from nst_tf.losses.distribution_loss import DistributionLoss, Extent, PositionWeights, StatisticsLoss, Sums
from nst_tf.losses.gram import GramDivisor, GramLoss, GramReduction
from nst_tf.losses.guided_sums import GuidedSumsLoss, GuidedSumsReduction
from nst_tf.losses.histogram import HistogramLoss
from nst_tf.losses.hypercolumns import Centre, HypercolumnLoss
from nst_tf.losses.layer_loss import Balance, Blend, LayerLoss, OverLayers
from nst_tf.losses.loss import DRAW, Features, Loss, PictureLoss, Representation, Targets, Temperatures
from nst_tf.losses.matting import MattingLoss
from nst_tf.losses.mean_variance import MeanVarianceLoss, MeanVarianceReduction
from nst_tf.losses.moments import MomentsLoss, MomentsReduction
from nst_tf.losses.mrf import MRFLoss, MRFReduction, PatchSimilarity
from nst_tf.losses.nearest_samples import NearestSamplesLoss, NearestVariant
from nst_tf.losses.nnfm import Matching, NNFMLoss, NNFMReduction
from nst_tf.losses.sliced_wasserstein import Resampling, SlicedReduction, SlicedWassersteinLoss
from nst_tf.losses.smoothing import Smoothing
from nst_tf.losses.strotss import Positions, StrotssLoss, StrotssVariant
from nst_tf.losses.temporal import TemporalLoss
from nst_tf.losses.total_variation import TotalVariationLoss, ValueRange, Variation

LOSSES: dict[str, type[Loss]] = {
    "colour_similarity": ColourSimilarityLoss,
    "content": ContentLoss,
    "gram": GramLoss,
    "guided_sums": GuidedSumsLoss,
    "histogram": HistogramLoss,
    "hypercolumns": HypercolumnLoss,
    "matting": MattingLoss,
    "mean_variance": MeanVarianceLoss,
    "moments": MomentsLoss,
    "mrf": MRFLoss,
    "nearest_samples": NearestSamplesLoss,
    "nnfm": NNFMLoss,
    "sliced_wasserstein": SlicedWassersteinLoss,
    "strotss": StrotssLoss,
    "temporal": TemporalLoss,
    "total_variation": TotalVariationLoss,
}
"""Name in a config to class of the loss."""

__all__ = [
    "DRAW",
    "LOSSES",
    "Balance",
    "Blend",
    "Centre",
    "ColourSimilarityLoss",
    "ContentLoss",
    "ContentReduction",
    "DistributionLoss",
    "Extent",
    "Features",
    "GramDivisor",
    "GramLoss",
    "GramReduction",
    "GuidedSumsLoss",
    "GuidedSumsReduction",
    "HistogramLoss",
    "HypercolumnLoss",
    "LayerLoss",
    "Loss",
    "MRFLoss",
    "MRFReduction",
    "Matching",
    "MattingLoss",
    "MeanVarianceLoss",
    "MeanVarianceReduction",
    "MomentsLoss",
    "MomentsReduction",
    "NNFMLoss",
    "NNFMReduction",
    "NearestSamplesLoss",
    "NearestVariant",
    "OverLayers",
    "PatchSimilarity",
    "PictureLoss",
    "PositionWeights",
    "Positions",
    "Representation",
    "Resampling",
    "SlicedReduction",
    "SlicedWassersteinLoss",
    "Smoothing",
    "StatisticsLoss",
    "StrotssLoss",
    "StrotssVariant",
    "Sums",
    "Targets",
    "Temperatures",
    "TemporalLoss",
    "TotalVariationLoss",
    "ValueRange",
    "Variation",
]

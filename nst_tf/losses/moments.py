"""Style as a Gaussian: mean and covariance of the features, compared by the Wasserstein distance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from nst_tf.losses.layer_loss import LayerLoss
from nst_tf.losses.loss import Features, Targets
from nst_tf.util.checks import above
from nst_tf.util.lazy import tf
from nst_tf.util.tensors import gram, positions, reciprocal, squared_sum

FLOOR = 1e-9
"""Of an eigenvalue, as a part of the matrix's largest, in a slope: what is smaller is rounding."""


class MomentsReduction(Enum):
    """From the squared distance to one number a layer; N filters.

    ``sum`` W₂² · ``mean`` W₂²/N (crowsonkb/style-transfer-pytorch) ·
    ``relative`` W₂²/E‖x'‖², by the target's mean squared length: 0 is the painting's style, 1 is silence, whatever
    the network's scale.
    """

    sum = "sum"
    mean = "mean"
    relative = "relative"


@dataclass
class MomentsLoss(LayerLoss):
    """``weight · Σ_l w_l · reduction(W₂²(𝒩(μ, Σ + εI), 𝒩(μ', Σ' + εI)))`` per picture.

    The features of a layer, one vector a position, are taken as samples of a Gaussian; between two of these the
    2-Wasserstein distance is ``W₂² = ‖μ − μ'‖² + tr(Σ + Σ' − 2 (Σ'^½ Σ Σ'^½)^½)``. Unlike the Gram matrix it tells
    means and spreads apart, and its root keeps strong filters from drowning the rest. With ``blend=targets`` the
    styles are compared with as one mixture, whose raw moments are the weighted means of theirs.

    Args:
        reduction: See `MomentsReduction`; default ``mean``.
        epsilon: Added to every variance, above 0, which keeps the root's slope finite where a picture has fewer
            positions than filters; in the features' units squared, or with ``relative`` as a part of the target's mean
            square. Default 1e-4, as crowsonkb has it for torchvision's units.

    Reference:
        Olkin & Pukelsheim 1982, *The distance between two random vectors with given dispersion matrices*; as a style
        loss, K. Crowson's program *style-transfer-pytorch*.
    """

    reference: str = "style"
    reduction: MomentsReduction = MomentsReduction.mean
    epsilon: float = 1e-4

    def __post_init__(self) -> None:
        super().__post_init__()
        above("epsilon", self.epsilon, 0)

    def represent(self, features: Features) -> Targets:
        """Second moments ``E[x xᵀ]`` and, as a last column, the mean: ``(B, N, N + 1)`` float32."""
        return {layer: _moments(features[layer]) for layer in self.layers}

    def finalize_targets(self, representation: Targets) -> Targets:
        """The covariance's `axes`, which every step needs, and the mean: ``(B, N, N + 1)`` float32."""
        return {layer: self._finalized(moments) for layer, moments in representation.items()}

    def layer_distance(self, representation: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        """``reduction(W₂²)``, ``(B,)`` float32."""
        R, target_mean = target[..., :-1], target[..., -1]
        S = self._covariance(representation, squared_sum(target) / (1 + self.epsilon))  # (B, N, N)
        between = trace_of_root(R @ tf.matmul(S, R, transpose_b=True))
        spread = tf.linalg.trace(S) + squared_sum(R) - 2 * between
        distance = squared_sum(representation[..., -1] - target_mean) + spread
        return distance * self._factor(target)

    def _finalized(self, moments: tf.Tensor) -> tf.Tensor:
        covariance = self._covariance(moments, tf.linalg.trace(moments[..., :-1]))
        return tf.concat([axes(covariance), moments[..., -1:]], -1)

    def _covariance(self, moments: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
        """``Σ + εI``; ``length`` is the target's E‖x'‖², ``(B,)``, of which a relative ε is a part."""
        mean, filters = moments[..., -1:], moments.shape[-2]  # (B, N, 1)
        unit = length / filters if self.reduction is MomentsReduction.relative else tf.ones_like(length)
        covariance = moments[..., :-1] - tf.matmul(mean, mean, transpose_b=True)
        return covariance + (self.epsilon * unit)[:, None, None] * tf.eye(filters)

    def _factor(self, target: tf.Tensor) -> tf.Tensor | float:
        if self.reduction is MomentsReduction.relative:
            return reciprocal(squared_sum(target))
        return 1.0 / target.shape[-2] if self.reduction is MomentsReduction.mean else 1.0


def _moments(x: tf.Tensor) -> tf.Tensor:
    mean = tf.reduce_mean(tf.cast(x, tf.float32), [1, 2])  # (B, N)
    return tf.concat([gram(x) / positions(x), mean[..., None]], -1)


def axes(A: tf.Tensor) -> tf.Tensor:
    """A root R of symmetric matrices, ``RᵀR = A``: eigenvectors as rows, times their eigenvalues' roots, largest first.

    ``R S Rᵀ`` has the eigenvalues of ``A^½ S A^½``, but falls from its first row to its last, and of such a matrix
    float32 finds the small ones better: on VGG-19's features the trace of its root to 1e-5, not 1e-3.

    Args:
        A: ``(B, N, N)``; negative eigenvalues, of rounding, count as 0.

    Returns:
        ``(B, N, N)``.
    """
    values, vectors = tf.linalg.eigh(A)
    scaled = vectors * tf.sqrt(tf.maximum(values, 0.0))[:, None]
    return tf.reverse(tf.linalg.matrix_transpose(scaled), [1])


def trace_of_root(A: tf.Tensor) -> tf.Tensor:
    """Compute ``tr A^½`` of symmetric matrices ``(B, N, N)`` without negative eigenvalues, ``(B,)``.

    Its gradient is ``½ A^-½``, out of the same decomposition, so the derivative of an eigenvector, which is infinite
    where eigenvalues meet, is not needed. Eigenvalues that rounding made negative count as 0; in the gradient,
    eigenvalues below `FLOOR` times the largest count as that much.
    """

    @tf.custom_gradient
    def run(A: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        finite = tf.reduce_all(tf.math.is_finite(A), [1, 2])
        values, vectors = tf.linalg.eigh(tf.where(finite[:, None, None], A, 0.0))  # which raises where there is a NaN

        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            least = tf.maximum(FLOOR * tf.reduce_max(values, -1, keepdims=True), 1e-30)
            scaled = vectors * tf.math.rsqrt(tf.maximum(values, least))[:, None]
            return 0.5 * upstream[:, None, None] * tf.matmul(scaled, vectors, transpose_b=True)

        trace = tf.reduce_sum(tf.sqrt(tf.maximum(values, 0.0)), -1)
        return tf.where(finite, trace, float("nan")), gradient

    return run(A)

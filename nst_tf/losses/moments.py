"""The moments style loss: mean and covariance of the features, compared by the Wasserstein distance of Gaussians."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from nst_tf.losses.distribution_loss import Extent, StatisticsLoss, Sums, weighted
from nst_tf.losses.loss import Representation
from nst_tf.util.checks import above
from nst_tf.util.deprecation import accept_old_names
from nst_tf.util.lazy import tf
from nst_tf.util.tensors import gram, positions, reciprocal, squared_sum

EIGENVALUE_FLOOR = 1e-9
"""Smallest eigenvalue in the gradient of the matrix root, relative to the largest; smaller ones are rounding errors."""


class MomentsReduction(Enum):
    """The formula of one layer; squared Wasserstein distance W₂², features x' of the style, N filters.

    ``sum`` W₂² · ``mean`` W₂²/N (crowsonkb/style-transfer-pytorch) ·
    ``relative`` W₂²/E‖x'‖²: 0 at the style and 1 for features that are all 0, for every scale of the network's
    features.
    """

    sum = "sum"
    mean = "mean"
    relative = "relative"


_FORMULAS: dict[MomentsReduction, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {  # (W₂², target) to (B,)
    MomentsReduction.sum: lambda W2, target: W2,
    MomentsReduction.mean: lambda W2, target: W2 * (1.0 / target.shape[-2]),
    MomentsReduction.relative: lambda W2, target: W2 * reciprocal(squared_sum(target)),  # ‖target‖² = (1 + ε) E‖x'‖²
}


@accept_old_names
@dataclass
class MomentsLoss(StatisticsLoss):
    """``weight · Σ_l w_l · reduction(W₂²(𝒩(μ, Σ + εI), 𝒩(μ', Σ' + εI)))`` per picture.

    The features of a layer, one vector per position, count as samples of a Gaussian. The 2-Wasserstein distance of two
    Gaussians is ``W₂² = ‖μ − μ'‖² + tr(Σ + Σ' − 2 (Σ'^½ Σ Σ'^½)^½)``. Unlike the Gram matrix it separates means from
    covariances, and because of its root strong filters do not dominate the rest. With ``blend=targets`` the styles
    form one mixture, whose raw moments are the weighted means of theirs.

    Args:
        reduction: See `MomentsReduction`; default ``mean``.
        epsilon: Added to every variance, above 0, so that the root has a finite gradient where a picture has fewer
            positions than filters. It is in the features' units squared; with ``relative`` it is relative to the
            target's mean square. Default 1e-4, as in crowsonkb's program for torchvision's units.

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

    def sums(self, x: tf.Tensor, weights: tf.Tensor | None = None) -> Sums:
        """Compute ``Σ_p w_p x_p x_pᵀ`` and ``Σ_p w_p x_p``, ``(B, N, N)`` float32 and ``(B, N)`` float64.

        The second is the mean times the number of positions, so that dividing by that number gives the mean exactly.
        """
        values = tf.cast(x, tf.float32)
        mean = tf.reduce_mean(values if weights is None else weights * values, [1, 2])
        return gram(weighted(x, weights)), tf.cast(mean, tf.float64) * tf.cast(positions(x), tf.float64)

    def statistics(self, sums: Sums, extent: Extent) -> tf.Tensor:
        """Compute the second moments ``E[x xᵀ]`` and, as a last column, the mean: ``(B, N, N + 1)`` float32."""
        second, first = (value / tf.cast(extent.positions, value.dtype) for value in sums)  # (B, N, N), (B, N)
        return tf.concat([tf.cast(second, tf.float32), tf.cast(first, tf.float32)[..., None]], -1)

    def finalize_targets(self, representation: Representation) -> Representation:
        """Compute the covariance's `scaled_eigenvectors` and, as a last column, the mean: ``(B, N, N + 1)`` float32."""
        return {layer: self._finalized(moments) for layer, moments in representation.items()}

    def layer_distance(self, representation: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        """Compute ``reduction(W₂²)``, ``(B,)`` float32."""
        R, target_mean = target[..., :-1], target[..., -1]  # (B, N, N) with RᵀR = Σ' + εI, (B, N)
        S = self._covariance(representation, squared_sum(target) / (1 + self.epsilon))  # (B, N, N)
        cross = trace_of_root(R @ tf.matmul(S, R, transpose_b=True))  # tr (Σ'^½ Σ Σ'^½)^½
        covariances = tf.linalg.trace(S) + squared_sum(R) - 2 * cross
        W2 = squared_sum(representation[..., -1] - target_mean) + covariances
        return _FORMULAS[self.reduction](W2, target)

    def _finalized(self, moments: tf.Tensor) -> tf.Tensor:
        covariance = self._covariance(moments, tf.linalg.trace(moments[..., :-1]))
        return tf.concat([scaled_eigenvectors(covariance), moments[..., -1:]], -1)

    def _covariance(self, moments: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
        """Compute ``Σ + εI``; ``length`` is the target's E‖x'‖², ``(B,)``, which scales a relative ε."""
        mean, filters = moments[..., -1:], moments.shape[-2]  # (B, N, 1)
        unit = length / filters if self.reduction is MomentsReduction.relative else tf.ones_like(length)
        covariance = moments[..., :-1] - tf.matmul(mean, mean, transpose_b=True)
        return covariance + (self.epsilon * unit)[:, None, None] * tf.eye(filters)


def scaled_eigenvectors(A: tf.Tensor) -> tf.Tensor:
    """Compute a root R of symmetric matrices, ``RᵀR = A``.

    Its rows are eigenvectors times the roots of their eigenvalues, the largest first. ``R S Rᵀ`` has the eigenvalues of
    ``A^½ S A^½``, but its entries fall from the first row to the last, and float32 finds the small eigenvalues of such
    a matrix better: on VGG-19's features, the trace of its root is exact to 1e-5 instead of 1e-3.

    Args:
        A: ``(B, N, N)``; eigenvalues that rounding made negative count as 0.

    Returns:
        ``(B, N, N)``.
    """
    values, vectors = tf.linalg.eigh(A)
    scaled = vectors * tf.sqrt(tf.maximum(values, 0.0))[:, None]
    return tf.reverse(tf.linalg.matrix_transpose(scaled), [1])


def trace_of_root(A: tf.Tensor) -> tf.Tensor:
    """Compute ``tr A^½`` of symmetric matrices ``(B, N, N)`` without negative eigenvalues, ``(B,)``.

    Its gradient is ``½ A^-½``, from the same decomposition. So it does not need the derivatives of eigenvectors, which
    are infinite where two eigenvalues are equal. Eigenvalues that rounding made negative count as 0; in the gradient,
    eigenvalues below `EIGENVALUE_FLOOR` times the largest are raised to that value. A matrix with an entry that is not
    finite has the trace NaN.
    """

    @tf.custom_gradient
    def run(A: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        finite = tf.reduce_all(tf.math.is_finite(A), [1, 2])
        values, vectors = tf.linalg.eigh(tf.where(finite[:, None, None], A, 0.0))  # eigh raises on NaN

        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            least = tf.maximum(EIGENVALUE_FLOOR * tf.reduce_max(values, -1, keepdims=True), 1e-30)
            scaled = vectors * tf.math.rsqrt(tf.maximum(values, least))[:, None]
            return 0.5 * upstream[:, None, None] * tf.matmul(scaled, vectors, transpose_b=True)

        trace = tf.reduce_sum(tf.sqrt(tf.maximum(values, 0.0)), -1)
        return tf.where(finite, trace, float("nan")), gradient

    return run(A)

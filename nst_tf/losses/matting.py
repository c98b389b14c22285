"""The matting loss: a result that is, in every small window, an affine function of the content's colours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nst_tf.losses.loss import PictureLoss, Representation
from nst_tf.util.checks import above
from nst_tf.util.lazy import tf

SIDE = 3
"""Side of a window in pixels."""

PIXELS = SIDE * SIDE
"""Pixels of a window."""

SHIFTS = tuple((dy, dx) for dy in range(SIDE) for dx in range(1 - SIDE, SIDE) if (dy, dx) > (0, 0))
"""Rows and columns from a pixel to each of the 12 later ones that share a window with it; L is symmetric."""


@dataclass
class MattingLoss(PictureLoss):
    """``weight · Σ_c v_cᵀ L v_c`` per picture, over its three channels v, with the content's matting Laplacian L.

    ``L_ij = Σ_w (δ_ij − (1 + (I_i − μ_w)ᵀ (Σ_w + ε/9 I)⁻¹ (I_j − μ_w)) / 9)`` over the windows w of 3×3 pixels inside
    the content I that contain both pixels, with the mean μ_w and covariance Σ_w of their colours. The loss is 0 for
    every picture whose channels are affine functions of the content's in each window, so that it keeps edges straight
    while colours may change. All values are in [0, 1].

    L is never a matrix here. Its rows add up to 0, so that ``vᵀLv = −Σ L_ij (v_i − v_j)²`` over pairs of pixels, and a
    pixel shares windows with 24 others only: the target has the 12 entries of each row that lie behind the diagonal.

    Args:
        epsilon: ε in squared units of [0, 1], above 0. Default 1e-7, as in the paper's program; another program of the
            same method has 1e-5.

    Reference:
        Luan, Paris, Shechtman & Bala 2017, *Deep Photo Style Transfer*, equation 2; Levin, Lischinski & Weiss 2008,
        *A Closed-Form Solution to Natural Image Matting*, equation 12.
    """

    epsilon: float = 1e-7

    def __post_init__(self) -> None:
        super().__post_init__()
        above("epsilon", self.epsilon, 0)

    def references(self, styles: int) -> Sequence[str]:
        """Return the content."""
        return ["content"]

    def finalize_targets(self, representation: Representation) -> Representation:
        """Compute the content's `laplacian_entries`, ``(B, H, W, 12)`` float32."""
        return {"image": tf.cast(laplacian_entries(representation["image"], self.epsilon), tf.float32)}

    def distance(self, representation: Representation, targets: Representation) -> dict[str, tf.Tensor]:
        """Compute ``Σ_c v_cᵀ L v_c`` under the name ``"image"``, ``(B,)`` float32."""
        return {"image": quadratic_form(representation["image"], targets["image"])}


def laplacian_entries(image: tf.Tensor, epsilon: float) -> tf.Tensor:
    """Compute the entries ``−L_ij`` of the matting Laplacian behind the diagonal.

    Args:
        image: ``(B, H, W, 3)``, RGB in [0, 1], with H and W of at least 3.
        epsilon: ε in the formula of `MattingLoss`.

    Returns:
        ``(B, H, W, 12)`` float64: at each pixel the entries for the pixels at `SHIFTS`; 0 beyond the border.
    """
    height, width = image.shape[1] - SIDE + 1, image.shape[2] - SIDE + 1
    places = [(y, x) for y in range(SIDE) for x in range(SIDE)]
    pixels = tf.cast(image, tf.float64)
    windows = tf.stack([pixels[:, y : y + height, x : x + width] for y, x in places], axis=3)  # (B, h, w, 9, 3)
    centred = windows - tf.reduce_mean(windows, axis=3, keepdims=True)
    covariance = tf.matmul(centred, centred, transpose_a=True) / PIXELS  # (B, h, w, 3, 3)
    ridge = epsilon / PIXELS * tf.eye(3, dtype=tf.float64)
    scaled = tf.matmul(centred, tf.linalg.inv(covariance + ridge))  # (B, h, w, 9, 3)
    planes = dict.fromkeys(SHIFTS, tf.zeros(tf.shape(pixels)[:-1], tf.float64))
    for i, (y, x) in enumerate(places):
        for j, (v, u) in enumerate(places[i + 1 :], start=i + 1):
            share = (1 + tf.reduce_sum(centred[..., i, :] * scaled[..., j, :], -1)) / PIXELS  # (B, h, w)
            margins = [[0, 0], [y, SIDE - 1 - y], [x, SIDE - 1 - x]]
            planes[v - y, u - x] += tf.pad(share, margins)
    return tf.stack(list(planes.values()), axis=-1)


def quadratic_form(image: tf.Tensor, entries: tf.Tensor) -> tf.Tensor:
    """Compute ``Σ_c v_cᵀ L v_c`` of a picture, with the gradient ``2 L v``.

    Args:
        image: ``(B, H, W, 3)`` float32.
        entries: ``(1, H, W, 12)`` or ``(B, H, W, 12)`` float32, from `laplacian_entries`.

    Returns:
        ``(B,)`` float32.
    """

    @tf.custom_gradient
    def run(image: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        differences = [_later(image, shift) - _earlier(image, shift) for shift in SHIFTS]
        weighted = [
            _earlier(entries[..., n : n + 1], shift) * differences[n] for n, shift in enumerate(SHIFTS)
        ]  # entries × differences
        terms = [tf.reduce_sum(a * b, [1, 2, 3]) for a, b in zip(weighted, differences, strict=True)]

        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            changes = [_at_later(x, shift) - _at_earlier(x, shift) for x, shift in zip(weighted, SHIFTS, strict=True)]
            return 2.0 * upstream[:, None, None, None] * tf.add_n(changes)

        return tf.add_n(terms), gradient

    return run(image)


def _earlier(x: tf.Tensor, shift: tuple[int, int]) -> tf.Tensor:
    """Return the pixels of ``(B, H, W, C)`` that have a pixel at the shift."""
    dy, dx = shift
    return x[:, : -dy or None, max(-dx, 0) : -max(dx, 0) or None]


def _later(x: tf.Tensor, shift: tuple[int, int]) -> tf.Tensor:
    """Return the pixels at the shift from those of `_earlier`."""
    dy, dx = shift
    return x[:, dy:, max(dx, 0) : -max(-dx, 0) or None]


def _at_earlier(x: tf.Tensor, shift: tuple[int, int]) -> tf.Tensor:
    """Return values of `_earlier` at their places in the picture, with 0 elsewhere."""
    dy, dx = shift
    return tf.pad(x, [[0, 0], [0, dy], [max(-dx, 0), max(dx, 0)], [0, 0]])


def _at_later(x: tf.Tensor, shift: tuple[int, int]) -> tf.Tensor:
    """Return values of `_later` at their places in the picture, with 0 elsewhere."""
    dy, dx = shift
    return tf.pad(x, [[0, 0], [dy, 0], [max(dx, 0), max(-dx, 0)], [0, 0]])

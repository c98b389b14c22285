"""ArtFID: a score of a set of pictures, ``(1 + LPIPS)(1 + FID)``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nst_tf.evaluation.art_inception import SHORT_SIDE, ArtInception, with_short_side
from nst_tf.evaluation.judge import picture_sha256
from nst_tf.evaluation.lpips import LPIPS
from nst_tf.images import Picture, resize
from nst_tf.util.errors import InputError


@dataclass(frozen=True)
class ArtFIDScores:
    """Scores of a set of pictures.

    Attributes:
        pictures: Number of pictures.
        lpips: Mean LPIPS between each picture and its content.
        fid: Fréchet distance between the pictures' features and those of their styles.
        artfid: ``(1 + lpips)(1 + fid)``.
    """

    pictures: int
    lpips: float
    fid: float
    artfid: float


class ArtFID:
    """ArtFID of a set of pictures, which are added one by one; only their features are kept.

    A style counts as often as there are pictures with it, as in the published protocol.

    Attributes:
        lpips_name: Name of the LPIPS score, with that of its weights.
        fid_name: Name of the FID score, with that of its weights.
        name: Name of the ArtFID score, with that of its weights.

    Reference:
        Wright & Ommer 2022, *ArtFID: Quantitative Evaluation of Neural Style Transfer*, GCPR.
    """

    def __init__(self, lpips: LPIPS, inception: ArtInception) -> None:
        self.lpips_name = lpips.name
        self.fid_name = f"fid_{inception.label}"
        self.name = f"artfid_{inception.label}_{lpips.name}"
        self._lpips = lpips
        self._inception = inception
        self._style_features: dict[str, np.ndarray] = {}
        self._distances: list[float] = []
        self._features: list[np.ndarray] = []
        self._styles: list[str] = []

    def add(self, picture: np.ndarray, content: Picture, style: Picture) -> None:
        """Add a picture.

        Args:
            picture: Pixels ``(H, W, 3)`` in [0, 1].
            content: Its content, which is resized to the size of the resized picture.
            style: Its style. Picture and style are resized to a short side of 512 pixels.
        """
        resized = with_short_side(picture, SHORT_SIDE)
        self._distances.append(self._lpips.distance(resized, resize(content.pixels, *resized.shape[:2])))
        self._features.append(self._inception.features(resized))
        key = picture_sha256(style)
        if key not in self._style_features:
            self._style_features[key] = self._inception.features(style.pixels)
        self._styles.append(key)

    def scores(self) -> ArtFIDScores:
        """Return the scores of the pictures that were added.

        Raises:
            InputError: There are fewer than two pictures, so that they have no covariance.
        """
        if len(self._features) < 2:
            raise InputError(
                f"ArtFID needs at least 2 pictures with a content and one style, not {len(self._features)}"
            )
        fid = frechet_distance(np.stack(self._features), np.stack([self._style_features[key] for key in self._styles]))
        lpips = float(np.mean(self._distances))
        return ArtFIDScores(len(self._features), lpips, fid, (1 + lpips) * (1 + fid))


def frechet_distance(x: np.ndarray, y: np.ndarray) -> float:
    """Compute ``|μ_x − μ_y|² + tr(Σ_x + Σ_y − 2 (Σ_x Σ_y)^½)`` of two sets of features.

    The trace of the root is the sum of the singular values of ``X Yᵀ / √((n − 1)(m − 1))``, where X and Y are the
    centred features. So no matrix root is computed, and covariances of a low rank, which fewer pictures than features
    have, lose no accuracy.

    Args:
        x: Features ``(n, D)``, n at least 2.
        y: Features ``(m, D)``, m at least 2.

    Returns:
        Number of at least 0.

    Reference:
        Dowson & Landau 1982; Heusel et al. 2017, *GANs Trained by a Two Time-Scale Update Rule*, equation 6.
    """
    (x_mean, x_root), (y_mean, y_root) = _mean_and_root(x), _mean_and_root(y)
    traces = np.square(x_root).sum() + np.square(y_root).sum() - 2 * np.linalg.norm(x_root @ y_root.T, "nuc")
    return float(max(np.square(x_mean - y_mean).sum() + traces, 0.0))


def _mean_and_root(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean μ of features ``(n, D)``, and R with ``RᵀR = Σ``, which has at most D rows."""
    mean = features.mean(axis=0)
    root: np.ndarray = np.linalg.qr((features - mean) / np.sqrt(len(features) - 1), mode="r")  # type: ignore[assignment]
    return mean, root

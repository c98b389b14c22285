"""The Markov random field loss: each patch of features against the most similar patch of the style."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, NamedTuple

from nst_tf.losses.distribution_loss import PositionWeights
from nst_tf.losses.layer_loss import LayerLoss
from nst_tf.losses.loss import Features, Representation
from nst_tf.losses.patches import MatchedPatches, PatchBank, PatchGrid, join_banks, match_patches
from nst_tf.losses.style_copies import StyleCopy
from nst_tf.util.checks import above, at_least
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import tf
from nst_tf.util.tensors import reciprocal

LEAST_WEIGHT = 0.5
"""Mean weight from which a patch of the style belongs to a region."""

LARGEST_DIFFERENCE = 1e-6
"""Largest difference of two shares of styles that count as equal."""

PATCHES, WEIGHTS, MAP = "patches", "weights", "map"
"""Names of values that belong to a layer, in a representation or a target; `beside` joins them to the layer's name."""


def beside(layer: str, name: str) -> str:
    """Return the name of a value that belongs to a layer, such as ``conv3_1/map``."""
    return f"{layer}/{name}"


class MRFReduction(Enum):
    """The formula of one layer; patches p_i of the picture, and q_i of the style that each of them matches.

    ``sum`` Σ_i ‖p_i − q_i‖² (Li & Wand 2016, equation 2) · ``mean`` that over the number of values in all patches
    (alexjc/neural-doodle) · ``average`` ½ Σ_p ‖F(p) − T(p)‖² over the positions p, where T(p) is the mean of what the
    patches q_i that cover p have there (the energy whose gradient chuanli11/CNNMRF computes) ·
    ``relative`` mean_i ‖p_i − q_i‖² / mean_j ‖q_j‖² over all patches q_j of the style: 0 for patches of the style and
    about 1 for features that are all 0, so that every layer and every network has the same scale.
    """

    sum = "sum"
    mean = "mean"
    average = "average"
    relative = "relative"


class PatchSimilarity(Enum):
    """The similarity of two patches, by which each patch of the picture is matched.

    ``patch`` is the cosine of the whole patches (Li & Wand 2016) · ``position`` the mean of the cosines of their
    positions (alexjc/neural-doodle). Semantic maps are compared in the same way.
    """

    patch = "patch"
    position = "position"


class _Energies(NamedTuple):
    """The sums that the formulas need, for one picture and one layer; all are scalars.

    Attributes:
        squares: ``Σ_i Σ_p w(p) ‖p_i(p) − q_i(p)‖²`` with the weights w of the positions.
        averaged: ``Σ_p w(p) ‖F(p) − T(p)‖²``.
        weight: Sum of the mean weights in the patches, their number if all weights are 1.
        values: Number of values in a patch, k² C.
        norm: ``mean_j ‖q_j‖²`` of the style.
    """

    squares: tf.Tensor
    averaged: tf.Tensor
    weight: tf.Tensor
    values: int
    norm: tf.Tensor


_FORMULAS: dict[MRFReduction, Callable[[_Energies], tf.Tensor]] = {
    MRFReduction.sum: lambda e: e.squares,
    MRFReduction.mean: lambda e: e.squares / (e.weight * e.values),
    MRFReduction.average: lambda e: 0.5 * e.averaged,
    MRFReduction.relative: lambda e: e.squares / e.weight * reciprocal(e.norm),
}


@dataclass
class MRFLoss(LayerLoss):
    """``weight · Σ_l w_l E_l`` per picture, with E from the patches of features and their matches in the style.

    Each patch of the picture takes the most similar patch of the style, anew at every evaluation; the choice has no
    gradient. Never more than `nst_tf.util.nearest.TILE_ELEMENTS` similarities exist at once, so that memory grows with
    the number of patches and not with its square.

    Several styles make one set of patches, so that ``blend`` has no effect and the styles cannot have different shares.
    In a region, the style's patches are those that lie in it by at least one half, and each position of the picture
    counts by its weight in the region.

    Args:
        reduction: See `MRFReduction`; default ``relative``.
        similarity: See `PatchSimilarity`; default ``patch``.
        patch_size: Side k of a patch, in positions of the layer. Default 3.
        stride: Distance of neighbouring patches of the picture, at most ``patch_size``. The last patch of each row and
            column ends at the border. Default 1.
        style_stride: The same for the style; None takes ``stride``.
        rotations: Number of rotated copies of each style on either side, whose patches are taken too. Default 0.
        rotation_step: Angle in degrees between two of them. Default 7.5.
        scales: Number of enlarged and of reduced copies of each of these. Default 0.
        scale_step: Factor of the size between two of them, above 1. Default 1.05.
        map_weight: Weight of the similarity of semantic maps, beside that of the features. It counts only with
            ``regions.map``. Default 3.

    Reference:
        Li & Wand 2016, *Combining Markov Random Fields and Convolutional Neural Networks for Image Synthesis*;
        Champandard 2016, *Semantic Style Transfer and Turning Two-Bit Doodles into Fine Artworks*.
    """

    reference: str = "style"
    reduction: MRFReduction = MRFReduction.relative
    similarity: PatchSimilarity = PatchSimilarity.patch
    patch_size: int = 3
    stride: int = 1
    style_stride: int | None = None
    rotations: int = 0
    rotation_step: float = 7.5
    scales: int = 0
    scale_step: float = 1.05
    map_weight: float = 3.0

    joint: ClassVar[bool] = True
    weighs_positions: ClassVar[bool] = True
    reads_maps: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("patch_size", self.patch_size, 1)
        at_least("stride", self.stride, 1)
        if self.style_stride is not None:
            at_least("style_stride", self.style_stride, 1)
        for name in ("rotations", "scales", "map_weight"):
            at_least(name, getattr(self, name), 0)
        above("rotation_step", self.rotation_step, 0)
        above("scale_step", self.scale_step, 1)
        if self.stride > self.patch_size:
            raise InputError(
                f"stride={self.stride}: must be at most patch_size={self.patch_size}, so that patches cover every "
                "position. Choose a smaller stride or larger patches."
            )

    def references(self, styles: int) -> Sequence[str]:
        """Return the content, one style, or every style, as ``reference`` says, with all copies of each style."""
        names = super().references(styles)
        return names if self.reference == "content" else [copy for name in names for copy in self._copies(name)]

    def _copies(self, style: str) -> list[str]:
        """Return the names of a style and its copies, the style first."""
        angles = [n * self.rotation_step for n in _both_sides(self.rotations)]
        factors = [self.scale_step**n for n in _both_sides(self.scales)]
        return [StyleCopy(style, angle, factor).name for angle in angles for factor in factors]

    def represent(self, features: Features, weights: PositionWeights | None = None) -> Representation:
        """Return the features, with what is given for their positions beside them.

        Args:
            features: Features of the picture or of a reference.
            weights: ``LAYER`` to weights of the positions, ``(1, h, w, 1)``, and ``LAYER/map`` to the semantic map,
                ``(1, h, w, R)``; each may be missing.

        Returns:
            ``LAYER``, ``LAYER/weights`` and ``LAYER/map``.
        """
        given = weights or {}
        parts: dict[str, tf.Tensor] = {}
        for layer in self.layers:
            parts[layer] = features[layer]
            parts |= {beside(layer, WEIGHTS): given[layer]} if layer in given else {}
            parts |= {name: given[name] for name in [beside(layer, MAP)] if name in given}
        return parts

    def join(self, representations: Mapping[str, Representation], shares: Mapping[str, float]) -> Representation:
        """Return the patches of all references as one target, in the form of `finalize_targets`.

        Raises:
            InputError: The styles have different shares, which the most similar patch of all cannot respect, or there
                is no patch.
        """
        if max(shares.values()) - min(shares.values()) > LARGEST_DIFFERENCE:
            raise InputError(
                f"style_weights: {type(self).__name__} takes the most similar patch of all styles, so that they cannot "
                "have different shares. Remove style_weights."
            )
        targets: dict[str, tf.Tensor] = {}
        for layer in self.layers:
            bank = join_banks([self._bank(layer, parts) for parts in representations.values()])
            if not bank.patches.shape[0]:
                raise InputError(
                    f"regions: no style has a patch of {self.patch_size}x{self.patch_size} positions in {layer} that "
                    "lies in its region. Choose a larger mask, a larger picture or smaller patches."
                )
            targets |= {layer: bank.rows[None], beside(layer, PATCHES): bank.patches[None]}
            targets |= {} if bank.maps is None else {beside(layer, MAP): bank.maps[None]}
        return targets

    def finalize_targets(self, representation: Representation) -> Representation:
        """Return the patches of the style.

        Returns:
            ``LAYER`` to the features of all positions, ``(1, P, C)``; ``LAYER/patches`` to the positions in each patch,
            ``(1, N, k²)`` int32; and with a map ``LAYER/map`` to ``(1, P, R)``.

        Raises:
            InputError: The style has no patch in a layer, or none in its region.
        """
        is_final = beside(self.layers[0], PATCHES) in representation
        return representation if is_final else self.join({"style:1": representation}, {"style:1": 1.0})

    def distance(self, representation: Representation, targets: Representation) -> dict[str, tf.Tensor]:
        """Compute each layer's ``w_l E_l``, ``(B,)`` float32."""
        return {
            layer: self.effective_weight(layer) * self._energy(layer, representation, _bank_of(targets, layer))
            for layer in self.layers
        }

    def layer_distance(self, representation: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        """Compute ``E_l``, ``(B,)`` float32, of features ``(B, h, w, C)`` and those of the style, ``(1, h, w, C)``."""
        name = "the layer"
        return self._energy(name, {name: representation}, self._bank(name, {name: target}))

    def _grid(self, layer: str, x: tf.Tensor, stride: int) -> PatchGrid:
        """Return the patches of features ``(h, w, C)``."""
        height, width = x.shape[:2]
        if min(height, width) < self.patch_size:
            raise InputError(
                f"patch_size={self.patch_size}: a picture has only {width}x{height} positions in {layer}. Choose a "
                "larger picture, a shallower layer or smaller patches."
            )
        return PatchGrid(height, width, self.patch_size, stride)

    def _bank(self, layer: str, parts: Representation) -> PatchBank:
        """Return the patches of a style in one layer, of what `represent` returned for it."""
        x, weights, maps = parts[layer][0], parts.get(beside(layer, WEIGHTS)), parts.get(beside(layer, MAP))
        patches = self._grid(layer, x, self.style_stride or self.stride).positions()
        if weights is not None:
            patches = tf.boolean_mask(patches, _patch_weights(weights, patches) >= LEAST_WEIGHT)
        return PatchBank(_rows(x), patches, None if maps is None else _rows(maps))

    def _energy(self, layer: str, parts: Representation, bank: PatchBank) -> tf.Tensor:
        """Compute ``E_l``, ``(B,)`` float32, of what `represent` returned for the picture."""
        weights, maps = parts.get(beside(layer, WEIGHTS)), parts.get(beside(layer, MAP))
        vectors = self._vectors(bank)
        norm = _mean_norm(bank)
        energies = []
        for features in tf.unstack(parts[layer]):
            grid = self._grid(layer, features, self.stride)
            own = PatchBank(_rows(features), grid.positions(), None if maps is None else _rows(maps))
            places = tf.ones([grid.height * grid.width, 1]) if weights is None else _rows(weights)
            matched = match_patches(self._vectors(own), grid, bank, vectors)
            energies.append(_FORMULAS[self.reduction](_energies(own, places, matched, norm)))
        return tf.stack(energies)

    def _vectors(self, bank: PatchBank) -> tf.Tensor:
        return bank.vectors(self.similarity is PatchSimilarity.position, self.map_weight)


def _both_sides(count: int) -> list[int]:
    """Return 0, 1, −1, …, ``count``, ``−count``."""
    return [0, *(sign * n for n in range(1, count + 1) for sign in (1, -1))]


def _bank_of(targets: Representation, layer: str) -> PatchBank:
    maps = targets.get(beside(layer, MAP))
    return PatchBank(targets[layer][0], targets[beside(layer, PATCHES)][0], None if maps is None else maps[0])


def _rows(x: tf.Tensor) -> tf.Tensor:
    """Return one row for each position, ``(h·w, C)``, of ``(h, w, C)`` or ``(1, h, w, C)``."""
    return tf.reshape(x, [-1, x.shape[-1]])


def _patch_weights(weights: tf.Tensor, patches: tf.Tensor) -> tf.Tensor:
    """Return the mean weight in each patch, ``(N,)``, of weights of positions."""
    return tf.reduce_mean(tf.gather(tf.reshape(weights, [-1]), patches), -1)


def _mean_norm(bank: PatchBank) -> tf.Tensor:
    """Return ``mean_j ‖q_j‖²`` of the style's patches, a scalar."""
    squares = tf.reduce_sum(tf.square(tf.cast(bank.rows, tf.float32)), -1)  # (P,)
    return tf.reduce_mean(tf.reduce_sum(tf.gather(squares, bank.patches), -1))


def _energies(own: PatchBank, places: tf.Tensor, matched: MatchedPatches, norm: tf.Tensor) -> _Energies:
    """Compute the sums of one picture, of which ``own`` has the patches and ``places`` the weights ``(h·w, 1)``."""
    difference = tf.square(tf.cast(own.rows, tf.float32) - matched.mean)  # (h·w, C)
    size, channels = own.patches.shape[1], own.rows.shape[1]
    return _Energies(
        squares=tf.reduce_sum(places * matched.count * difference) + tf.reduce_sum(places * matched.spread),
        averaged=tf.reduce_sum(places * difference),
        weight=tf.reduce_sum(places * matched.count) / size,
        values=size * channels,
        norm=norm,
    )

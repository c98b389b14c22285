"""Masks of a picture, brought to the positions of a network's layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nst_tf.backbones.graph import edges
from nst_tf.backbones.receptive_field import AxisField, ReceptiveField, receptive_fields
from nst_tf.images import Propagation, RegionMasks, resize_mask
from nst_tf.images.semantic_maps import resize_channels
from nst_tf.losses import PositionWeights
from nst_tf.losses.mrf import MAP, beside
from nst_tf.util.compilation import compile_function
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import tf

THRESHOLD = 0.5
"""Value of a mask from which a pixel belongs to the region, for ``inside`` and ``all``."""


class LayerWeights:
    """Weights of the positions of layers, from masks of pictures.

    Args:
        extractor: Picture to features.
    """

    def __init__(self, extractor: Callable[[tf.Tensor], dict[str, tf.Tensor]]) -> None:
        self._extractor = extractor
        self._sizes: dict[tuple[int, ...], dict[str, tuple[int, int]]] = {}
        self._fields: Mapping[str, ReceptiveField] | None = None

    def of(
        self, mask: np.ndarray, picture: tf.Tensor, layers: Sequence[str], region: RegionMasks, place: str
    ) -> PositionWeights:
        """Return the weights of the positions of each layer.

        Args:
            mask: ``(H, W)`` in [0, 1], at the size of the picture.
            picture: ``(B, H, W, 3)``; only its shape is read.
            layers: Names of the layers.
            region: The region, whose ``propagation`` and ``grow`` are used.
            place: Name of the picture, for errors.

        Returns:
            Layer name to ``(1, h, w, 1)`` float32 in [0, 1].

        Raises:
            InputError: The region has no position in a layer, or the network has no receptive fields.
        """
        sizes = self._sizes_at(tuple(picture.shape))
        weights = {layer: self._propagated(mask, layer, sizes[layer], region.propagation) for layer in layers}
        grown = {layer: _grown(plane, region.grow) for layer, plane in weights.items()}
        for layer, plane in grown.items():
            if not plane.any():
                raise InputError(
                    f"regions: the region {region.name!r} of {place} has no position in {layer} with "
                    f"regions.propagation={region.propagation.name} and regions.grow={region.grow}. Choose simple, a "
                    "larger regions.grow, a larger picture, or a larger mask."
                )
        return {layer: tf.constant(plane[None, ..., None], tf.float32) for layer, plane in grown.items()}

    def maps(self, values: np.ndarray, picture: tf.Tensor, layers: Sequence[str]) -> PositionWeights:
        """Return the semantic map of a picture at the positions of each layer, averaged over their cells.

        Args:
            values: ``(H, W, R)``, at the size of the picture.
            picture: ``(B, H, W, 3)``; only its shape is read.
            layers: Names of the layers.

        Returns:
            The name `nst_tf.losses.mrf.beside` gives, such as ``conv3_1/map``, to ``(1, h, w, R)`` float32.
        """
        sizes = self._sizes_at(tuple(picture.shape))
        return {beside(layer, MAP): tf.constant(resize_channels(values, *sizes[layer])[None]) for layer in layers}

    def _sizes_at(self, shape: tuple[int, ...]) -> dict[str, tuple[int, int]]:
        """Return height and width of each layer for pictures of a shape; the network is traced and not run."""
        if shape not in self._sizes:
            traced = compile_function(self._extractor).get_concrete_function(tf.TensorSpec(shape, tf.float32))
            self._sizes[shape] = {layer: tuple(x.shape[1:3]) for layer, x in traced.structured_outputs.items()}
        return self._sizes[shape]

    def _propagated(self, mask: np.ndarray, layer: str, size: tuple[int, int], propagation: Propagation) -> np.ndarray:
        if propagation is Propagation.simple:
            return resize_mask(mask, *size)
        if propagation is Propagation.means:
            model, names = self._network
            return averaged(mask, pooling_factors(model, names[layer]), size)
        inside = (mask >= THRESHOLD).astype(np.float32)
        return propagate(inside, self._field(layer), size, np.min if propagation is Propagation.inside else np.max)

    @property
    def _network(self) -> tuple[Any, Mapping[str, str]]:
        """Return the Keras model of the extractor, and the name of its operation by that of a layer."""
        return getattr(self._extractor, "model", None), getattr(self._extractor, "layers", {})

    def _field(self, layer: str) -> ReceptiveField:
        model, names = self._network
        try:
            if self._fields is None:
                self._fields = receptive_fields(model)
        except InputError as error:
            raise InputError(f"regions.propagation: {error} Choose regions.propagation=simple.") from None
        return self._fields[names[layer]]


def propagate(
    mask: np.ndarray, field: ReceptiveField, size: tuple[int, int], combine: Callable[..., Any]
) -> np.ndarray:
    """Combine a mask over the receptive field of each position of a layer.

    With `numpy.min`, a position belongs to the region if it sees the region alone; with `numpy.max`, if it sees any of
    it. Pixels beyond the border are not counted.

    Args:
        mask: ``(H, W)``.
        field: Receptive field of the layer.
        size: Height and width of the layer.
        combine: ``numpy.min`` or ``numpy.max``.

    Returns:
        ``(h, w)``.
    """
    rows = _along(mask, field.vertical, size[0], combine)
    return _along(rows.T, field.horizontal, size[1], combine).T


def pooling_factors(model: Any, layer: str) -> list[int]:
    """Return a number for each convolution and pooling from the picture to a layer: 1, or the factor of a pooling.

    Args:
        model: A functional Keras model.
        layer: Name of an operation.

    Raises:
        InputError: Several paths lead to the layer.
    """
    producers: dict[int, list[int]] = {}
    for producer, consumer in edges(model):
        producers.setdefault(consumer, []).append(producer)
    index = next(number for number, operation in enumerate(model.operations) if operation.name == layer)
    factors: list[int] = []
    while producers.get(index):
        if len(producers[index]) > 1:
            raise InputError(
                f"regions.propagation=means: {model.name} has several paths to {layer}. Choose "
                "regions.propagation=simple, or a network without branches, such as vgg19."
            )
        operation = model.operations[index]
        if hasattr(operation, "pool_size"):
            factors.insert(0, operation.strides[0])
        elif hasattr(operation, "kernel_size"):
            factors.insert(0, 1)
        index = producers[index][0]
    return factors


def averaged(mask: np.ndarray, factors: Sequence[int], size: tuple[int, int]) -> np.ndarray:
    """Average a mask over 3×3 positions for each factor of 1, and over the cells of any other.

    Args:
        mask: ``(H, W)``.
        factors: See `pooling_factors`. A side is divided by a factor and rounded up.
        size: Height and width of the layer, which may be a position less than a side that was rounded up.

    Returns:
        ``(h, w)``.
    """
    from scipy import ndimage

    plane = mask
    for factor in factors:
        if factor == 1:
            plane = ndimage.uniform_filter(plane, 3, mode="constant")
        else:
            plane = resize_mask(plane, *(-(-side // factor) for side in plane.shape))
    return plane if plane.shape == size else resize_mask(plane, *size)


def _along(mask: np.ndarray, field: AxisField, positions: int, combine: Callable[..., Any]) -> np.ndarray:
    """Combine the rows that each position of a layer sees: ``(H, W)`` to ``(positions, W)``."""
    seen = [(p * field.stride + field.first, p * field.stride + field.last + 1) for p in range(positions)]
    last = len(mask) - 1
    return np.stack([combine(mask[min(max(first, 0), last) : max(stop, 1)], axis=0) for first, stop in seen])


def _grown(plane: np.ndarray, grow: int) -> np.ndarray:
    """Dilate a mask by a box of ``2 grow + 1`` positions a side; erode it if ``grow`` is below 0."""
    if not grow:
        return plane
    from scipy import ndimage

    box = (2 * abs(grow) + 1,) * 2
    change = ndimage.grey_dilation if grow > 0 else ndimage.grey_erosion
    return np.asarray(change(plane, size=box, mode="nearest"))

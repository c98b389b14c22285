"""Reading and writing of a network's weights in HDF5, with a check that a file belongs to the network.

`weights.load` reads files; distillation writes them.

HDF5 can point out of the file: a link or the data of a dataset can belong to another file, which may be a pipe that
never answers. No weights file needs that, so that only objects and data inside the file are read. The library itself
can hang on a damaged file, so that a file without a known checksum is first read in another process.
"""

import contextlib
import io
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nst_tf.backbones import hdf5_trial
from nst_tf.backbones.architecture import Architecture
from nst_tf.backbones.download import is_verified
from nst_tf.backbones.stored import (
    FileFormat,
    MismatchError,
    RefusedFileError,
    StoredArray,
    StoredLayer,
)
from nst_tf.backbones.symbolic import split_number
from nst_tf.backbones.trial import try_file
from nst_tf.util.files import write_atomically
from nst_tf.util.lazy import h5py
from nst_tf.util.paths import shown

SIGNATURE = b"\x89HDF\r\n\x1a\n"
"""First bytes of an HDF5 file."""

MAXIMUM_DEPTH = 16
"""Largest number of nested models; a group that contains itself is nested without end."""

LARGEST_CHUNK = 1 << 24
"""Largest number of values of a chunk, which HDF5 allocates as a whole; Keras's files have far smaller ones."""


def read(path: Path, network: str, architecture: Architecture, names: tuple[str, ...]) -> dict[str, list[np.ndarray]]:
    """Read the weights of the layers named; see `FileFormat.read` for arguments, result and the matching of layers.

    The file has Keras 3's layout (``layers/*/vars/*``) or the legacy layout (attribute ``layer_names``, at the root or
    under ``model_weights``); both may contain nested models, such as ConvNeXt's stem.

    Raises:
        InputError: The file is not HDF5, has an unknown layout, points to other files, or belongs to another network.
    """
    return FORMAT.read(path, network, architecture, names)


def write(path: Path, arrays: Mapping[str, Sequence[np.ndarray]], reserved: bool = False) -> None:
    """Write weights in Keras 3's layout, compressed, without a change of type.

    The same arrays give the same bytes.

    Args:
        path: The file, which is replaced atomically.
        arrays: Weights by layer name, in the order of ``layer.weights``.
        reserved: Whether the file goes into the disk space that `nst_tf.util.files.reserve_space` keeps for it.
    """
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for layer, weights in arrays.items():
            group = file.create_group(f"layers/{layer}/vars")
            group.attrs["name"] = layer
            for n, weight in enumerate(weights):
                group.create_dataset(str(n), data=weight, compression="gzip", compression_opts=9, shuffle=True)
    write_atomically(path, buffer.getbuffer(), reserved)


@contextlib.contextmanager
def _open(path: Path, architecture: Architecture) -> Iterator[list[StoredLayer]]:
    if not is_verified(path):
        try_file(hdf5_trial.__file__, path, f"Weights file '{path}'")
    with h5py.File(path, "r") as file:
        yield _stored_layers(file, architecture)


FORMAT = FileFormat("HDF5", _open)


def _stored_layers(file: Any, architecture: Architecture) -> list[StoredLayer]:
    """Return the layers that have weights, in the file's order."""
    root = _member(file, "model_weights") if "model_weights" in file else file
    if "layer_names" in root.attrs:
        names = [_text(name) for name in root.attrs["layer_names"]]
        return [layer for name in names for layer in _legacy_layers(name, _member(root, name), architecture)]
    if "layers" in file:
        return _keras3_layers(_member(file, "layers"))
    raise MismatchError("is neither in Keras 3 nor in legacy Keras layout")


def _legacy_layers(name: str, group: Any, architecture: Architecture) -> list[StoredLayer]:
    """Return the one layer of a group, or the layers of a nested model, which the names of the weights contain."""
    paths = [_text(path) for path in group.attrs["weight_names"]]
    nested = {
        layer.rpartition("/")[2]: [_array(group, path) for path in layer_paths]
        for layer, layer_paths in itertools.groupby(paths, lambda path: path.rpartition("/")[0])
    }
    if set(nested) <= set(architecture.layers_with_weights):
        return [StoredLayer(*layer) for layer in nested.items()]
    return [StoredLayer(name, [_array(group, path) for path in paths])]


def _keras3_layers(groups: Any, depth: int = 0) -> list[StoredLayer]:
    """Return the layers of groups named ``conv2d``, ``conv2d_1``, …, those of nested models included.

    Files of newer Keras versions also have the layer's own name, as an attribute.
    """
    if depth > MAXIMUM_DEPTH:
        raise RefusedFileError(f"nests models more than {MAXIMUM_DEPTH} deep; export it again with Keras")
    layers = []
    for key in groups:
        group = _member(groups, key)
        values: Any = _member(group, "vars") if "vars" in group else {}
        stem, number = split_number(key)
        name = _text(values.attrs.get("name", key)) if values else key
        arrays = [_array(values, i) for i in sorted(values, key=int)]
        layers.append(StoredLayer(name, arrays, (stem.replace("_", ""), number)))
        if "layers" in group:
            layers += _keras3_layers(_member(group, "layers"), depth + 1)
    return layers


def _member(group: Any, path: str) -> Any:
    """Return the object at a path inside a group, which must be stored there and not merely be linked.

    Raises:
        KeyError: There is none.
        RefusedFileError: A soft or external link stands there.
    """
    for name in path.strip("/").split("/"):
        link = group.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink | h5py.SoftLink):
            kind = "another file" if isinstance(link, h5py.ExternalLink) else "another place"
            raise RefusedFileError(
                f"has a link to {kind} at '{shown(path)}', which is not followed; export the weights themselves"
            )
        group = group[name]
    return group


def _array(group: Any, path: str) -> StoredArray:
    """Return a dataset as an array to be read.

    Raises:
        RefusedFileError: Its data are not numbers, or not in this file.
    """
    dataset = _member(group, path)
    if not isinstance(dataset, h5py.Dataset) or dataset.shape is None:
        raise RefusedFileError(f"has no array at '{shown(path)}'; export it again with Keras")
    if dataset.is_virtual or dataset.external:
        raise RefusedFileError(
            f"keeps the data of '{shown(path)}' in another file, which is not read; export the weights themselves"
        )
    if dataset.dtype.kind != "f":
        raise RefusedFileError(
            f"holds {shown(str(dataset.dtype))} values at '{shown(path)}' instead of floating-point numbers; "
            "export it again with Keras"
        )
    if dataset.chunks and np.prod(dataset.chunks, dtype=float) > LARGEST_CHUNK:
        raise RefusedFileError(f"has chunks of {dataset.chunks} values at '{shown(path)}'; export it again with Keras")
    return StoredArray(tuple(map(int, dataset.shape)), lambda: dataset[()])


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)

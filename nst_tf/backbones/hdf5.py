"""A network's weights in HDF5: read, making sure that they are this network's, and written."""

import functools
import io
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from nst_tf.backbones.architecture import Architecture, Shapes
from nst_tf.backbones.blueprint import split
from nst_tf.util.errors import InputError
from nst_tf.util.files import write_atomically


class StoredLayer(NamedTuple):
    """A layer in a file.

    Attributes:
        name: Its own name.
        datasets: Its weights.
        number: Its kind and its number among it, in Keras 3's files: what their groups are called.
    """

    name: str
    datasets: list[Any]
    number: tuple[str, int] | None = None


def read(path: Path, network: str, architecture: Architecture, names: tuple[str, ...]) -> dict[str, list[np.ndarray]]:
    """Weights of the layers named, after checking that every layer of the network is in the file.

    Understands Keras 3 (``layers/*/vars/*``) and legacy files (attribute ``layer_names``, at the root or
    under ``model_weights``), with networks inside the network (ConvNeXt's stem) as well. Layers are matched by name;
    where the file has names of its own, as Keras itself does: by kind and number, in legacy files in order.
    Dense layers of a classifier are passed over. An unchanged file is not read twice in a row.

    Args:
        path: The file.
        network: The network's name, for errors.
        architecture: What the file must hold.
        names: Layers to read, Keras names.

    Returns:
        Arrays by layer name, in the order of ``layer.weights``; read-only.

    Raises:
        InputError: The file is not HDF5, of an unknown layout, or of another network.
    """
    status = path.stat()
    return dict(_read(path, network, architecture, names, (status.st_mtime_ns, status.st_size)))


def write(path: Path, arrays: Mapping[str, Sequence[np.ndarray]]) -> None:
    """Write weights in Keras 3's layout, compressed, in the types they have; the same arrays give the same bytes.

    Args:
        path: The file; written whole or not at all.
        arrays: By layer name, in the order of ``layer.weights``.
    """
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for layer, weights in arrays.items():
            group = file.create_group(f"layers/{layer}/vars")
            group.attrs["name"] = layer
            for n, weight in enumerate(weights):
                group.create_dataset(str(n), data=weight, compression="gzip", compression_opts=9, shuffle=True)
    write_atomically(path, buffer.getbuffer())


@functools.lru_cache(maxsize=2)
def _read(
    path: Path, network: str, architecture: Architecture, names: tuple[str, ...], stamp: tuple[int, int]
) -> dict[str, list[np.ndarray]]:
    try:
        with h5py.File(path, "r") as file:
            found = _match(_entries(file, architecture), architecture)
            return {name: [_array(dataset) for dataset in found[name]] for name in names}
    except _MismatchError as error:
        raise InputError(f"Weights file '{path}' {error}; give a file of {network} without top") from None
    except (OSError, KeyError, ValueError, RuntimeError, AttributeError) as error:  # what h5py raises on damaged files
        reason = " ".join(str(error).split())
        raise InputError(
            f"Weights file '{path}' cannot be read as HDF5 ({reason}); download or export it again"
        ) from error


class _MismatchError(Exception):
    """What is wrong with a sound HDF5 file, as the end of a sentence."""


def _array(dataset: Any) -> np.ndarray:
    array = dataset[()]
    array.setflags(write=False)  # shared by later readers
    return array


def _entries(file: Any, architecture: Architecture) -> list[StoredLayer]:
    """Layers with weights in the file's order."""
    root = file.get("model_weights", file)
    if "layer_names" in root.attrs:
        names = [_text(name) for name in root.attrs["layer_names"]]
        entries = [entry for name in names for entry in _legacy_entries(name, root[name], architecture)]
    elif "layers" in file:
        entries = _keras3_entries(file["layers"])
    else:
        raise _MismatchError("is neither in Keras 3 nor in legacy Keras layout")
    return [entry for entry in entries if entry.datasets]


def _legacy_entries(name: str, group: Any, architecture: Architecture) -> list[StoredLayer]:
    """One layer, or those of a network inside the network, which the names of its weights tell apart."""
    paths = [_text(path) for path in group.attrs["weight_names"]]
    inner = {
        layer.rpartition("/")[2]: [group[path] for path in of]
        for layer, of in itertools.groupby(paths, lambda path: path.rpartition("/")[0])
    }
    if set(inner) <= set(architecture.weighted):
        return [StoredLayer(*layer) for layer in inner.items()]
    return [StoredLayer(name, [group[path] for path in paths])]


def _keras3_entries(layers: Any) -> list[StoredLayer]:
    """Groups are called ``conv2d``, ``conv2d_1``, …; the layer's own name is an attribute in newer files."""
    entries = []
    for key, group in layers.items():
        values = group.get("vars", {})
        stem, number = split(key)
        name = _text(values.attrs.get("name", key)) if values else key
        entries.append(StoredLayer(name, [values[i] for i in sorted(values, key=int)], (stem.replace("_", ""), number)))
        entries += _keras3_entries(group.get("layers", {}))
    return entries


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def _match(entries: list[StoredLayer], architecture: Architecture) -> dict[str, list[Any]]:
    layers = [entry for entry in entries if not _is_classifier(entry, architecture)]
    if len(layers) != len(architecture.weights):
        raise _MismatchError(f"holds {len(layers)} layers with weights instead of {len(architecture.weights)}")
    found = {name: entry.datasets for name, entry in zip(_names(layers, architecture), layers, strict=True)}
    for name, shapes in architecture.weights:
        _check_shapes(name, found[name], shapes)
    return found


def _is_classifier(entry: StoredLayer, architecture: Architecture) -> bool:
    known = entry.name in architecture.weighted or entry.number in architecture.counted
    return entry.datasets[0].ndim == 2 and not known


def _names(entries: list[StoredLayer], architecture: Architecture) -> Sequence[str]:
    """The network's name of each layer of a file."""
    own = [entry.name for entry in entries]
    if set(own) == set(architecture.weighted):
        return own
    numbers = [entry.number for entry in entries]
    if None in numbers:
        return architecture.weighted
    strange = [entry.name for entry in entries if entry.number not in architecture.counted]
    if strange:
        raise _MismatchError(f"holds layers of other kinds, {strange[0]} among them")
    return [architecture.counted[number] for number in numbers if number]


def _check_shapes(name: str, datasets: list[Any], expected: Shapes) -> None:
    received = tuple(tuple(dataset.shape) for dataset in datasets)
    if received != expected:
        raise _MismatchError(f"holds {_listed(received)} for layer {name} instead of {_listed(expected)}")


def _listed(shapes: Shapes) -> str:
    return " and ".join("×".join(map(str, shape)) or "a number" for shape in shapes) or "nothing"

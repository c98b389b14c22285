"""Reading and writing of a network's weights in HDF5, with a check that a file belongs to the network.

`weights.load` reads files; distillation writes them.
"""

import functools
import io
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from nst_tf.backbones.architecture import Architecture, Shapes
from nst_tf.backbones.symbolic import split_number
from nst_tf.util.errors import InputError
from nst_tf.util.files import write_atomically


class StoredLayer(NamedTuple):
    """A layer in a file.

    Attributes:
        name: Name of the layer when it was saved.
        datasets: HDF5 datasets of its weights.
        class_and_number: `class_key` and position among the layers of that class; only Keras 3's files have it, as
            the name of the layer's group.
    """

    name: str
    datasets: list[Any]
    class_and_number: tuple[str, int] | None = None


def read(path: Path, network: str, architecture: Architecture, names: tuple[str, ...]) -> dict[str, list[np.ndarray]]:
    """Read the weights of the layers named, after a check that the file holds every layer of the network.

    The file has Keras 3's layout (``layers/*/vars/*``) or the legacy layout (attribute ``layer_names``, at the root or
    under ``model_weights``); both may contain nested models, such as ConvNeXt's stem. Layers are matched by name. If
    the file has other names, layers are matched as Keras does it: by class and number in Keras 3's files, by order in
    legacy files. Dense layers of a classifier are ignored. The last two results are cached while the file is
    unchanged.

    Args:
        path: The file.
        network: Name of the network, for errors.
        architecture: Layers and shapes that the file must hold.
        names: Keras names of the layers to read.

    Returns:
        Read-only arrays by layer name, in the order of ``layer.weights``.

    Raises:
        InputError: The file is not HDF5, has an unknown layout, or belongs to another network.
    """
    status = path.stat()
    return dict(_read(path, network, architecture, names, (status.st_mtime_ns, status.st_size)))


def write(path: Path, arrays: Mapping[str, Sequence[np.ndarray]]) -> None:
    """Write weights in Keras 3's layout, compressed, without a change of type.

    The same arrays give the same bytes.

    Args:
        path: The file, which is replaced atomically.
        arrays: Weights by layer name, in the order of ``layer.weights``.
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
    path: Path, network: str, architecture: Architecture, names: tuple[str, ...], version: tuple[int, int]
) -> dict[str, list[np.ndarray]]:
    try:
        with h5py.File(path, "r") as file:
            found = _match(_stored_layers(file, architecture), architecture)
            return {name: [_array(dataset) for dataset in found[name]] for name in names}
    except _MismatchError as error:
        raise InputError(f"Weights file '{path}' {error}; give a file of {network} without top") from None
    except (OSError, KeyError, ValueError, RuntimeError, AttributeError) as error:  # h5py's errors for damaged files
        reason = " ".join(str(error).split())
        raise InputError(
            f"Weights file '{path}' cannot be read as HDF5 ({reason}); download or export it again"
        ) from error


class _MismatchError(Exception):
    """A sound HDF5 file does not fit the network; the message is the predicate of a sentence about the file."""


def _array(dataset: Any) -> np.ndarray:
    array = dataset[()]
    array.setflags(write=False)  # the cache of `_read` shares it between callers
    return array


def _stored_layers(file: Any, architecture: Architecture) -> list[StoredLayer]:
    """Return the layers that have weights, in the file's order."""
    root = file.get("model_weights", file)
    if "layer_names" in root.attrs:
        names = [_text(name) for name in root.attrs["layer_names"]]
        layers = [layer for name in names for layer in _legacy_layers(name, root[name], architecture)]
    elif "layers" in file:
        layers = _keras3_layers(file["layers"])
    else:
        raise _MismatchError("is neither in Keras 3 nor in legacy Keras layout")
    return [layer for layer in layers if layer.datasets]


def _legacy_layers(name: str, group: Any, architecture: Architecture) -> list[StoredLayer]:
    """Return the one layer of a group, or the layers of a nested model, which the names of the weights contain."""
    paths = [_text(path) for path in group.attrs["weight_names"]]
    nested = {
        layer.rpartition("/")[2]: [group[path] for path in layer_paths]
        for layer, layer_paths in itertools.groupby(paths, lambda path: path.rpartition("/")[0])
    }
    if set(nested) <= set(architecture.layers_with_weights):
        return [StoredLayer(*layer) for layer in nested.items()]
    return [StoredLayer(name, [group[path] for path in paths])]


def _keras3_layers(groups: Any) -> list[StoredLayer]:
    """Return the layers of groups named ``conv2d``, ``conv2d_1``, …, those of nested models included.

    Files of newer Keras versions also have the layer's own name, as an attribute.
    """
    layers = []
    for key, group in groups.items():
        values = group.get("vars", {})
        stem, number = split_number(key)
        name = _text(values.attrs.get("name", key)) if values else key
        datasets = [values[i] for i in sorted(values, key=int)]
        layers.append(StoredLayer(name, datasets, (stem.replace("_", ""), number)))
        layers += _keras3_layers(group.get("layers", {}))
    return layers


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def _match(stored: list[StoredLayer], architecture: Architecture) -> dict[str, list[Any]]:
    """Return the datasets of every layer of the network, after a check of number and shapes."""
    layers = [layer for layer in stored if not _is_classifier(layer, architecture)]
    if len(layers) != len(architecture.weights):
        raise _MismatchError(f"holds {len(layers)} layers with weights instead of {len(architecture.weights)}")
    names = _network_names(layers, architecture)
    datasets = {name: layer.datasets for name, layer in zip(names, layers, strict=True)}
    for name, shapes in architecture.weights:
        _check_shapes(name, datasets[name], shapes)
    return datasets


def _is_classifier(layer: StoredLayer, architecture: Architecture) -> bool:
    known = layer.name in architecture.layers_with_weights or layer.class_and_number in architecture.by_class_and_number
    return layer.datasets[0].ndim == 2 and not known


def _network_names(layers: list[StoredLayer], architecture: Architecture) -> Sequence[str]:
    """Return the network's name of each stored layer."""
    stored_names = [layer.name for layer in layers]
    if set(stored_names) == set(architecture.layers_with_weights):
        return stored_names
    keys = [layer.class_and_number for layer in layers]
    if None in keys:
        return architecture.layers_with_weights
    unknown = [layer.name for layer in layers if layer.class_and_number not in architecture.by_class_and_number]
    if unknown:
        raise _MismatchError(f"holds layers of other kinds, such as {unknown[0]}")
    return [architecture.by_class_and_number[key] for key in keys if key]


def _check_shapes(name: str, datasets: list[Any], expected: Shapes) -> None:
    received = tuple(tuple(dataset.shape) for dataset in datasets)
    if received != expected:
        raise _MismatchError(f"holds {_listed(received)} for layer {name} instead of {_listed(expected)}")


def _listed(shapes: Shapes) -> str:
    return " and ".join("×".join(map(str, shape)) or "a number" for shape in shapes) or "nothing"

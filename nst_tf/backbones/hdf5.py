"""A network's weights in HDF5: read, making sure that they are this network's, and written."""

import functools
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from nst_tf.backbones.architecture import Architecture, Shapes
from nst_tf.errors import InputError
from nst_tf.files import write_whole

Entry = tuple[str, list[Any]]  # a layer's name in the file, and its datasets


def read(path: Path, network: str, architecture: Architecture, names: tuple[str, ...]) -> dict[str, list[np.ndarray]]:
    """Weights of the layers named, after checking that every layer of the network is in the file.

    Understands Keras 3 (``layers/*/vars/*``) and legacy files (attribute ``layer_names``, at the root or
    under ``model_weights``). Layers are matched by name, or in order where the file has names of its own.
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
    write_whole(path, buffer.getbuffer())


@functools.lru_cache(maxsize=2)
def _read(
    path: Path, network: str, architecture: Architecture, names: tuple[str, ...], stamp: tuple[int, int]
) -> dict[str, list[np.ndarray]]:
    try:
        with h5py.File(path, "r") as file:
            found = _match(_entries(file), architecture)
            return {name: [_array(dataset) for dataset in found[name]] for name in names}
    except _MismatchError as error:
        raise InputError(f"Weights file '{path}' {error}; give a file of {network} without top") from None
    except (OSError, KeyError, ValueError, RuntimeError) as error:  # what h5py raises on damaged files
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


def _entries(file: Any) -> list[Entry]:
    """Layers with weights in the file's order, without a classifier's dense layers."""
    root = file.get("model_weights", file)
    if "layer_names" in root.attrs:
        entries = _legacy_entries(root)
    elif "layers" in file:
        entries = _keras3_entries(file["layers"])
    else:
        raise _MismatchError("is neither in Keras 3 nor in legacy Keras layout")
    return [(name, datasets) for name, datasets in entries if datasets and datasets[0].ndim != 2]


def _legacy_entries(root: Any) -> list[Entry]:
    names = [_text(name) for name in root.attrs["layer_names"]]
    return [(name, [root[name][_text(weight)] for weight in root[name].attrs["weight_names"]]) for name in names]


def _keras3_entries(layers: Any) -> list[Entry]:
    """Groups are called ``conv2d``, ``conv2d_1``, …; the layer's own name is an attribute in newer files."""
    groups = [(key, layers[key]["vars"]) for key in sorted(layers, key=_natural) if "vars" in layers[key]]
    return [
        (_text(values.attrs.get("name", key)), [values[i] for i in sorted(values, key=_natural)])
        for key, values in groups
    ]


def _natural(name: str) -> tuple[str, int]:
    number = re.search(r"\d+$", name) if "_" in name or name.isdigit() else None
    return (name[: number.start()].rstrip("_"), int(number.group())) if number else (name, 0)


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def _match(entries: list[Entry], architecture: Architecture) -> dict[str, list[Any]]:
    if len(entries) != len(architecture.weights):
        raise _MismatchError(f"holds {len(entries)} layers with weights instead of {len(architecture.weights)}")
    named = dict(entries)
    if set(named) != set(architecture.weighted):
        named = dict(zip(architecture.weighted, (datasets for _, datasets in entries), strict=True))
    for name, shapes in architecture.weights:
        _check_shapes(name, named[name], shapes)
    return named


def _check_shapes(name: str, datasets: list[Any], expected: Shapes) -> None:
    received = tuple(tuple(dataset.shape) for dataset in datasets)
    if received != expected:
        raise _MismatchError(f"holds {_listed(received)} for layer {name} instead of {_listed(expected)}")


def _listed(shapes: Shapes) -> str:
    return " and ".join("×".join(map(str, shape)) or "a number" for shape in shapes) or "nothing"

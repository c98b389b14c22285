"""Reading of safetensors files: a header in JSON, then the numbers of each tensor.

`state_dict` gives the tensors to `weights`.

Reference:
    https://huggingface.co/docs/safetensors, section "Format".
"""

from __future__ import annotations

import contextlib
import functools
import json
import math
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from nst_tf.backbones.pytorch import numbers, read_bytes

LARGEST_HEADER = 4 << 20
"""Largest number of bytes of a header; that of VGG-19 has 4 000."""

TYPES: dict[str, str] = {
    **{"F32": "<f4", "F64": "<f8", "F16": "<f2", "BF16": "bfloat16", "BOOL": "?"},
    **{"U8": "u1", "I8": "i1", "I16": "<i2", "I32": "<i4", "I64": "<i8"},
}
"""Type of numbers, as `numbers` takes it, by the format's name."""


class HeaderTensor(NamedTuple):
    """A tensor that the header describes."""

    shape: tuple[int, ...]
    read: Callable[[], np.ndarray]


@contextlib.contextmanager
def open_tensors(path: Path) -> Iterator[Mapping[str, HeaderTensor]]:
    """Open a file and give its tensors by name; their numbers can be read until the file is closed.

    Raises:
        Exception: The file is damaged.
    """
    with path.open("rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        if size > LARGEST_HEADER:
            raise ValueError(f"a header of {size} bytes is too large")
        header = json.loads(file.read(size))
        header.pop("__metadata__", None)
        yield {name: _tensor(file, 8 + size, **entry) for name, entry in header.items()}


def _tensor(file: BinaryIO, start: int, dtype: str, shape: Any, data_offsets: Any) -> HeaderTensor:
    first, last = data_offsets
    sizes = (first, last, *shape)
    if dtype not in TYPES or not all(type(n) is int and n >= 0 for n in sizes):
        raise ValueError("a tensor is described wrongly")
    if last < first:
        raise ValueError("a tensor ends before it begins")
    return HeaderTensor(tuple(shape), functools.partial(_read, file, start + first, last - first, TYPES[dtype], shape))


def _read(file: BinaryIO, position: int, size: int, kind: str, shape: list[int]) -> np.ndarray:
    values = numbers(read_bytes(file, position, size), kind)
    if values.size != math.prod(shape):
        raise EOFError(f"a tensor has {values.size} values instead of {math.prod(shape)}")
    return values.reshape(shape)


def is_safetensors(start: bytes) -> bool:
    """Return whether a file with these first bytes is of this format: a length, then JSON."""
    return len(start) > 8 and start[8:9] == b"{" and struct.unpack("<Q", start[:8])[0] < 1 << 40

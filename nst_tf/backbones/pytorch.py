"""Reading of PyTorch's files of tensors (``.pth``, ``.pt``) without PyTorch and without running anything.

Such a file contains a pickle, and an ordinary pickle is a program. This module accepts only the instructions and the
names that a dictionary of tensors needs, as ``torch.load(weights_only=True)`` does, and replaces each name by a
function of its own. Both layouts are read: a zip archive (PyTorch 1.6 and later) and the earlier sequence of pickles.

`state_dict` gives the tensors to `weights`.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import io
import math
import os
import pickle
import pickletools
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from nst_tf.backbones.stored import RefusedFileError
from nst_tf.util.paths import shown

ZIP_SIGNATURE = b"PK\x03\x04"
"""First bytes of a zip archive."""

LEGACY_SIGNATURE = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e"
"""First bytes of the earlier layout: the pickle of its magic number, 0x1950a86a20f9469cfc6c."""

LEGACY_VERSION = 1001
"""Only version of the earlier layout."""

LARGEST_PICKLE = 4 << 20
"""Largest number of bytes of a pickle; that of VGG-19's names and shapes has 5 000."""

INSTRUCTIONS = frozenset(
    {
        *("PROTO", "FRAME", "STOP", "MARK", "NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1"),
        *("BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE", "TUPLE", "TUPLE1"),
        *("TUPLE2", "TUPLE3", "APPEND", "APPENDS", "SETITEM", "SETITEMS", "BINGET", "LONG_BINGET", "BINPUT"),
        *("LONG_BINPUT", "MEMOIZE", "GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD", "BINPERSID"),
        *("BINSTRING", "SHORT_BINSTRING"),  # Python 2, with which files of 2017 were written
    }
)
"""Instructions of a pickle that a dictionary of tensors needs."""

MAXIMUM_RANK = 8
"""Largest number of axes of a tensor."""

STORAGE_TYPES: dict[str, str] = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "BFloat16Storage": "bfloat16",
    "ByteStorage": "u1",
    "CharStorage": "i1",
    "ShortStorage": "<i2",
    "IntStorage": "<i4",
    "LongStorage": "<i8",
    "BoolStorage": "?",
}
"""NumPy's type by PyTorch's class of storage; NumPy has no bfloat16, see `numbers`."""


class Storage(NamedTuple):
    """A block of numbers in the file.

    Attributes:
        kind: A value of `STORAGE_TYPES`.
        key: Name of the block.
        size: Number of values.
        read: Function that returns all bytes of the block.
    """

    kind: str
    key: str
    size: int
    read: Callable[[], bytes]


class Tensor(NamedTuple):
    """A tensor of the file, whose numbers are read when they are needed; ``strides`` are in values, not bytes."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def read(self) -> np.ndarray:
        """Return the numbers, as a new array; bfloat16 becomes float32."""
        values = numbers(self.storage.read(), self.storage.kind)
        if values.size != self.storage.size:
            raise EOFError(f"the data of a tensor end after {values.size} of {self.storage.size} values")
        view = np.lib.stride_tricks.as_strided(
            values[self.offset :], self.shape, [step * values.itemsize for step in self.strides], writeable=False
        )
        return np.array(view)


def numbers(data: bytes, kind: str) -> np.ndarray:
    """Return bytes as numbers of a type of `STORAGE_TYPES`; bfloat16 is the upper half of a float32."""
    if kind == "bfloat16":
        return (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4")
    return np.frombuffer(data, kind)


def read_bytes(file: BinaryIO, position: int, size: int) -> bytes:
    """Return bytes of a file, after a check that it has them: reading allocates as many as are requested.

    Raises:
        EOFError: The file ends earlier.
    """
    missing = position + size - os.fstat(file.fileno()).st_size
    if missing > 0:
        raise EOFError(f"the file ends {missing} bytes early")
    file.seek(position)
    return file.read(size)


@contextlib.contextmanager
def open_tensors(path: Path) -> Iterator[Mapping[str, Tensor]]:
    """Open a file and give its tensors by name; their numbers can be read until the file is closed.

    Args:
        path: The file, in one of the two layouts.

    Raises:
        RefusedFileError: The file holds more than a dictionary of tensors.
        Exception: The file is damaged.
    """
    with path.open("rb") as file:
        start = file.read(len(LEGACY_SIGNATURE))
        file.seek(0)
        if start.startswith(ZIP_SIGNATURE):
            with zipfile.ZipFile(file) as archive:
                yield _tensors(_read_archive(archive))
        else:
            yield _tensors(_read_legacy(file))


def _tensors(content: Any) -> Mapping[str, Tensor]:
    """Return the tensors of a dictionary; entries of other kinds, such as a number of epochs, are left out."""
    if not isinstance(content, dict):
        raise RefusedFileError(f"holds a {type(content).__name__} instead of a dictionary of tensors; {REMEDY}")
    nested = [name for name in ("state_dict", "model_state_dict", "model") if isinstance(content.get(name), dict)]
    content = content[nested[0]] if nested else content
    return {name: value for name, value in content.items() if isinstance(name, str) and isinstance(value, Tensor)}


REMEDY = "save it with torch.save(model.state_dict(), PATH)"
"""Advice in the error about a file that holds something else than a dictionary of tensors."""


def _read_archive(archive: zipfile.ZipFile) -> Any:
    """Read the zip layout: ``NAME/data.pkl`` and one member ``NAME/data/KEY`` for each block of numbers."""
    members = {name.partition("/")[2]: archive.getinfo(name) for name in archive.namelist()}
    if "constants.pkl" in members:
        raise RefusedFileError(f"is a TorchScript program, which is not run; load it with torch.jit.load and {REMEDY}")
    if "data.pkl" not in members:
        raise RefusedFileError("is a zip archive that PyTorch did not write; download or export it again")

    def read(name: str, largest: int) -> bytes:
        info = members[name]
        if info.compress_type != zipfile.ZIP_STORED or info.file_size > largest:
            raise RefusedFileError(f"holds '{shown(name)}' compressed or too large, unlike PyTorch's; {REMEDY}")
        return archive.read(info)

    if "byteorder" in members and read("byteorder", 16) != b"little":
        raise RefusedFileError(f"has the byte order of another machine; load it there and {REMEDY}")

    def storage(kind: str, key: str, size: int) -> Storage:
        return Storage(kind, key, size, lambda: read(f"data/{key}", size * _item_size(kind)))

    return _load_pickle(read("data.pkl", LARGEST_PICKLE), storage)


def _read_legacy(file: BinaryIO) -> Any:
    """Read the earlier layout: pickles of magic number, version, machine, content and keys, then the numbers."""
    blocks: dict[str, Storage] = {}
    positions: dict[str, int] = {}

    def read_block(key: str) -> bytes:
        return read_bytes(file, positions[key], blocks[key].size * _item_size(blocks[key].kind))

    def storage(kind: str, key: str, size: int) -> Storage:
        return blocks.setdefault(key, Storage(kind, key, size, functools.partial(read_block, key)))

    def no_storage(kind: str, key: str, size: int) -> Storage:
        raise ValueError("a tensor stands before the content")

    _, version, machine = (_load_pickle(_next_pickle(file), no_storage) for _ in range(3))
    if version != LEGACY_VERSION or not isinstance(machine, dict):
        raise ValueError(f"version {shown(str(version))} is unknown")
    if not machine.get("little_endian"):
        raise RefusedFileError(f"has the byte order of another machine; load it there and {REMEDY}")
    content = _load_pickle(_next_pickle(file), storage)
    keys = _load_pickle(_next_pickle(file), no_storage)
    if not isinstance(keys, list) or set(keys) != set(blocks):
        raise ValueError("the list of blocks does not fit the tensors")
    for key in keys:
        (size,) = struct.unpack("<q", file.read(8))
        if size != blocks[key].size:
            raise ValueError(f"a block has {size} values instead of {blocks[key].size}")
        positions[key] = file.tell()
        file.seek(size * _item_size(blocks[key].kind), io.SEEK_CUR)
    return content


def _item_size(kind: str) -> int:
    return 2 if kind == "bfloat16" else np.dtype(kind).itemsize


def _next_pickle(file: BinaryIO) -> bytes:
    """Return the bytes of the pickle at the file's position, and move behind it."""
    start = file.tell()
    data = io.BytesIO(file.read(LARGEST_PICKLE))
    for _ in pickletools.genops(data):
        pass
    file.seek(start + data.tell())
    return data.getvalue()[: data.tell()]


def _load_pickle(data: bytes, storage: Callable[[str, str, int], Storage]) -> Any:
    """Return what a pickle describes, built from plain values, tensors and storages alone.

    Args:
        data: The pickle.
        storage: Function that returns the storage of a type, a key and a number of values.

    Raises:
        RefusedFileError: The pickle has an instruction or a name that a dictionary of tensors does not need.
    """
    for instruction, argument, _ in pickletools.genops(data):
        if instruction.name not in INSTRUCTIONS:
            raise RefusedFileError(f"holds a Python object (pickle instruction {instruction.name}); {REMEDY}")
        if "PUT" in instruction.name and int(argument or 0) > len(data):  # its size would be allocated
            raise ValueError("the pickle has more references than bytes")
    return _Unpickler(io.BytesIO(data), storage).load()


class _StorageType(NamedTuple):
    kind: str


class _State(collections.OrderedDict):
    """An ordered dictionary that ignores the attributes that a pickle sets, such as ``_metadata``."""

    def __setstate__(self, state: object) -> None:
        return None


def _rebuild_tensor(storage: Storage, offset: int, shape: Any, strides: Any, *_: Any) -> Tensor:
    """Check and return a tensor; further arguments concern gradients."""
    described = isinstance(storage, Storage) and _are_sizes((offset,), shape, strides)
    if not described or not len(shape) == len(strides) <= MAXIMUM_RANK:
        raise ValueError("a tensor is described wrongly")
    last = offset + sum((side - 1) * step for side, step in zip(shape, strides, strict=True))
    if (math.prod(shape) and last >= storage.size) or math.prod(shape) > storage.size:
        raise ValueError(f"a tensor of {'×'.join(map(str, shape))} exceeds its {storage.size} values")
    return Tensor(storage, offset, tuple(shape), tuple(strides))


def _are_sizes(*groups: Any) -> bool:
    return all(isinstance(group, tuple) and all(type(n) is int and n >= 0 for n in group) for group in groups)


def _rebuild_parameter(tensor: Tensor, *_: Any) -> Tensor:
    return tensor


class _Replacement(NamedTuple):
    """A function that a pickle may call but, unlike a plain function, cannot give attributes to."""

    function: Callable[..., Tensor]

    def __call__(self, *arguments: Any) -> Tensor:
        return self.function(*arguments)


NAMES: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): _State,
    ("torch._utils", "_rebuild_tensor"): _Replacement(_rebuild_tensor),
    ("torch._utils", "_rebuild_tensor_v2"): _Replacement(_rebuild_tensor),
    ("torch._utils", "_rebuild_parameter"): _Replacement(_rebuild_parameter),
    **{("torch", name): _StorageType(kind) for name, kind in STORAGE_TYPES.items()},
}
"""Replacements of the names that a pickle may use, by module and name."""


class _Unpickler(pickle.Unpickler):
    """A reader that knows only `NAMES` and storages."""

    def __init__(self, stream: BinaryIO, storage: Callable[[str, str, int], Storage]) -> None:
        super().__init__(stream, encoding="utf-8")
        self._storage = storage

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in NAMES:
            raise RefusedFileError(f"holds a Python object ({shown(f'{module}.{name}')}), which is not run; {REMEDY}")
        return NAMES[module, name]

    def persistent_load(self, identifier: Any) -> Storage:
        if not isinstance(identifier, tuple) or len(identifier) not in (5, 6) or identifier[0] != "storage":
            raise ValueError("a block of numbers is described wrongly")
        _, kind, key, _, size, *view = identifier
        if not isinstance(kind, _StorageType) or not isinstance(key, str) or not _are_sizes((size,)):
            raise ValueError("a block of numbers is described wrongly")
        if view not in ([], [None]):
            raise RefusedFileError(f"has views of tensors, which PyTorch before 0.4 wrote; load it and {REMEDY}")
        return self._storage(kind.kind, key, size)

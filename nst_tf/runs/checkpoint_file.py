"""The file of a checkpoint: NumPy's npz without compression, read as data alone."""

import math
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from nst_tf.system.memory import MB, available_mb
from nst_tf.util.files import atomic_file, open_regular_file

MOST_ARRAYS = 10_000
"""Largest number of arrays in a checkpoint. Adam's has a dozen; a training of the embedded network has hundreds."""

PLAIN_KINDS = "biufU"
"""NumPy's kinds of the arrays in a checkpoint: booleans, integers, floats and texts."""

SUFFIX = ".npy"
"""Suffix of the arrays' names inside the file."""


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write named arrays, uncompressed, as one file that replaces the earlier one.

    The file is written array by array, so that the memory does not hold a second copy of them.
    """
    with atomic_file(path) as file:
        np.savez(file, allow_pickle=False, **arrays)


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read named arrays that may come from elsewhere.

    Nothing is decompressed or unpickled. The sizes that the file declares are compared with the file's own size and
    with the free memory before an array is read.

    Raises:
        ValueError: The file is damaged, or is no file that `write_arrays` has written; the message gives the reason.
        InputError: The path is no regular file.
        OSError: The file is missing or cannot be read.
    """
    with open_regular_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        _check_memory(size)
        try:
            with zipfile.ZipFile(file) as archive:
                return _read_members(archive, size)
        except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OverflowError, KeyError) as error:
            raise ValueError("it is cut off or damaged") from error


def _check_memory(size: int) -> None:
    free = available_mb("/CPU:0") * MB
    if size > free:
        raise ValueError(f"it has {size / MB:.0f} MiB, and {free / MB:.0f} MiB of memory are free")


def _read_members(archive: zipfile.ZipFile, size: int) -> dict[str, np.ndarray]:
    members = archive.infolist()
    names = [member.filename for member in members]
    if len(names) > MOST_ARRAYS or len(set(names)) < len(names) or not all(name.endswith(SUFFIX) for name in names):
        raise ValueError("it does not hold the arrays of a checkpoint")
    if any(member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1 for member in members):
        raise ValueError("it is compressed or encrypted, as no checkpoint is")
    if sum(member.file_size for member in members) > size:
        raise ValueError("its arrays are larger than the file")
    return {member.filename.removesuffix(SUFFIX): _read_member(archive, member) for member in members}


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    name = member.filename.removesuffix(SUFFIX)
    with archive.open(member) as stream:
        try:
            shape, dtype = _read_header(stream)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
            raise ValueError(f"its array '{name[:60]}' has no valid header") from error
        length = member.file_size - stream.tell()
    if dtype.hasobject or dtype.kind not in PLAIN_KINDS:
        raise ValueError(f"its array '{name[:60]}' does not hold plain numbers or texts")
    if any(side < 0 for side in shape) or math.prod(shape) * dtype.itemsize != length:
        raise ValueError(f"its array '{name[:60]}' has not the size of its shape")
    with archive.open(member) as stream:  # reading to the end checks the CRC
        return np.lib.format.read_array(stream, allow_pickle=False)


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if read is None:
        raise ValueError(f"version {version}")
    shape, _, dtype = read(stream)
    return shape, dtype

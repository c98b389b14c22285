"""The formats of weights files, recognised by a file's first bytes, and the names of kinds that are no weights."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np

from nst_tf.backbones import hdf5, pytorch, safetensors, state_dict
from nst_tf.backbones.stored import FileFormat
from nst_tf.util.errors import InputError

SUFFIXES = ".h5, .pth or .safetensors"
"""Usual suffixes of the formats, for errors; the suffix of a file does not matter."""

HEAD = 512
"""Number of first bytes by which a file is recognised."""

KERAS_MODEL_MEMBER = b"metadata.json"
"""Name of the first member of the zip archive that Keras 3 saves a whole model in."""

OTHER_KINDS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"<", "is a web page or XML; download the file itself"),
    (0, b"version https://git-lfs", "is a pointer of Git LFS; fetch the file itself with git lfs pull"),
    (30, KERAS_MODEL_MEMBER, "is a whole Keras model; unzip it and give its model.weights.h5"),
    (257, b"ustar", "is a tar archive; unpack it, or load a PyTorch file of 2016 and save its state_dict again"),
    (0, b"\x1f\x8b", "is compressed by gzip; unpack it and give the weights file inside"),
    (4, b"TFL3", "is a TFLite model; a backbone needs a weights file"),
    (0, b"\x89PNG", "is a picture; a backbone needs a weights file"),
    (0, b"\xff\xd8\xff", "is a picture; a backbone needs a weights file"),
    (0, b"\x80", f"is a pickle that torch.save did not write, and it is not run; {pytorch.REMEDY}"),
)
"""Position and value of bytes that reveal other kinds of files, and the predicate of a sentence about them."""


def format_of(path: Path) -> FileFormat:
    """Return the format of a weights file.

    Raises:
        InputError: The file is empty, cannot be read, or is of another kind; the message says of which.
    """
    head = _head(path)
    if head.startswith(hdf5.SIGNATURE):
        return hdf5.FORMAT
    if _is_pytorch(head):
        return state_dict.PYTORCH
    if safetensors.is_safetensors(head):
        return state_dict.SAFETENSORS
    raise InputError(f"Weights file '{path}' {_predicate(head)}")


def first_kernel(path: Path) -> np.ndarray | None:
    """Return the first kernel ``(3, 3, 3, C)`` of a PyTorch or safetensors file.

    Returns:
        None if the file is of another format, damaged, or of another network, as loading it reports.
    """
    try:
        head = _head(path)
        if _is_pytorch(head):
            return state_dict.first_kernel(path, pytorch.open_tensors)
        if safetensors.is_safetensors(head):
            return state_dict.first_kernel(path, safetensors.open_tensors)
    except Exception:  # libraries raise errors of many types on damaged files
        return None
    return None


def open_tensors(path: Path) -> AbstractContextManager[state_dict.Tensors]:
    """Open a PyTorch or safetensors file and give its tensors by name; see `pytorch.open_tensors`.

    Raises:
        InputError: The file is empty, cannot be opened, or is of another kind.
    """
    head = _head(path)
    if _is_pytorch(head):
        return pytorch.open_tensors(path)
    if safetensors.is_safetensors(head):
        return safetensors.open_tensors(path)
    raise InputError(f"Weights file '{path}' {_predicate(head)}")


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(HEAD)
    except OSError as error:
        raise InputError(f"Weights file '{path}' cannot be opened ({error.strerror})") from None


def _is_pytorch(head: bytes) -> bool:
    archive = head.startswith(pytorch.ZIP_SIGNATURE) and not head[30:].startswith(KERAS_MODEL_MEMBER)
    return archive or head.startswith(pytorch.LEGACY_SIGNATURE)


def _predicate(head: bytes) -> str:
    if not head:
        return "is empty; download or export it again"
    known = (text for position, value, text in OTHER_KINDS if head[position:].startswith(value))
    return next(known, f"is of no known format; give a {SUFFIXES} file, or download it again")

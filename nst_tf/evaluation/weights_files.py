"""Weights files of measures, which the user brings: their checksums, and their arrays checked by name and shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from nst_tf.backbones.download import digest
from nst_tf.backbones.formats import open_tensors
from nst_tf.backbones.state_dict import KERNEL_AXES, Tensors
from nst_tf.backbones.stored import RefusedFileError
from nst_tf.util.errors import InputError, message_of
from nst_tf.util.paths import shown, user_path

Content = TypeVar("Content")
Shapes = Mapping[str, tuple[int, ...]]

DIGITS = 8
"""Number of digits of a SHA-256 by which a file is named."""


class WeightsFile(NamedTuple):
    """A weights file that was found.

    Attributes:
        setting: Setting or option that names the file, for errors and records.
        path: Absolute path.
        sha256: Checksum, hexadecimal.
        published: Whether the checksum is that of the published file.
    """

    setting: str
    path: Path
    sha256: str
    published: bool


@dataclass(frozen=True)
class FileKind:
    """A weights file that a measure needs and that this package does not contain.

    Attributes:
        setting: Setting that names the file, or an option of ``nst-tf evaluate``.
        option: Option of ``nst-tf evaluate`` that names the file.
        description: Name of the file and of its publisher, for errors.
        published: Beginnings of the SHA-256 of the published files; empty where none is known.
        shapes: Names and shapes of its tensors, in PyTorch's order of axes. Other tensors of the file are ignored.
    """

    setting: str
    option: str
    description: str
    published: tuple[str, ...]
    shapes: Shapes

    def locate(self, value: str | None) -> WeightsFile:
        """Return the file that a setting names.

        Raises:
            InputError: The setting is empty, names no file, or names one that cannot be read.
        """
        if not value:
            raise InputError(
                f"{self.setting} is not set (in nst-tf evaluate: {self.option}). Give the path of {self.description}."
            )
        path = user_path(value)
        if not path.is_file():
            raise InputError(f"{self.setting}={value}: there is no such file. Give the path of {self.description}.")
        try:
            sha256 = digest(path, "sha256")
        except OSError as error:
            raise InputError(f"{self.setting}={value}: the file cannot be read ({error.strerror})") from None
        return WeightsFile(self.setting, path, sha256, sha256.startswith(self.published))

    def check(self, file: WeightsFile) -> None:
        """Compare the names and shapes of a file's tensors with those that the measure needs, without reading numbers.

        Raises:
            InputError: The file is damaged, of another format, or of another network.
        """
        self._read(file, lambda tensors: None)

    def read(self, file: WeightsFile) -> dict[str, np.ndarray]:
        """Return the arrays by name, float32; kernels have TensorFlow's order of axes ``(h, w, in, out)``.

        Raises:
            InputError: See `check`; or a number is not finite.
        """
        return self._read(file, lambda tensors: {name: _array(name, tensors) for name in self.shapes})

    def _read(self, file: WeightsFile, use: Callable[[Tensors], Content]) -> Content:
        """Return the result of a function of the file's tensors, after a check of their names and shapes."""
        try:
            with open_tensors(file.path) as tensors:
                self._check_shapes(tensors)
                return use(tensors)
        except InputError as error:
            raise InputError(f"{file.setting}: {error}") from None
        except RefusedFileError as error:
            raise InputError(f"{file.setting}: Weights file '{file.path}' {error}. {self._remedy}") from None
        except Exception as error:  # libraries raise errors of many types on damaged files
            reason = message_of(error)[:300]
            raise InputError(f"{file.setting}: '{file.path}' cannot be read ({reason}). {self._remedy}") from error

    @property
    def _remedy(self) -> str:
        return f"Give {self.description}."

    def _check_shapes(self, tensors: Tensors) -> None:
        for name, shape in self.shapes.items():
            if name not in tensors:
                some = ", ".join(map(shown, list(tensors)[:3])) or "none"
                raise RefusedFileError(f"has no tensor {name}; its tensors are {some}")
            if tuple(tensors[name].shape) != shape:
                received, expected = ("×".join(map(str, x)) or "one number" for x in (tensors[name].shape, shape))
                raise RefusedFileError(f"has {received} values for {name} instead of {expected}")


def files_label(*files: WeightsFile) -> str:
    """Return the first digits of the SHA-256 of files, joined by underscores."""
    return "_".join(file.sha256[:DIGITS] for file in files)


def _array(name: str, tensors: Tensors) -> np.ndarray:
    values = tensors[name].read()
    if values.dtype.kind != "f":
        raise RefusedFileError(f"has {values.dtype} values for {name} instead of floating-point numbers")
    if not np.isfinite(values).all():
        raise RefusedFileError(f"has NaN or infinity in {name}")
    kernel = values.ndim == len(KERNEL_AXES)
    return np.ascontiguousarray(values.transpose(KERNEL_AXES) if kernel else values, dtype=np.float32)

"""Optical flow between two frames: its methods, its files, and its cache in the folder of a film."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from nst_tf.util.checks import convert_fields
from nst_tf.util.errors import InputError
from nst_tf.util.files import read_regular_file, write_atomically
from nst_tf.util.paths import user_path

FLO_MAGIC = b"PIEH"
"""First four bytes of a ``.flo`` file, the float32 202021.25."""

LARGEST_SIDE = 2**14
"""Largest width and height of a flow that is read."""

FROM, TO = "{from}", "{to}"
"""Places of the two frames' numbers in a name of `Flow.names`."""


class FlowMethod(Enum):
    """Sources of the optical flow.

    ``dis`` OpenCV's dense inverse search (Kroeger et al. 2016) · ``tvl1`` TV-L1 of scikit-image (Zach, Pock & Bischof
    2007) · ``files`` the files of another program · ``exact`` the known flow of a made-up scene.
    """

    dis = "dis"
    tvl1 = "tvl1"
    files = "files"
    exact = "exact"


class Preset(Enum):
    """Presets of OpenCV's dense inverse search, from the fastest to the best."""

    ultrafast = "ultrafast"
    fast = "fast"
    medium = "medium"


@dataclass
class Flow:
    """Settings of the optical flow between frames.

    Attributes:
        method: See `FlowMethod`; default ``dis``.
        preset: See `Preset`; default ``medium``, for ``dis``.
        folder: Folder of ``.flo`` files for ``files``. The flow has the size of the frames as they are stylised.
        names: Name of a file in it, with ``{from}`` and ``{to}`` in the places of the frames' numbers, which begin at
            1. Default ``{from}_{to}.flo``.
    """

    method: FlowMethod = FlowMethod.dis
    preset: Preset = Preset.medium
    folder: str | None = None
    names: str = f"{FROM}_{TO}.flo"

    def __post_init__(self) -> None:
        convert_fields(self, "flow.")
        if FROM not in self.names or TO not in self.names:
            raise InputError(f"flow.names={self.names}: must contain {FROM} and {TO}, the numbers of the two frames")
        if self.method is FlowMethod.files and self.folder is None:
            raise InputError("flow.method=files: needs flow.folder=FOLDER with the .flo files")

    def check(self) -> None:
        """Refuse a folder that does not exist, or a method whose library is not installed.

        Raises:
            InputError: The message says what to install, or which folder is missing.
        """
        if self.method is FlowMethod.dis:
            _opencv()
        if self.folder is not None and not user_path(self.folder).is_dir():
            raise InputError(f"flow.folder={self.folder}: there is no such folder")

    def file(self, start: int, end: int) -> Path:
        """Return the path of a file of ``folder``, for frames numbered from 1."""
        assert self.folder is not None
        return user_path(self.folder) / self.names.replace(FROM, str(start)).replace(TO, str(end))

    def between(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Compute the flow from one picture to another.

        Args:
            first: ``(H, W, 3)`` uint8.
            second: ``(H, W, 3)`` uint8.

        Returns:
            ``(H, W, 2)`` float32, columns then rows: ``second(p + flow(p)) ≈ first(p)``.
        """
        return _METHODS[self.method](self, grey(first), grey(second))


def grey(picture: np.ndarray) -> np.ndarray:
    """Return the luma of a picture ``(H, W, 3)`` uint8, ``(H, W)`` uint8, with the weights of BT.601."""
    return np.rint(picture @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)


def _opencv() -> Any:
    try:
        return importlib.import_module("cv2")
    except ImportError:
        raise InputError("flow.method=dis: OpenCV is not installed: pip install 'nst-tf[video]'") from None


def _dis(flow: Flow, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    cv2 = _opencv()
    preset = getattr(cv2, f"DISOPTICAL_FLOW_PRESET_{flow.preset.name.upper()}")
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # so that a resumed run has the same flow, whatever the machine
    try:
        return cv2.DISOpticalFlow_create(preset).calc(first, second, None)
    finally:
        cv2.setNumThreads(threads)


def _tvl1(flow: Flow, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    from skimage.registration import optical_flow_tvl1  # slow to import

    rows, columns = optical_flow_tvl1(first / 255, second / 255)
    return np.stack([columns, rows], axis=-1).astype(np.float32)


_METHODS: dict[FlowMethod, Callable[[Flow, np.ndarray, np.ndarray], np.ndarray]] = {
    FlowMethod.dis: _dis,
    FlowMethod.tvl1: _tvl1,
}


def read_flo(path: Path, shape: tuple[int, int]) -> np.ndarray:
    """Read a ``.flo`` file: magic number, width and height as int32, then float32 pairs, all little-endian.

    Args:
        path: Path of the file.
        shape: Height and width that the flow must have.

    Returns:
        ``(H, W, 2)`` float32.

    Raises:
        InputError: The file is missing or broken, or the flow has another size.
    """
    try:
        content = read_regular_file(path, 12 + 8 * LARGEST_SIDE**2)
    except FileNotFoundError:
        raise InputError(f"flow.folder: there is no file '{path}'") from None
    except OSError as error:
        raise InputError(f"flow.folder: cannot read '{path}': {error.strerror or error}") from error
    if len(content) < 12 or content[:4] != FLO_MAGIC:
        raise InputError(f"flow.folder: '{path}' is not a .flo file")
    width, height = (int(side) for side in np.frombuffer(content[4:12], "<i4"))
    if (height, width) != shape:
        raise InputError(
            f"flow.folder: '{path}' has {width}x{height} positions, and the frames have {shape[1]}x{shape[0]} pixels. "
            "Set image.size to the size of the flow, or compute the flow at the size of the frames."
        )
    if len(content) != 12 + 8 * height * width:
        raise InputError(f"flow.folder: '{path}' has {len(content)} bytes instead of {12 + 8 * height * width}")
    values = np.frombuffer(content[12:], "<f4").reshape(height, width, 2).astype(np.float32)
    if not np.isfinite(values).all():
        raise InputError(f"flow.folder: '{path}' has values that are not finite")
    return values


def write_flo(path: Path, flow: np.ndarray) -> None:
    """Write a flow ``(H, W, 2)`` as a ``.flo`` file; see `read_flo`."""
    height, width = flow.shape[:2]
    header = FLO_MAGIC + np.array([width, height], "<i4").tobytes()
    write_atomically(path, header + np.ascontiguousarray(flow, "<f4").tobytes())

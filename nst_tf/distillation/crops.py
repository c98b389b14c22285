"""Square crops of photographs and paintings at many scales."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from nst_tf.images import SAMPLES, read_picture, to_bytes
from nst_tf.images.listing import SUFFIXES, pictures_in
from nst_tf.util.errors import InputError
from nst_tf.util.paths import user_path

MIRRORED_SHARE, TRANSPOSED_SHARE = 0.5, 0.1
MIN_ZOOM = 0.7
"""Smallest side that is cut out, in sides of a crop; it bounds the enlargement."""


def read_folder(folder: str, exclude: Sequence[str] = (), role: str = "pictures") -> list[np.ndarray]:
    """Read every picture of a folder, in the order of the file names.

    Args:
        folder: Path of the folder; ``~`` is expanded.
        exclude: Names of files, without suffix, that are left out.
        role: Config key of the folder, which errors name.

    Returns:
        One array ``(H, W, 3)`` uint8 for each picture.

    Raises:
        InputError: The folder does not exist, contains no picture, or contains a broken one.
    """
    path = user_path(folder)
    if not path.is_dir():
        raise InputError(f"{role}={folder}: no such folder; choose a folder with pictures in it")
    files = [file for file in pictures_in(path) if file.stem not in exclude]
    if not files:
        raise InputError(f"{role}={folder}: no picture in it; choose a folder with pictures ({', '.join(SUFFIXES)})")
    return [to_bytes(read_picture(str(file), role=role).pixels) for file in files]


def sample_paintings(names: Sequence[str]) -> list[np.ndarray]:
    """Return the pixels of samples, each ``(H, W, 3)`` uint8."""
    return [np.asarray(SAMPLES[name]()) for name in names]


class Crops:
    """Random square crops, scaled, often mirrored and sometimes transposed; an equal generator gives equal crops.

    Args:
        pictures: Arrays ``(H, W, 3)`` uint8.
        size: Side of a crop in pixels.
        zoom: Smallest and largest side of the square that is cut out, in sides of a crop. The side is log-uniform
            between them and at most the picture's.
    """

    def __init__(self, pictures: Sequence[np.ndarray], size: int, zoom: tuple[float, float]) -> None:
        self._pictures, self._size, self._zoom = pictures, size, zoom

    def draw(self, count: int, generator: np.random.Generator) -> np.ndarray:
        """Draw crops.

        Args:
            count: Number of crops.
            generator: Source of the random numbers.

        Returns:
            Array ``(count, size, size, 3)`` float32 RGB in [0, 1].
        """
        return np.stack([self._draw_one(generator) for _ in range(count)]).astype(np.float32) / 255

    def _draw_one(self, generator: np.random.Generator) -> np.ndarray:
        pixels = self._pictures[int(generator.integers(len(self._pictures)))]
        height, width = pixels.shape[:2]
        drawn = self._size * np.exp(generator.uniform(*np.log(self._zoom)))
        side = int(min(height, width, max(drawn, MIN_ZOOM * self._size)))
        top, left = generator.integers(height - side + 1), generator.integers(width - side + 1)
        crop = Image.fromarray(pixels[top : top + side, left : left + side])
        square = np.asarray(crop.resize((self._size, self._size), Image.Resampling.BICUBIC))
        mirrored = square[:, ::-1] if generator.random() < MIRRORED_SHARE else square
        return mirrored.transpose(1, 0, 2) if generator.random() < TRANSPOSED_SHARE else mirrored

"""What the student is shown: square crops of photographs and paintings at many scales."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from nst_tf.images import SAMPLES, read_picture, to_bytes
from nst_tf.util.errors import InputError

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
FLIPPED, TURNED = 0.5, 0.1  # shares of crops that are mirrored, and transposed
SMALLEST = 0.7  # of the crop's size: no picture is enlarged further


def read_folder(folder: str, exclude: Sequence[str] = (), role: str = "pictures") -> list[np.ndarray]:
    """Read every picture of a folder, in the order of names.

    Args:
        folder: Its path, in which ``~`` is the home folder.
        exclude: Names of files, without suffix, to leave out.
        role: What the folder is for; named in errors.

    Returns:
        ``(H, W, 3)`` uint8 each.

    Raises:
        InputError: There is no such folder, no picture in it, or a broken one.
    """
    path = Path(folder).expanduser()
    if not path.is_dir():
        raise InputError(f"{role}={folder}: no such folder; give one with pictures in it")
    files = [file for file in sorted(path.iterdir()) if file.suffix.lower() in SUFFIXES and file.stem not in exclude]
    if not files:
        raise InputError(f"{role}={folder}: no picture in it; put some there ({', '.join(SUFFIXES)})")
    return [to_bytes(read_picture(str(file), role=role).pixels) for file in files]


def sample_paintings(names: Sequence[str]) -> list[np.ndarray]:
    """The project's own paintings, ``(H, W, 3)`` uint8."""
    return [np.asarray(SAMPLES[name]()) for name in names]


class Crops:
    """Random square crops, scaled, mirrored and sometimes turned; the same generator gives the same crops.

    Args:
        pictures: ``(H, W, 3)`` uint8 each.
        size: Side of a crop in pixels.
        zoom: Smallest and largest side of the square that is cut out, in sizes; log-uniform between, and never
            beyond the picture.
    """

    def __init__(self, pictures: Sequence[np.ndarray], size: int, zoom: tuple[float, float]) -> None:
        self._pictures, self._size, self._zoom = pictures, size, zoom

    def draw(self, count: int, generator: np.random.Generator) -> np.ndarray:
        """Draw crops.

        Args:
            count: How many.
            generator: Source of every choice.

        Returns:
            ``(count, size, size, 3)`` float32 RGB in [0, 1].
        """
        return np.stack([self._one(generator) for _ in range(count)]).astype(np.float32) / 255

    def _one(self, generator: np.random.Generator) -> np.ndarray:
        pixels = self._pictures[int(generator.integers(len(self._pictures)))]
        height, width = pixels.shape[:2]
        wanted = self._size * np.exp(generator.uniform(*np.log(self._zoom)))
        side = int(min(height, width, max(wanted, SMALLEST * self._size)))
        top, left = generator.integers(height - side + 1), generator.integers(width - side + 1)
        crop = Image.fromarray(pixels[top : top + side, left : left + side])
        square = np.asarray(crop.resize((self._size, self._size), Image.Resampling.BICUBIC))
        mirrored = square[:, ::-1] if generator.random() < FLIPPED else square
        return mirrored.transpose(1, 0, 2) if generator.random() < TURNED else mirrored

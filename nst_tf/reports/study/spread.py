"""The spread of pictures that differ in their seeds alone, as a picture."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from nst_tf.images import read_picture, write_picture
from nst_tf.util.errors import InputError


def standard_deviation(pictures: Iterable[np.ndarray]) -> np.ndarray:
    """Return the standard deviation of each pixel over several pictures, by Welford's one-pass update.

    The deviation has the divisor n - 1 and is the root mean square over the channels:
    ``s = sqrt(Σₖ (xₖ - mean)² / (n - 1))``, averaged as ``sqrt(mean over c of s_c²)``.

    Args:
        pictures: Two or more arrays ``(H, W, 3)`` of values in [0, 1]; only one is kept at a time.

    Returns:
        Array ``(H, W)`` in the unit of the pictures.

    Raises:
        InputError: There are fewer than two pictures, or their sizes differ.
    """
    count, mean, squares = 0, np.zeros(()), np.zeros(())
    for picture in pictures:
        if count and picture.shape != mean.shape:
            raise InputError(f"pictures of {_size(picture)} and {_size(mean)} pixels differ in size")
        count += 1
        difference = picture - mean
        mean = mean + difference / count
        squares = squares + difference * (picture - mean)
    if count < 2:
        raise InputError(f"a spread needs two pictures or more; there are {count}")
    return np.sqrt((squares / (count - 1)).mean(axis=-1))


def _size(picture: np.ndarray) -> str:
    return f"{picture.shape[1]}×{picture.shape[0]}"


def write_spread(path: Path, sources: Iterable[Path]) -> float:
    """Write the standard deviation of several pictures as a grey picture, in which its largest value is white.

    Args:
        path: The PNG to write.
        sources: The pictures.

    Returns:
        The largest deviation, as a part of the range from black to white.

    Raises:
        InputError: See `standard_deviation`; or a picture cannot be read.
    """
    deviation = standard_deviation(read_picture(str(source)).pixels.astype(np.float64) for source in sources)
    largest = float(deviation.max())
    grey = deviation / largest if largest else deviation
    write_picture(path, np.repeat(grey[:, :, None], 3, axis=2))
    return largest

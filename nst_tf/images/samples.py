"""Pictures that come with the installation, named ``sample:NAME``; none of them needs a download."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from nst_tf.util.errors import InputError

PREFIX = "sample:"
PAINTINGS = Path(__file__).parent / "paintings"


def _from_skimage(function: str) -> Callable[[], np.ndarray]:
    def load() -> np.ndarray:
        from skimage import data

        pixels = getattr(data, function)()
        return pixels[0] if isinstance(pixels, tuple) else pixels

    return load


def _painting(name: str) -> Callable[[], np.ndarray]:
    def load() -> np.ndarray:
        with Image.open(PAINTINGS / f"{name}.jpg") as image:
            return np.array(image.convert("RGB"))

    return load


# To add a picture: a line with a function of no arguments that returns 8-bit pixels, (H, W) or (H, W, 3).
# Of scikit-image, only functions whose file lies in its wheel belong here; its others download.
# The paintings are this project's own, made by scripts/paint_samples.py.
SAMPLES: dict[str, Callable[[], np.ndarray]] = {
    "astronaut": _from_skimage("astronaut"),
    "brick": _from_skimage("brick"),
    "cat": _from_skimage("chelsea"),
    "chelsea": _from_skimage("chelsea"),
    "coffee": _from_skimage("coffee"),
    "grass": _from_skimage("grass"),
    "gravel": _from_skimage("gravel"),
    "hubble": _from_skimage("hubble_deep_field"),
    "immunohistochemistry": _from_skimage("immunohistochemistry"),
    "motorcycle": _from_skimage("stereo_motorcycle"),
    "rocket": _from_skimage("rocket"),
    "harbour_mosaic": _painting("harbour_mosaic"),
    "night_swirls": _painting("night_swirls"),
    "river_dots": _painting("river_dots"),
    "wave_woodcut": _painting("wave_woodcut"),
    "wedges": _painting("wedges"),
}


def sample_names() -> tuple[str, ...]:
    """Name every sample, in the table's order.

    Returns:
        The keys of ``SAMPLES``; ``sample:`` before one of them is a source that ``read_picture`` takes.
    """
    return tuple(SAMPLES)


def sample_pixels(name: str, role: str = "sample") -> np.ndarray:
    """Load a sample.

    Args:
        name: a key of ``SAMPLES``, without the prefix.
        role: what the picture is for; named in the error.

    Returns:
        ``(H, W, 3)`` uint8, RGB; a grey picture has three equal channels.

    Raises:
        InputError: the name is not in the table.
    """
    if name not in SAMPLES:
        raise InputError(f"Unknown sample {name!r} ({role}); available: {', '.join(SAMPLES)}")
    pixels = SAMPLES[name]()
    return pixels if pixels.ndim == 3 else np.stack([pixels] * 3, axis=-1)

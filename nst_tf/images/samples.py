"""Pictures that come with the installation, named ``sample:NAME``; none of them is downloaded."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

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


def _coffee_regions() -> np.ndarray:
    """Return a label map of the sample ``coffee``: the cup with its saucer in red, the table in blue."""
    labels = Image.new("RGB", (600, 400), "blue")
    draw = ImageDraw.Draw(labels)
    draw.ellipse((76, 68, 480, 392), fill="red")  # the saucer
    draw.ellipse((172, 16, 411, 212), fill="red")  # the cup, whose lower part is inside the saucer's outline
    return np.array(labels)


def _night_swirls_regions() -> np.ndarray:
    """Return a label map of the sample ``night_swirls``: the field in red, the sky in blue."""
    labels = Image.new("RGB", (768, 768), "blue")
    ImageDraw.Draw(labels).rectangle((0, 548, 768, 768), fill="red")
    return np.array(labels)


# To add a picture, add a line with a function without arguments that returns 8-bit pixels, (H, W) or (H, W, 3).
# Only those functions of scikit-image belong here whose file is in its wheel; the others download.
# The paintings are this project's own, made by scripts/paint_samples.py.
SAMPLES: dict[str, Callable[[], np.ndarray]] = {
    "astronaut": _from_skimage("astronaut"),
    "brick": _from_skimage("brick"),
    "cat": _from_skimage("chelsea"),
    "chelsea": _from_skimage("chelsea"),
    "coffee": _from_skimage("coffee"),
    "coffee_regions": _coffee_regions,
    "grass": _from_skimage("grass"),
    "gravel": _from_skimage("gravel"),
    "hubble": _from_skimage("hubble_deep_field"),
    "immunohistochemistry": _from_skimage("immunohistochemistry"),
    "motorcycle": _from_skimage("stereo_motorcycle"),
    "rocket": _from_skimage("rocket"),
    "harbour_mosaic": _painting("harbour_mosaic"),
    "night_swirls": _painting("night_swirls"),
    "night_swirls_regions": _night_swirls_regions,
    "river_dots": _painting("river_dots"),
    "wave_woodcut": _painting("wave_woodcut"),
    "wedges": _painting("wedges"),
}


def sample_names() -> tuple[str, ...]:
    """Return the names of all samples; `read_picture` reads one as ``sample:NAME``."""
    return tuple(SAMPLES)


def sample_pixels(name: str, role: str = "sample") -> np.ndarray:
    """Load the pixels of a sample.

    Args:
        name: Key of `SAMPLES`, without the prefix.
        role: Purpose of the picture, which the error names.

    Returns:
        RGB ``(H, W, 3)`` uint8; a grey picture has three equal channels.

    Raises:
        InputError: The name is not in the table.
    """
    if name not in SAMPLES:
        raise InputError(f"Unknown sample {name!r} ({role}); available: {', '.join(SAMPLES)}")
    pixels = SAMPLES[name]()
    return pixels if pixels.ndim == 3 else np.stack([pixels] * 3, axis=-1)

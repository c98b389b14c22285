"""Mixing, ramps and variation of colours in OKLab, where equal distances look equal."""

import numpy as np

# Linear sRGB to LMS to OKLab, from Björn Ottosson, "A perceptual color space for image processing", 2020.
_RGB_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LMS_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_LAB_TO_LMS = np.linalg.inv(_LMS_TO_LAB)
_LMS_TO_RGB = np.linalg.inv(_RGB_TO_LMS)


def to_lab(rgb: np.ndarray) -> np.ndarray:
    """Convert sRGB in [0, 1] to OKLab; any shape ``(..., 3)``."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((np.maximum(rgb, 0) + 0.055) / 1.055) ** 2.4)
    return np.cbrt(linear @ _RGB_TO_LMS.T) @ _LMS_TO_LAB.T


def to_rgb(lab: np.ndarray) -> np.ndarray:
    """Convert OKLab to sRGB, clipped to [0, 1]; any shape ``(..., 3)``."""
    linear = np.clip((lab @ _LAB_TO_LMS.T) ** 3 @ _LMS_TO_RGB.T, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def ink(code: str) -> np.ndarray:
    """Read ``"#rrggbb"`` as sRGB in [0, 1], shape ``(3,)``."""
    return np.array([int(code[i : i + 2], 16) for i in (1, 3, 5)]) / 255


def inks(codes: str) -> np.ndarray:
    """Read ``"#rrggbb #rrggbb ..."`` as sRGB in [0, 1], shape ``(N, 3)``."""
    return np.array([ink(code) for code in codes.split()])


def ramp(codes: str, position: np.ndarray) -> np.ndarray:
    """Interpolate between the colours of a list.

    Args:
        codes: The colours ``"#rrggbb #rrggbb ..."`` at equal distances from 0 to 1.
        position: Positions in the list, of any shape, clipped to [0, 1].

    Returns:
        Colours in sRGB, in [0, 1], of shape ``position.shape + (3,)``.
    """
    labs = to_lab(inks(codes))
    stops = np.linspace(0, 1, len(labs))
    return to_rgb(np.stack([np.interp(position, stops, channel) for channel in labs.T], axis=-1))


def turn(rgb: np.ndarray, angle: np.ndarray | float, chroma: np.ndarray | float = 1.0) -> np.ndarray:
    """Rotate the hue by ``angle`` radians and scale the chroma; ``angle = π`` gives the complement."""
    lab = to_lab(rgb)
    cos, sin = np.cos(angle) * chroma, np.sin(angle) * chroma
    lightness, a, b = np.moveaxis(lab, -1, 0)
    return to_rgb(np.stack([lightness, a * cos - b * sin, a * sin + b * cos], axis=-1))


def jitter(
    rgb: np.ndarray, rng: np.random.Generator, lightness: float = 0.05, tint: float = 0.02, hue: float = 0.15
) -> np.ndarray:
    """Vary colours at random in lightness, tint and hue.

    Args:
        rgb: Colours ``(N, 3)`` in sRGB, in [0, 1].
        rng: Source of the random numbers.
        lightness: Standard deviation of OKLab's L.
        tint: Standard deviation of OKLab's a and b.
        hue: Standard deviation of the rotation of the hue, in radians.

    Returns:
        Colours ``(N, 3)`` in sRGB, in [0, 1].
    """
    lab = to_lab(turn(rgb, rng.normal(0, hue, len(rgb))))
    return to_rgb(lab + rng.normal(0, 1, lab.shape) * [lightness, tint, tint])

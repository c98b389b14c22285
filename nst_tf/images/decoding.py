"""Decoding of an open Pillow image to float pixels: orientation, transparency, 16 bits and colour profiles.

Pillow opens a picture in one of a dozen modes. Each mode becomes RGB in [0, 1] and a separate alpha channel. The order
of the steps matters: decode, turn upright, separate the alpha, then convert the colours.
"""

import io
import logging

import numpy as np
from PIL import Image, ImageCms, ImageOps

log = logging.getLogger(__name__)

_PLANAR_CONFIGURATION, _PHOTOMETRIC_INTERPRETATION, _BITS_PER_SAMPLE = 284, 262, 258  # TIFF 6.0 tags


def decode(image: Image.Image, label: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Decode the first frame of a picture.

    8-bit values become ``v / 255`` and 16-bit grey values ``v / 65535``. Pillow reduces 16-bit colour to its high byte,
    so those values are low by less than 1/255. Float grey values must lie in [0, 1].

    Args:
        image: Image that Pillow has opened and not yet loaded.
        label: Name of the picture in the log.

    Returns:
        Pixels ``(H, W, 3)`` float32 in sRGB and [0, 1], not yet flattened, and alpha ``(H, W)`` float32 in [0, 1], or
        None for a picture without transparency.

    Raises:
        ValueError: The pixels cannot be read as a picture; the message gives the reason.
        Exception: Any error of Pillow's decoders on a broken file.
    """
    _refuse_planar_16_bit(image)
    image.load()
    profile = image.info.get("icc_profile")
    upright = _upright(image, label)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        pixels, alpha = _deep_grey(upright, image)
        return _deep_to_srgb(pixels, profile, label), alpha
    colours, alpha = _split_alpha(upright)
    return _to_unit_range(_to_srgb(colours, profile, label)), alpha


def flatten(pixels: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    """Composite a picture over white: ``a·x + (1 − a)``.

    Args:
        pixels: Array ``(H, W, 3)`` in [0, 1].
        alpha: Array ``(H, W)`` in [0, 1]; None returns the pixels unchanged.

    Returns:
        Array ``(H, W, 3)`` float32 in [0, 1].
    """
    if alpha is None:
        return pixels
    a = alpha[..., None]
    flat = (a * pixels).astype(np.float32, copy=False)
    flat += 1 - a
    return flat


def _refuse_planar_16_bit(image: Image.Image) -> None:
    # Pillow decodes these files to wrong pixels without an error.
    tags = getattr(image, "tag_v2", {})
    if tags.get(_PLANAR_CONFIGURATION) == 2 and max(tags.get(_BITS_PER_SAMPLE, (8,))) > 8:
        raise ValueError("16-bit TIFF with separate colour planes; save it with interleaved planes or as PNG")


def _upright(image: Image.Image, label: str) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception as error:  # a broken EXIF block raises errors of many types, and the pixels are fine
        log.warning("%s: EXIF ignored (%s)", label, error)
        return image


def _deep_grey(image: Image.Image, original: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    """Scale grey pixels of more than 8 bits to [0, 1]; Pillow's own conversion would clip them at 255."""
    values = np.asarray(image)
    limit = 1 if image.mode == "F" else 65535
    if not ((values >= 0) & (values <= limit)).all():
        raise ValueError(f"grey values outside 0..{limit}; save it with 8 or 16 bits per channel")
    transparent = original.info.get("transparency")
    alpha = None if transparent is None else (values != transparent).astype(np.float32)
    pixels = (values / np.float32(limit)).astype(np.float32)
    white_is_zero = getattr(original, "tag_v2", {}).get(_PHOTOMETRIC_INTERPRETATION) == 0
    return (1 - pixels if white_is_zero else pixels), alpha


def _deep_to_srgb(grey: np.ndarray, profile: bytes | None, label: str) -> np.ndarray:
    if profile is None:
        return np.stack([grey] * 3, axis=-1)
    # ImageCms converts 8 bits only. Converting its 256 greys and interpolating keeps the precision.
    steps = np.arange(256, dtype=np.uint8)[None]
    curves = _to_unit_range(_to_srgb(Image.fromarray(steps), profile, label))[0]  # (256, 3)
    bands = [np.interp(grey, steps[0] / 255, curve) for curve in curves.T]
    return np.stack(bands, axis=-1).astype(np.float32)


def _split_alpha(image: Image.Image) -> tuple[Image.Image, np.ndarray | None]:
    if not image.has_transparency_data:
        return _in_profile_mode(image), None
    rgba = image.convert("RGBA")
    grey = image.mode in ("1", "L", "LA", "La")
    return rgba.convert("L" if grey else "RGB"), _to_unit_range(rgba.getchannel("A"))


def _in_profile_mode(image: Image.Image) -> Image.Image:
    """Convert an opaque image to a mode that a colour profile can describe."""
    if image.mode in ("L", "RGB", "CMYK", "LAB"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _to_srgb(image: Image.Image, profile: bytes | None, label: str) -> Image.Image:
    """Convert to sRGB by the embedded profile, relative colorimetric with black point compensation."""
    if profile is not None:
        try:
            return _apply_profile(image, profile)
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError) as error:
            log.warning("%s: colour profile ignored (%s)", label, error)
    return image.convert("RGB")


def _apply_profile(image: Image.Image, profile: bytes) -> Image.Image:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    if image.mode == "L" and source.profile.xcolor_space.strip() == "RGB":
        image = image.convert("RGB")
    converted = ImageCms.profileToProfile(
        image,
        source,
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    if converted is None:
        raise ValueError("no conversion")
    return converted


def _to_unit_range(image: Image.Image) -> np.ndarray:
    values = np.array(image, dtype=np.float32)
    values /= np.float32(255)  # in place: a second array would double the memory of a large picture
    return values

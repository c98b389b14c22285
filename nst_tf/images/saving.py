"""The copy of the result that a user asks for with ``output=``: its format, precision and metadata."""

import io
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

from nst_tf.images.decoding import flatten
from nst_tf.images.files import WRITERS, to_bytes
from nst_tf.images.metadata import NO_METADATA, Metadata, exif_for_size
from nst_tf.util.checks import convert_fields
from nst_tf.util.errors import InputError, message_of
from nst_tf.util.files import write_atomically
from nst_tf.util.lazy import tf
from nst_tf.util.paths import user_path

DEEP_FORMATS = ("PNG", "TIFF")
"""Formats that hold 16 bits per channel."""

ALPHA_FORMATS = ("PNG", "TIFF", "WEBP")
"""Formats that hold an alpha channel."""

LOSSY_FORMATS = ("JPEG", "WEBP")
"""Formats whose compression has a quality."""

HOLDS = {
    "keep_dpi": ("JPEG", "PNG", "TIFF", "BMP"),
    "keep_exif": ("JPEG", "PNG", "WEBP"),
    "keep_profile": ("JPEG", "PNG", "TIFF", "WEBP"),
}
"""Formats that can hold each kind of metadata, by the setting that keeps it."""

INCHES_PER_METRE = 39.37007874


@dataclass
class Saving:
    """Settings of the copy that ``output=`` writes.

    Attributes:
        quality: Quality of JPEG and WebP, 1 to 100.
        bits: Bits per channel: 8, or 16 for PNG and TIFF.
        keep_dpi: Whether the copy has the photograph's pixels per inch.
        keep_exif: Whether the copy has the photograph's EXIF: description, artist, copyright, date, camera and place.
        keep_profile: Whether the colours are converted back to the photograph's own colour space, and its ICC profile
            is embedded. Otherwise the copy is in sRGB.
        overwrite: Whether a file that this run has not written itself may be replaced.

    Raises:
        InputError: A value is out of range; the message names its config key.
    """

    quality: int = 95
    bits: int = 8
    keep_dpi: bool = False
    keep_exif: bool = False
    keep_profile: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        convert_fields(self, "saving.")
        if not 1 <= self.quality <= 100:
            raise InputError(f"saving.quality={self.quality}: must be from 1 to 100")
        if self.bits not in (8, 16):
            raise InputError(f"saving.bits={self.bits}: must be 8 or 16")
        if self.bits == 16 and self.keep_profile:
            raise InputError("saving.keep_profile=true: colours are converted in 8 bits alone. Set saving.bits=8.")

    def check(
        self, output: str, inputs: Iterable[str], own_file: bool = False, metadata: Metadata = NO_METADATA
    ) -> Path:
        """Return the path of the copy, after checking everything that can be known before the run.

        Args:
            output: The path as typed, relative to the folder of the command.
            inputs: Absolute paths of the pictures that the run reads.
            own_file: Whether the file at that path is one that this run wrote.
            metadata: Metadata of the photograph.

        Raises:
            InputError: The format is unknown or cannot hold what is asked for, the folder is missing, or the file
                exists.
        """
        path = user_path(output)
        if self.keep_profile and metadata.profile is not None:
            _in_profile(Image.new("RGB", (1, 1)), metadata.profile)
        self._check_format(output, path)
        if not path.parent.is_dir():
            raise InputError(f"output={output}: there is no folder '{path.parent}'. Create it, or choose another path.")
        if path.is_dir():
            raise InputError(f"output={output}: is a folder. Name a file in it, such as {output}/result.png.")
        if path.exists():
            self._check_existing(output, path, inputs, own_file)
        if not os.access(path.parent, os.W_OK):
            raise InputError(f"output={output}: the folder '{path.parent}' is not writable. Choose another path.")
        return path

    def _check_format(self, output: str, path: Path) -> None:
        if path.suffix.lower() not in WRITERS:
            raise InputError(f"output={output}: unknown format {path.suffix!r}. Choose one of {', '.join(WRITERS)}.")
        kind = WRITERS[path.suffix.lower()][0]
        if self.bits == 16 and kind not in DEEP_FORMATS:
            raise InputError(f"saving.bits=16: a {path.suffix} file has 8 bits. Choose .png or .tif, or saving.bits=8.")
        for setting, formats in HOLDS.items():
            if getattr(self, setting) and kind not in formats:
                able = ", ".join(formats)
                raise InputError(f"saving.{setting}=true: a {path.suffix} file cannot hold it. Choose one of {able}.")

    def _check_existing(self, output: str, path: Path, inputs: Iterable[str], own_file: bool) -> None:
        if any(Path(source).exists() and path.samefile(source) for source in inputs):
            raise InputError(f"output={output}: is a picture that this run reads. Choose another path.")
        if not (self.overwrite or own_file):
            raise InputError(
                f"output={output}: the file exists. Choose another path, or set saving.overwrite=true; the runs of a "
                "sweep need a path each, such as 'output=${hydra:job.num}.jpg'."
            )

    def write(self, path: Path, image: Any, alpha: np.ndarray | None, metadata: Metadata) -> None:
        """Write the copy atomically, in the format that the suffix names.

        A format without transparency shows the picture over white.

        Args:
            path: Path with a suffix of `nst_tf.images.files.WRITERS`.
            image: Floats ``(H, W, 3)`` in sRGB and [0, 1].
            alpha: Alpha channel ``(H, W)`` in [0, 1]; None for an opaque picture.
            metadata: Metadata of the photograph.

        Raises:
            OSError: The file cannot be written.
        """
        kind = WRITERS[path.suffix.lower()][0]
        pixels = np.asarray(image, np.float32)
        if kind not in ALPHA_FORMATS:
            pixels, alpha = flatten(pixels, alpha), None
        kept = self._kept(metadata, *pixels.shape[:2])
        encode = _deep_bytes if self.bits == 16 else self._bytes
        write_atomically(path, encode(kind, pixels, alpha, kept))

    def _kept(self, metadata: Metadata, height: int, width: int) -> Metadata:
        """Return the metadata that the copy gets."""
        exif = exif_for_size(metadata.exif, height, width) if self.keep_exif and metadata.exif else None
        return Metadata(metadata.dpi if self.keep_dpi else None, metadata.profile if self.keep_profile else None, exif)

    def _bytes(self, kind: str, pixels: np.ndarray, alpha: np.ndarray | None, kept: Metadata) -> bytes:
        """Encode 8 bits per channel by Pillow."""
        image = Image.fromarray(to_bytes(pixels))
        if kept.profile is not None:
            image = _in_profile(image, kept.profile)
        if alpha is not None:
            image.putalpha(Image.fromarray(to_bytes(alpha)))
        options = dict(WRITERS[".jpg" if kind == "JPEG" else f".{kind.lower()}"][1]) if kind in LOSSY_FORMATS else {}
        options |= {"quality": self.quality} if kind in LOSSY_FORMATS else {}
        given = {"dpi": kept.dpi, "icc_profile": kept.profile, "exif": kept.exif}
        buffer = io.BytesIO()
        image.save(buffer, kind, **options, **{key: value for key, value in given.items() if value is not None})
        return buffer.getvalue()


def _in_profile(image: Image.Image, profile: bytes) -> Image.Image:
    """Convert an sRGB image to another colour space, relative colorimetric with black point compensation.

    Raises:
        InputError: The profile belongs to another colour model or is broken.
    """
    try:
        converted = ImageCms.profileToProfile(
            image,
            ImageCms.createProfile("sRGB"),
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError) as error:
        reason = message_of(error)
        raise InputError(
            f"saving.keep_profile=true: the photograph's colour profile takes no RGB picture ({reason}). "
            "Set it to false."
        ) from None
    assert converted is not None
    return converted


def _deep_bytes(kind: str, pixels: np.ndarray, alpha: np.ndarray | None, kept: Metadata) -> bytes:
    """Encode 16 bits per channel, which Pillow cannot: PNG by TensorFlow, and TIFF by tifffile."""
    planes = pixels if alpha is None else np.dstack([pixels, alpha])
    values = np.rint(65535 * np.clip(np.nan_to_num(planes, nan=0.0), 0, 1)).astype(np.uint16)
    return _deep_png(values, kept) if kind == "PNG" else _deep_tiff(values, kept)


def _deep_tiff(values: np.ndarray, kept: Metadata) -> bytes:
    import tifffile

    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        values,
        photometric="rgb",
        compression="adobe_deflate",
        extrasamples=["UNASSALPHA"] if values.shape[2] == 4 else None,
        resolution=kept.dpi,
        resolutionunit="INCH" if kept.dpi else None,
        metadata=None,
    )
    return buffer.getvalue()


def _deep_png(values: np.ndarray, kept: Metadata) -> bytes:
    encoded: bytes = tf.io.encode_png(values).numpy()
    header_end = 8 + 4 + 4 + 13 + 4  # signature; length, name, content and checksum of IHDR
    chunks = io.BytesIO()
    if kept.dpi is not None:
        per_metre = b"".join(round(value * INCHES_PER_METRE).to_bytes(4) for value in kept.dpi)
        PngImagePlugin.putchunk(chunks, b"pHYs", per_metre, b"\1")
    if kept.exif is not None:
        PngImagePlugin.putchunk(chunks, b"eXIf", kept.exif.removeprefix(b"Exif\0\0"))
    return encoded[:header_end] + chunks.getvalue() + encoded[header_end:]

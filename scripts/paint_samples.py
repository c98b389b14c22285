"""Paint the style pictures that come with the installation: ``python scripts/paint_samples.py``.

Each picture is computed by a module of its own from formulas and seeded random numbers.
"""

import argparse
import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from painting import harbour_mosaic, night_swirls, river_dots, wave_woodcut, wedges
from painting.fields import REFERENCE_SIZE
from PIL import Image

from nst_tf.cli.arguments import OneLineParser

FOLDER = Path(__file__).resolve().parents[1] / "nst_tf" / "images" / "paintings"
SMALLEST, LARGEST = 32, 4096
"""Bounds of the pictures' side in pixels."""

MAX_BYTES = 400_000
"""Largest size of a picture's file."""

QUALITIES = range(95, 69, -1)
"""JPEG qualities that are tried, the best first."""

# To add a picture, write a module with paint(size, seed) and add a line here.
PAINTERS: dict[str, Callable[[int, int], np.ndarray]] = {
    "night_swirls": night_swirls.paint,
    "harbour_mosaic": harbour_mosaic.paint,
    "wave_woodcut": wave_woodcut.paint,
    "river_dots": river_dots.paint,
    "wedges": wedges.paint,
}


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """Return a type for argparse that accepts whole numbers from ``low`` to ``high``."""

    def parse(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {low} to {high}")
        return int(text)

    return parse


def parser() -> OneLineParser:
    """Build the parser of the command line."""
    built = OneLineParser(prog="paint_samples", description=__doc__.splitlines()[0] if __doc__ else None)
    built.add_argument(
        "--out", type=Path, default=FOLDER, metavar="FOLDER", help="folder for NAME.jpg; default: %(default)s"
    )
    built.add_argument(
        "--size",
        type=whole_number(SMALLEST, LARGEST),
        default=REFERENCE_SIZE,
        help="side in pixels; default: %(default)s",
    )
    built.add_argument("--only", choices=PAINTERS, metavar="NAME", help=f"one of {', '.join(PAINTERS)}; default: all")
    built.add_argument(
        "--seed", type=whole_number(0, 2**31 - 1), default=0, help="seed of the random numbers; default: %(default)s"
    )
    return built


def encode(pixels: np.ndarray, limit: int = MAX_BYTES) -> bytes:
    """Encode a picture as JPEG with full colour resolution, in the best quality that fits.

    Args:
        pixels: Picture ``(H, W, 3)`` in sRGB, in [0, 1].
        limit: Largest number of bytes; a picture that exceeds it at the lowest quality keeps that quality.

    Returns:
        Content of the file.
    """
    image = Image.fromarray(np.rint(pixels * 255).astype(np.uint8))
    content = b""
    for quality in QUALITIES:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality, subsampling=0)
        content = buffer.getvalue()
        if len(content) <= limit:
            break
    return content


def main(arguments: Sequence[str] | None = None) -> int:
    """Paint the pictures that the command line names.

    Args:
        arguments: Arguments of the command line; None takes those of the process.

    Returns:
        The exit code 0; a bad argument exits with 2 and one line.
    """
    command_line = parser()
    options = command_line.parse_args(arguments)
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        command_line.error(f"cannot make the folder --out {str(options.out)!r}: {error.strerror}")
    for name in [options.only] if options.only else PAINTERS:
        path = options.out / f"{name}.jpg"
        content = encode(PAINTERS[name](options.size, options.seed))
        path.write_bytes(content)
        print(f"{path}: {options.size} x {options.size} px, {len(content) / 1000:.0f} kB", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

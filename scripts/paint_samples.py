"""Paint the style pictures that come with the installation: ``python scripts/paint_samples.py``.

Every picture is the work of its own hand, composed from formulas and seeded chance alone.
"""

import argparse
import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from arguments import OneLineParser
from painting import harbour_mosaic, night_swirls, river_dots, wave_woodcut, wedges
from painting.fields import REFERENCE_SIZE
from PIL import Image

FOLDER = Path(__file__).resolve().parents[1] / "nst_tf" / "images" / "paintings"
SMALLEST, LARGEST = 32, 4096  # px
BYTES_LIMIT = 400_000
QUALITIES = range(95, 69, -1)

# To add a hand: a module with paint(size, seed) and a line here.
HANDS: dict[str, Callable[[int, int], np.ndarray]] = {
    "night_swirls": night_swirls.paint,
    "harbour_mosaic": harbour_mosaic.paint,
    "wave_woodcut": wave_woodcut.paint,
    "river_dots": river_dots.paint,
    "wedges": wedges.paint,
}


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """Make an argument's type: a whole number from ``low`` to ``high``."""

    def parse(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {low} to {high}")
        return int(text)

    return parse


def parser() -> OneLineParser:
    """Describe the command line."""
    made = OneLineParser(prog="paint_samples", description=__doc__.splitlines()[0] if __doc__ else None)
    made.add_argument("--out", type=Path, default=FOLDER, metavar="FOLDER", help="where NAME.jpg goes: %(default)s")
    made.add_argument("--size", type=whole_number(SMALLEST, LARGEST), default=REFERENCE_SIZE, help="px: %(default)s")
    made.add_argument("--only", choices=HANDS, metavar="NAME", help=f"one of {', '.join(HANDS)}; all by default")
    made.add_argument("--seed", type=whole_number(0, 2**31 - 1), default=0, help="another seed, another picture: 0")
    return made


def encode(pixels: np.ndarray, limit: int = BYTES_LIMIT) -> bytes:
    """Encode as JPEG with full colour resolution, in the best quality that fits.

    Args:
        pixels: ``(H, W, 3)`` sRGB in [0, 1].
        limit: bytes; a picture that does not fit at the lowest quality is kept at that quality.

    Returns:
        The file's content.
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
    """Paint what the command line asks for.

    Args:
        arguments: of the command line; None for the process's own.

    Returns:
        The exit code: 0. A bad argument leaves with 2 and one line.
    """
    command_line = parser()
    asked = command_line.parse_args(arguments)
    try:
        asked.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        command_line.error(f"cannot make the folder --out {str(asked.out)!r}: {error.strerror}")
    for name in [asked.only] if asked.only else HANDS:
        path = asked.out / f"{name}.jpg"
        content = encode(HANDS[name](asked.size, asked.seed))
        path.write_bytes(content)
        print(f"{path}: {asked.size} x {asked.size} px, {len(content) / 1000:.0f} kB", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

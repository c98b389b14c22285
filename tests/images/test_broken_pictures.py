"""A broken picture is read or refused in one line: no traceback, no other output, no hang."""

import io
import time

import numpy as np
import pytest
from PIL import Image

from nst_tf.images import Picture, read_picture
from nst_tf.images.picture import FORMATS
from nst_tf.util.errors import InputError

KINDS = [*((name, "RGB") for name in FORMATS), ("PNG", "RGBA"), ("PNG", "P"), ("PNG", "I;16"), ("TIFF", "CMYK")]
OPTIONS = {"PNG": {"icc_profile": b"no profile"}, "JPEG": {"exif": b"Exif\0\0MM\0*\0\0\0\10\0\1"}}
SECONDS = 5
"""Longest time that reading a broken picture of a few kilobytes may take."""


def whole_pictures():
    """Return the bytes of a small picture in each format and mode."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8))
    contents = []
    for name, mode in KINDS:
        buffer = io.BytesIO()
        image = noise.convert("I").convert("I;16") if mode == "I;16" else noise.convert(mode)
        image.save(buffer, format=name, **OPTIONS.get(name, {}))
        contents.append(buffer.getvalue())
    return contents


def cut(content, other, rng):
    return content[: rng.integers(1, len(content))]


def flip_bits(content, other, rng):
    broken = np.frombuffer(content, np.uint8).copy()
    places = rng.integers(0, len(broken), rng.integers(1, 20))
    broken[places] ^= rng.integers(1, 256, len(places), dtype=np.uint8)
    return broken.tobytes()


def damage_header(content, other, rng):
    broken = bytearray(content)
    first = int(rng.integers(0, min(64, len(broken) - 8)))
    broken[first : first + 4] = rng.choice([b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\1\0\0\0"])
    return bytes(broken)


def remove_part(content, other, rng):
    first, last = sorted(rng.integers(0, len(content), 2))
    return content[:first] + content[last:]


def repeat_part(content, other, rng):
    first, last = sorted(rng.integers(0, len(content), 2))
    return content[:last] + content[first:last] * 3 + content[last:]


def join_with_another(content, other, rng):
    return content[: rng.integers(1, len(content))] + other[rng.integers(0, len(other)) :]


def replace_by_noise(content, other, rng):
    head = content[: rng.integers(0, 32)]
    return head + rng.bytes(int(rng.integers(1, 2000)))


DAMAGES = [cut, flip_bits, damage_header, remove_part, repeat_part, join_with_another, replace_by_noise]


def broken_pictures(count, seed):
    """Yield the bytes of broken pictures, each with a description for the failure's message."""
    rng, whole = np.random.default_rng(seed), whole_pictures()
    for number in range(count):
        kind, damage = number % len(whole), DAMAGES[number // len(whole) % len(DAMAGES)]
        other = whole[rng.integers(len(whole))]
        yield f"picture {number} of seed {seed}: {KINDS[kind]}, {damage.__name__}", damage(whole[kind], other, rng)


def outcome(path):
    """Return the picture in a file, or the message with which it is refused."""
    try:
        return read_picture(str(path), role="content")
    except InputError as error:
        return str(error)


def read_all(count, seed, folder, capfd):
    """Read broken pictures, and return the numbers of those that were read and of those that were refused."""
    path, read = folder / "broken", 0
    for description, content in broken_pictures(count, seed):
        path.write_bytes(content)
        start = time.perf_counter()
        result = outcome(path)
        assert time.perf_counter() - start < SECONDS, description
        if isinstance(result, Picture):
            read += 1
            assert result.pixels.dtype == np.float32, description
            assert ((result.pixels >= 0) & (result.pixels <= 1)).all(), description
        else:
            assert "\n" not in result, description
            assert f"{str(path)!r} (content)" in result, description
        printed = capfd.readouterr()
        assert (printed.out, printed.err) == ("", ""), description
    return read, count - read


def test_a_few_broken_pictures_are_read_or_refused_in_one_line(tmp_path, capfd):
    read, refused = read_all(77, 0, tmp_path, capfd)
    assert read > 5
    assert refused > 20


@pytest.mark.faults
@pytest.mark.parametrize("seed", range(1, 9))
def test_many_broken_pictures_are_read_or_refused_in_one_line(seed, tmp_path, capfd):
    read, refused = read_all(308, seed, tmp_path, capfd)
    assert read > 20
    assert refused > 100

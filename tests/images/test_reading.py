"""Picture files are regular files below a limit, and large JPEGs are decoded at a reduced size."""

import os
import resource
import socket
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nst_tf.images import Canvas, picture, read_picture, resize
from nst_tf.images.picture import FORMATS
from nst_tf.images.reading import Limits
from nst_tf.util.errors import InputError


def refusal(source, limits=None):
    with pytest.raises(InputError) as caught:
        read_picture(str(source), "content", limits)
    assert "\n" not in str(caught.value)
    assert f"'{source}' (content)" in str(caught.value)
    return str(caught.value)


@pytest.mark.timeout(10)
def test_a_pipe_a_socket_and_devices_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        for source in (tmp_path / "pipe", tmp_path / "socket", "/dev/zero", "/dev/null"):
            assert refusal(source).startswith("Not a regular file: ")


@pytest.mark.timeout(10)
@pytest.mark.skipif(not Path("/proc/kmsg").exists(), reason="needs Linux's /proc")
def test_files_of_proc_are_refused_without_reading_them():
    for source in ("/proc/kmsg", "/proc/self/maps"):
        assert refusal(source).startswith(("Empty file: ", "Not readable: "))


def test_a_file_above_the_limit_is_refused_before_it_is_read(tmp_path):
    sparse = tmp_path / "sparse.png"
    with sparse.open("wb") as file:
        file.truncate(30 * 10**9)
    message = refusal(sparse, Canvas().limits)
    assert message.endswith(
        "has 30000 megabytes; the limit is image.max_megabytes=500; raise it, or scale the picture down"
    )
    assert refusal(sparse).endswith("the limit is 500 megabytes; scale the picture down")


def one_bit_png(width, height):
    """Return a PNG of one bit per pixel, black, of which only a few rows are compressed in full."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(bytes(height * (1 + (width + 7) // 8)))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_a_picture_above_the_limit_of_pixels_is_refused_before_it_is_decoded(tmp_path):
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(one_bit_png(13000, 13000))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    message = refusal(bomb, Canvas().limits)
    assert message.endswith(
        "has 13000x13000, 169 megapixels; the limit is image.max_megapixels=100; raise it, or scale the picture down"
    )
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kilobytes


def test_a_raised_limit_reads_what_the_default_and_pillows_own_limit_refuse(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    path = tmp_path / "large.png"
    path.write_bytes(one_bit_png(1200, 1000))
    assert "1200x1000, 1 megapixels; the limit is 1 megapixels" in refusal(path, Limits(megapixels=1))
    assert read_picture(str(path), limits=Canvas(max_megapixels=2).limits).pixels.shape == (1000, 1200, 3)
    assert Image.MAX_IMAGE_PIXELS == 100


@pytest.mark.parametrize("name", FORMATS)
def test_every_listed_format_is_read(name, tmp_path):
    Image.new("RGB", (16, 8), (255, 0, 0)).save(tmp_path / "a", format=name)
    pixels = read_picture(str(tmp_path / "a")).pixels
    np.testing.assert_allclose(pixels, np.broadcast_to([1.0, 0, 0], (8, 16, 3)), atol=0.05)


@pytest.mark.parametrize("name", ["EPS", "PPM", "PDF", "ICO"])
def test_other_formats_are_refused_with_the_list(name, tmp_path, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", None)  # Ghostscript must not start
    Image.new("RGB", (16, 16)).save(tmp_path / "a", format=name)
    assert refusal(tmp_path / "a").endswith("; give a JPEG, PNG, WebP, TIFF, BMP, GIF or AVIF file")


def test_a_jpeg_with_a_second_picture_is_read_as_its_first(tmp_path):
    first, second = Image.new("RGB", (16, 16), (255, 0, 0)), Image.new("RGB", (16, 16), (0, 0, 255))
    first.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[second])
    np.testing.assert_allclose(read_picture(str(tmp_path / "a.jpg")).pixels[8, 8], [1, 0, 0], atol=0.05)


@pytest.fixture
def large_jpeg(tmp_path, monkeypatch):
    """A smooth JPEG of 640x480 pixels, which counts as large."""
    monkeypatch.setattr(picture, "REDUCED_ABOVE", 100_000)
    monkeypatch.setattr(picture, "LEAST_REDUCED_SIDE", 16)
    rows, columns = np.mgrid[0:480, 0:640] / 640
    pixels = np.stack([rows, columns, (rows + columns) / 2], axis=-1)
    Image.fromarray(np.rint(255 * pixels).astype(np.uint8)).save(tmp_path / "a.jpg", quality=95)
    return str(tmp_path / "a.jpg")


@pytest.mark.parametrize(
    ("size", "shape"), [(640, (480, 640)), (320, (480, 640)), (160, (240, 320)), (80, (120, 160)), (24, (60, 80))]
)
def test_a_large_jpeg_is_decoded_at_twice_the_used_size_or_more(large_jpeg, size, shape):
    canvas = Canvas(size=size)
    reduced = read_picture(large_jpeg, scale=canvas.content_scale)
    full = read_picture(large_jpeg)
    assert (reduced.pixels.shape[:2], full.pixels.shape[:2]) == (shape, (480, 640))
    assert reduced.sha256 == full.sha256
    np.testing.assert_allclose(
        canvas.content(reduced), canvas.content(full), atol=0.02
    )  # the decoder averages, Lanczos filters


def test_a_jpeg_above_the_limit_of_pixels_is_reduced_to_it_up_to_four_times_the_limit(large_jpeg, monkeypatch):
    full = read_picture(large_jpeg).pixels
    monkeypatch.setattr(Limits, "megapixels", 0.1)
    halved = read_picture(large_jpeg, limits=Limits(megapixels=0.1)).pixels
    assert halved.shape == (240, 320, 3)
    np.testing.assert_allclose(halved, resize(full, 240, 320), atol=0.03)
    assert "640x480, 0 megapixels; the limit is 0.05 megapixels" in refusal(large_jpeg, Limits(megapixels=0.05))


def test_a_jpeg_of_ordinary_size_is_decoded_in_full(tmp_path):
    Image.new("RGB", (640, 480), (255, 0, 0)).save(tmp_path / "a.jpg")
    assert read_picture(str(tmp_path / "a.jpg"), scale=Canvas(size=16).content_scale).pixels.shape == (480, 640, 3)


LIMITED = """
import re, sys
from pathlib import Path
from nst_tf.images import Canvas, read_picture
picture = read_picture(sys.argv[1], "content", Canvas().limits, Canvas(size=512).content_scale)
peak = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text()).group(1)
print(*picture.pixels.shape, int(peak) // 1000)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_a_photograph_of_200_megapixels_that_is_made_smaller_is_read_in_little_memory(tmp_path):
    Image.new("RGB", (16320, 12240), (200, 100, 50)).save(tmp_path / "a.jpg")
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, tmp_path / "a.jpg"], capture_output=True, text=True, check=True
    )
    height, width, _, megabytes = map(int, done.stdout.split())
    assert (height, width) == (1530, 2040)
    assert megabytes < 400

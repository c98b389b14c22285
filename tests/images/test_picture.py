import hashlib
import io
import logging
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from nst_tf.images import SAMPLES, read_picture, sample_names
from nst_tf.util.errors import InputError

RED, GREEN, BLUE, YELLOW, BLACK, WHITE = (
    (255, 0, 0),
    (0, 255, 0),
    (0, 0, 255),
    (255, 255, 0),
    (0, 0, 0),
    (255, 255, 255),
)
UPRIGHT = np.array([[RED, GREEN, BLUE], [YELLOW, BLACK, WHITE]], np.uint8)  # 2 rows, 3 columns

# Pixels that a camera stores with each orientation tag for a picture that is UPRIGHT (EXIF 2.3, table 6).
STORED = {
    1: UPRIGHT,
    2: UPRIGHT[:, ::-1],
    3: UPRIGHT[::-1, ::-1],
    4: UPRIGHT[::-1],
    5: UPRIGHT.transpose(1, 0, 2),
    6: UPRIGHT.transpose(1, 0, 2)[::-1],
    7: UPRIGHT.transpose(1, 0, 2)[::-1, ::-1],
    8: UPRIGHT.transpose(1, 0, 2)[:, ::-1],
}


def saved(path: Path, image: Image.Image, **options: object) -> str:
    image.save(path, **options)
    return str(path)


def orientation(tag: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = tag
    return exif


def png(samples: np.ndarray, colour_type: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """Build the bytes of a 16-bit PNG, which Pillow cannot write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = samples.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0))
    extra = b"".join(chunk(*given) for given in chunks)
    return b"\x89PNG\r\n\x1a\n" + head + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def tiff_bytes(samples: np.ndarray, **options: object) -> bytes:
    tifffile = pytest.importorskip("tifffile")
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, samples, **options)
    return buffer.getvalue()


def written(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


def rgb_profile(swap: bool, gamma: float) -> bytes:
    """Build an ICC v2 matrix profile with sRGB's primaries, optionally with red and green swapped, and a pure gamma."""

    def fixed(x: float) -> bytes:
        return struct.pack(">i", round(x * 65536))

    def xyz(*values: float) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(map(fixed, values))

    red, green, blue = (
        (0.43607, 0.22249, 0.01392),
        (0.38515, 0.71687, 0.09708),
        (0.14307, 0.06061, 0.7141),
    )
    if swap:
        red, green = green, red
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    name = b"test\0"
    description = b"desc\0\0\0\0" + struct.pack(">I", len(name)) + name + bytes(78)
    description += bytes(-len(description) % 4)
    tags = {
        b"desc": description,
        b"cprt": b"text\0\0\0\0none\0\0\0\0",
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
        b"rXYZ": xyz(*red),
        b"gXYZ": xyz(*green),
        b"bXYZ": xyz(*blue),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    offset, table, body = 128 + 4 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += name + struct.pack(">II", offset + len(body), len(data))
        body += data
    size = 128 + len(table) + len(body)
    head = struct.pack(">I", size) + bytes(4) + b"\x02\x40\0\0" + b"mntrRGB XYZ " + bytes(12) + b"acsp"
    head += bytes(28) + fixed(0.9642) + fixed(1.0) + fixed(0.8249)
    return head + bytes(128 - len(head)) + table + body


def srgb_curve(linear: np.ndarray) -> np.ndarray:
    """Apply the transfer curve of sRGB (IEC 61966-2-1)."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def expect_pixels(source: str, expected: np.ndarray, tolerance: float = 1e-6) -> None:
    pixels = read_picture(source).pixels
    assert pixels.dtype == np.float32
    assert pixels.shape == np.shape(expected)
    np.testing.assert_allclose(pixels, expected, atol=tolerance)


@pytest.mark.parametrize("tag", STORED)
@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
def test_exif_orientation_is_applied(tmp_path, tag, suffix):
    options = {"lossless": True} if suffix == "webp" else {}
    image = Image.fromarray(np.ascontiguousarray(STORED[tag]))
    source = saved(tmp_path / f"a.{suffix}", image, exif=orientation(tag), **options)
    expect_pixels(source, UPRIGHT / 255)


def test_exif_orientation_of_a_jpeg_is_applied(tmp_path):
    stored = Image.fromarray(np.ascontiguousarray(STORED[6])).resize((2 * 16, 3 * 16), Image.Resampling.NEAREST)
    source = saved(tmp_path / "a.jpg", stored, exif=orientation(6), quality=100, subsampling=0)
    pixels = read_picture(source).pixels
    assert pixels.shape == (32, 48, 3)
    np.testing.assert_allclose(pixels[8::16, 8::16], UPRIGHT / 255, atol=0.02)


def test_broken_exif_is_ignored_with_a_warning(tmp_path, caplog):
    source = saved(tmp_path / "a.png", Image.fromarray(UPRIGHT), exif=b"Exif\0\0garbagegarbage")
    with caplog.at_level(logging.WARNING, "nst_tf"):
        expect_pixels(source, UPRIGHT / 255)
    assert "EXIF ignored" in caplog.text


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif"])
def test_eight_bit_colour_is_divided_by_255(tmp_path, suffix):
    expect_pixels(saved(tmp_path / f"a.{suffix}", Image.fromarray(UPRIGHT)), UPRIGHT / 255)


def test_grey_and_one_bit_pictures_get_three_equal_channels(tmp_path):
    grey = np.array([[0, 51], [102, 255]], np.uint8)
    expect_pixels(saved(tmp_path / "a.png", Image.fromarray(grey)), np.stack([grey / 255] * 3, -1))
    bits = Image.fromarray(grey).convert("1", dither=Image.Dither.NONE)
    expect_pixels(saved(tmp_path / "b.png", bits), np.stack([[[0, 0], [0, 1]]] * 3, -1))


def test_a_transparent_picture_is_composited_over_white(tmp_path):
    rgba = np.array([[[200, 100, 0, 128], [10, 20, 30, 0]], [[10, 20, 30, 255], [255, 0, 0, 51]]], np.uint8)
    picture = read_picture(saved(tmp_path / "a.png", Image.fromarray(rgba)))
    a = rgba[..., 3:] / 255
    np.testing.assert_allclose(picture.pixels, a * rgba[..., :3] / 255 + 1 - a, atol=1e-6)
    np.testing.assert_allclose(picture.alpha, a[..., 0], atol=1e-6)
    assert picture.alpha.dtype == np.float32
    np.testing.assert_array_equal(picture.pixels[0, 1], 1)


def test_alpha_is_turned_with_the_exif_orientation(tmp_path):
    rgba = np.dstack([STORED[6], 40 * np.arange(6, dtype=np.uint8).reshape(3, 2)])
    picture = read_picture(saved(tmp_path / "a.png", Image.fromarray(rgba), exif=orientation(6)))
    np.testing.assert_allclose(picture.alpha * 255, [[160, 80, 0], [200, 120, 40]], atol=1e-4)


def test_alpha_of_an_opaque_picture_is_none(tmp_path):
    rgba = np.dstack([UPRIGHT, np.full((2, 3), 255, np.uint8)])
    assert read_picture(saved(tmp_path / "a.png", Image.fromarray(rgba))).alpha is None


def test_grey_with_alpha_is_composited_over_white(tmp_path):
    la = np.array([[[100, 51], [200, 255]]], np.uint8)
    picture = read_picture(saved(tmp_path / "a.png", Image.fromarray(la)))
    np.testing.assert_allclose(picture.pixels[0, 0], 0.2 * 100 / 255 + 0.8, atol=1e-6)
    np.testing.assert_allclose(picture.alpha, [[0.2, 1]], atol=1e-6)


def test_a_palette_with_transparency_gives_colours_and_alpha(tmp_path):
    image = Image.new("P", (3, 1))
    image.putpalette([*RED, *GREEN, *BLUE])
    image.putdata([0, 1, 2])
    opaque = saved(tmp_path / "a.png", image)
    expect_pixels(opaque, np.array([[RED, GREEN, BLUE]]) / 255)
    picture = read_picture(saved(tmp_path / "b.png", image, transparency=bytes([255, 51, 0])))
    np.testing.assert_allclose(picture.pixels, [[[1, 0, 0], [0.8, 1, 0.8], [1, 1, 1]]], atol=1e-6)
    np.testing.assert_allclose(picture.alpha, [[1, 0.2, 0]], atol=1e-6)


def test_a_transparent_colour_has_alpha_0(tmp_path):
    picture = read_picture(saved(tmp_path / "a.png", Image.fromarray(UPRIGHT), transparency=GREEN))
    np.testing.assert_array_equal(picture.alpha, [[1, 0, 1], [1, 1, 1]])


DEEP = np.array([[0, 255, 256, 32768], [32896, 65280, 65535, 1000]])
DEEP_RGB = np.stack([DEEP, DEEP // 2, 65535 - DEEP], axis=-1)


def test_sixteen_bit_grey_is_scaled_and_not_clipped(tmp_path):
    expected = np.stack([DEEP / 65535] * 3, axis=-1)
    expect_pixels(written(tmp_path / "a.png", png(DEEP, 0)), expected)
    for order in "<>":
        content = tiff_bytes(DEEP.astype(np.uint16), byteorder=order)
        expect_pixels(written(tmp_path / "a.tif", content), expected)


def test_a_transparent_value_of_sixteen_bit_grey_has_alpha_0(tmp_path):
    content = png(DEEP, 0, (b"tRNS", struct.pack(">H", 32768)))
    picture = read_picture(written(tmp_path / "a.png", content))
    np.testing.assert_array_equal(picture.alpha, DEEP != 32768)
    np.testing.assert_array_equal(picture.pixels[0, 3], 1)


def test_sixteen_bit_grey_with_white_as_0_is_inverted(tmp_path):
    content = tiff_bytes(DEEP.astype(np.uint16), photometric="miniswhite")
    expect_pixels(written(tmp_path / "a.tif", content), np.stack([1 - DEEP / 65535] * 3, axis=-1))


def test_sixteen_bit_grey_is_turned_by_exif(tmp_path):
    exif = orientation(3).tobytes().removeprefix(b"Exif\0\0")
    content = png(DEEP, 0, (b"eXIf", exif))
    expect_pixels(written(tmp_path / "a.png", content), np.stack([DEEP[::-1, ::-1] / 65535] * 3, axis=-1))


def test_sixteen_bit_colour_is_accurate_to_eight_bits(tmp_path):
    expect_pixels(written(tmp_path / "a.png", png(DEEP_RGB, 2)), DEEP_RGB / 65535, 1 / 255)
    for order in "<>":
        content = tiff_bytes(DEEP_RGB.astype(np.uint16), photometric="rgb", byteorder=order)
        expect_pixels(written(tmp_path / "a.tif", content), DEEP_RGB / 65535, 1 / 255)


def test_sixteen_bit_alpha_is_accurate_to_eight_bits(tmp_path):
    rgba = np.dstack([DEEP_RGB, np.full_like(DEEP, 32896)])
    picture = read_picture(written(tmp_path / "a.png", png(rgba, 6)))
    np.testing.assert_allclose(picture.alpha, 128 / 255, atol=1e-6)
    np.testing.assert_allclose(picture.pixels, 128 / 255 * DEEP_RGB / 65535 + 127 / 255, atol=1 / 255)


def test_float_grey_is_read_unchanged(tmp_path):
    values = np.array([[0, 0.25], [0.5, 1]], np.float32)
    expect_pixels(saved(tmp_path / "a.tif", Image.fromarray(values)), np.stack([values] * 3, -1))


def test_sixteen_bit_tiff_with_separate_planes_is_refused(tmp_path):
    planes = np.moveaxis(DEEP_RGB, -1, 0).astype(np.uint16)
    content = tiff_bytes(planes, photometric="rgb", planarconfig="separate")
    with pytest.raises(InputError, match="planes"):
        read_picture(written(tmp_path / "a.tif", content))


def test_a_cmyk_jpeg_is_converted_to_rgb(tmp_path):
    # Full magenta and yellow give red. Pillow writes Adobe's inverted convention, as Photoshop does.
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    source = saved(tmp_path / "a.jpg", image, quality=100)
    assert b"Adobe" in Path(source).read_bytes()
    expect_pixels(source, np.broadcast_to([1.0, 0, 0], (16, 16, 3)), 0.02)


def test_a_gif_is_read_as_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (4, 3), colour) for colour in (RED, GREEN)]
    source = saved(tmp_path / "a.gif", frames[0], save_all=True, append_images=frames[1:])
    expect_pixels(source, np.broadcast_to([1.0, 0, 0], (3, 4, 3)))


def test_a_lossless_webp_is_read_exactly(tmp_path):
    expect_pixels(saved(tmp_path / "a.webp", Image.fromarray(UPRIGHT), lossless=True), UPRIGHT / 255)


COLOURS = np.array([[[200, 100, 30], [0, 0, 0]], [[255, 255, 255], [60, 180, 90]]], np.uint8)


@pytest.mark.parametrize("gamma", [1.0, 2.0])
def test_colour_profile_is_converted_to_srgb(tmp_path, gamma):
    profile = rgb_profile(swap=True, gamma=gamma)
    source = saved(tmp_path / "a.png", Image.fromarray(COLOURS), icc_profile=profile)
    expected = srgb_curve((COLOURS[..., [1, 0, 2]] / 255) ** gamma)
    expect_pixels(source, expected, 3 / 255)
    assert np.abs(expected - COLOURS / 255).max() > 0.2


def test_a_colour_profile_is_converted_with_alpha_and_with_a_palette(tmp_path):
    profile = rgb_profile(swap=True, gamma=2.0)
    rgba = np.dstack([COLOURS, np.full((2, 2), 51, np.uint8)])
    expected = srgb_curve((COLOURS[..., [1, 0, 2]] / 255) ** 2.0)
    expect_pixels(saved(tmp_path / "a.png", Image.fromarray(rgba), icc_profile=profile), 0.2 * expected + 0.8, 3 / 255)
    image = Image.fromarray(COLOURS).quantize(4)
    expect_pixels(saved(tmp_path / "b.png", image, icc_profile=profile), expected, 6 / 255)


@pytest.mark.parametrize("depth", [8, 16])
def test_grey_with_an_rgb_profile_is_converted_to_srgb(tmp_path, depth):
    profile = rgb_profile(swap=False, gamma=1.0)
    linear = np.array([[0, 0.2], [0.5, 1]])
    if depth == 8:
        grey = Image.fromarray(np.rint(linear * 255).astype(np.uint8))
        source = saved(tmp_path / "a.png", grey, icc_profile=profile)
    else:
        chunk = (b"iCCP", b"x\0\0" + zlib.compress(profile))
        source = written(tmp_path / "a.png", png(np.rint(linear * 65535), 0, chunk))
    expect_pixels(source, np.stack([srgb_curve(linear)] * 3, -1), 3 / 255)


def test_srgb_profile_changes_nothing(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    source = saved(tmp_path / "a.png", Image.fromarray(COLOURS), icc_profile=profile)
    expect_pixels(source, COLOURS / 255)


@pytest.mark.parametrize("kind", ["garbage", "LAB"])
def test_an_unusable_profile_is_ignored_with_a_warning(tmp_path, caplog, kind):
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    profile = b"no profile" if kind == "garbage" else lab
    source = saved(tmp_path / "a.png", Image.fromarray(COLOURS), icc_profile=profile)
    with caplog.at_level(logging.WARNING, "nst_tf"):
        expect_pixels(source, COLOURS / 255)
    assert "profile ignored" in caplog.text


def test_a_picture_knows_its_source_and_the_hash_of_its_file(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    Image.fromarray(UPRIGHT).save(path)
    monkeypatch.setenv("HOME", str(tmp_path))
    picture = read_picture("~/a.png")
    assert picture.source == "~/a.png"
    assert picture.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_loads_without_a_network(name, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a sample must not need the network")

    monkeypatch.setattr("socket.socket.connect", refuse)
    picture = read_picture(f"sample:{name}")
    assert picture.pixels.dtype == np.float32
    assert picture.pixels.shape[2] == 3
    assert min(picture.pixels.shape[:2]) >= 300
    assert picture.pixels.min() >= 0
    assert 0.5 < picture.pixels.max() <= 1
    assert picture.alpha is None
    expected = np.rint(picture.pixels * 255).astype(np.uint8).tobytes()
    assert picture.sha256 == hashlib.sha256(expected).hexdigest()


def test_the_samples_cat_and_chelsea_are_the_same_picture():
    assert read_picture("sample:cat").sha256 == read_picture("sample:chelsea").sha256
    assert "cat" in sample_names()


def truncated(path: Path, suffix: str) -> str:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    source = saved(path / f"a.{suffix}", Image.fromarray(noise))
    content = Path(source).read_bytes()
    return written(path / f"a.{suffix}", content[: len(content) // 2])


def failure(source: str) -> str:
    with pytest.raises(InputError) as caught:
        read_picture(source, role="content")
    message = str(caught.value)
    assert "\n" not in message
    assert "content" in message
    return message


@pytest.mark.parametrize("source", ["no.jpg", "a\nb.jpg", "a\0b.jpg", "x" * 5000, "~nobody-here/a.jpg"])
def test_a_missing_file_is_refused_in_one_line(tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    message = failure(source)
    assert repr(source) in message
    assert "No such picture" in message
    assert "sample:NAME" in message


def test_a_folder_an_empty_file_and_a_text_file_are_refused(tmp_path):
    assert "name one file in it" in failure(str(tmp_path))
    assert "Empty file" in failure(written(tmp_path / "a.jpg", b""))
    assert "give a JPEG, PNG" in failure(written(tmp_path / "b.jpg", b"not a picture at all"))


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif", "gif", "bmp"])
def test_a_truncated_file_is_refused(tmp_path, suffix):
    source = truncated(tmp_path, suffix)
    message = failure(source)
    assert repr(source) in message
    assert message.startswith(("Broken picture: ", "Not a picture: "))


def test_grey_values_above_sixteen_bits_are_refused(tmp_path):
    source = saved(tmp_path / "a.tif", Image.fromarray(np.full((2, 2), 70_000, np.int32)))
    assert "save it with 8 or 16 bits" in failure(source)


def test_unknown_sample_lists_the_table():
    message = failure("sample:nobody")
    assert "'nobody'" in message
    assert all(name in message for name in SAMPLES)

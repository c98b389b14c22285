"""The copy of a result: formats, precision and metadata, read back by other libraries than those that wrote it."""

import io

import numpy as np
import pytest
import tensorflow as tf
import tifffile
from PIL import Image, ImageCms

from nst_tf.images import Saving, read_picture
from nst_tf.images.metadata import NO_METADATA, Metadata
from nst_tf.util.errors import InputError

RNG = np.random.default_rng(0)
PIXELS = RNG.random((12, 17, 3), dtype=np.float32)
ALPHA = RNG.random((12, 17), dtype=np.float32)


def opened(path):
    """Return the image of a file, which is closed."""
    return Image.open(io.BytesIO(path.read_bytes()))


def profile_of(name):
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(name)).tobytes()


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bits_keep_the_floats_to_half_a_step(tmp_path, suffix):
    path = tmp_path / f"copy{suffix}"
    Saving(bits=16).write(path, PIXELS, ALPHA, NO_METADATA)
    decode = {".png": lambda data: tf.io.decode_png(data, dtype=tf.uint16).numpy(), ".tif": tifffile.imread}
    read = decode[suffix](path.read_bytes() if suffix == ".png" else path)
    assert (read.shape, read.dtype) == ((12, 17, 4), np.uint16)
    np.testing.assert_allclose(read / 65535, np.dstack([PIXELS, ALPHA]), atol=0.51 / 65535)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_8_bits_keep_transparency_where_the_format_has_it(tmp_path, suffix):
    path = tmp_path / f"copy{suffix}"
    Saving(quality=100).write(path, np.full((12, 17, 3), 0.5, np.float32), ALPHA, NO_METADATA)
    read = np.asarray(opened(path))
    np.testing.assert_allclose(read[..., 3] / 255, ALPHA, atol=0.51 / 255)


@pytest.mark.parametrize("suffix", [".jpg", ".bmp"])
def test_a_format_without_transparency_shows_white_there(tmp_path, suffix):
    alpha = np.zeros((16, 16), np.float32)
    alpha[:, 8:] = 1
    path = tmp_path / f"copy{suffix}"
    Saving().write(path, np.zeros((16, 16, 3), np.float32), alpha, NO_METADATA)
    read = np.asarray(opened(path))
    assert read[:, :7].min() > 245
    assert read[:, 9:].max() < 10


def test_a_lower_quality_makes_a_smaller_file(tmp_path):
    sizes = []
    for quality in (20, 95):
        Saving(quality=quality).write(tmp_path / "a.jpg", PIXELS, None, NO_METADATA)
        sizes.append((tmp_path / "a.jpg").stat().st_size)
    assert sizes[0] < 0.8 * sizes[1]


@pytest.fixture
def photograph(tmp_path):
    """Path of a JPEG of 300 dpi, lying on its side, with a copyright, a camera and a place."""
    exif = Image.Exif()
    exif[274], exif[33432] = 6, "A. N. Author"
    exif.get_ifd(0x8769)[33434] = 0.5
    exif.get_ifd(0x8769)[40962] = 999
    exif.get_ifd(0x8825)[1] = "N"
    Image.fromarray((255 * PIXELS).astype(np.uint8)).save(
        tmp_path / "photo.jpg", exif=exif.tobytes(), dpi=(300, 300), icc_profile=profile_of("sRGB")
    )
    return str(tmp_path / "photo.jpg")


@pytest.mark.parametrize(("suffix", "bits"), [(".jpg", 8), (".png", 8), (".png", 16), (".webp", 8)])
def test_exif_of_the_photograph_is_kept_without_its_orientation_and_size(tmp_path, photograph, suffix, bits):
    picture = read_picture(photograph)
    path = tmp_path / f"copy{suffix}"
    Saving(keep_exif=True, bits=bits).write(path, PIXELS, None, picture.metadata)
    exif = opened(path).getexif()
    assert exif[33432] == "A. N. Author"
    assert 274 not in exif
    camera = exif.get_ifd(0x8769)
    assert (float(camera[33434]), camera[40962], camera[40963]) == (0.5, 17, 12)
    assert exif.get_ifd(0x8825)[1] == "N"


@pytest.mark.parametrize(("suffix", "bits"), [(".jpg", 8), (".png", 8), (".png", 16), (".tif", 8), (".tif", 16)])
def test_resolution_of_the_photograph_is_kept(tmp_path, photograph, suffix, bits):
    path = tmp_path / f"copy{suffix}"
    Saving(keep_dpi=True, bits=bits).write(path, PIXELS, None, read_picture(photograph).metadata)
    assert [float(value) for value in opened(path).info["dpi"]] == pytest.approx([300, 300], abs=0.1)


def test_nothing_of_the_photograph_is_kept_unless_asked_for(tmp_path, photograph):
    path = tmp_path / "copy.jpg"
    Saving().write(path, PIXELS, None, read_picture(photograph).metadata)
    image = opened(path)
    assert not image.getexif()
    assert "icc_profile" not in image.info
    assert image.info.get("dpi") in (None, (1, 1))


def linear_profile():
    """Return sRGB's ICC profile with linear tone curves, so that its values are light itself."""
    profile = bytearray(profile_of("sRGB"))
    count = int.from_bytes(profile[128:132])
    for at in range(132, 132 + 12 * count, 12):
        if bytes(profile[at : at + 4]) in (b"rTRC", b"gTRC", b"bTRC"):
            start = int.from_bytes(profile[at + 4 : at + 8])
            profile[start : start + 12] = b"curv" + bytes(8)  # a curve of no points is the identity
            profile[at + 8 : at + 12] = (12).to_bytes(4)
    return bytes(profile)


def test_colours_are_converted_to_the_kept_profile(tmp_path):
    """sRGB's 188 is half of the light: 0.503, or 128 in a linear profile."""
    profile = linear_profile()
    path = tmp_path / "copy.png"
    grey = np.full((4, 4, 3), 188 / 255, np.float32)
    Saving(keep_profile=True).write(path, grey, None, Metadata(profile=profile))
    image = opened(path)
    assert image.info["icc_profile"] == profile
    np.testing.assert_allclose(np.asarray(image), 128, atol=2)
    np.testing.assert_allclose(read_picture(str(path)).pixels, 188 / 255, atol=2 / 255)


def test_a_profile_of_another_colour_model_is_refused_in_one_line(tmp_path):
    with pytest.raises(InputError, match=r"^saving\.keep_profile=true: .* takes no RGB picture"):
        Saving(keep_profile=True).check(str(tmp_path / "a.png"), [], metadata=Metadata(profile=profile_of("LAB")))


def test_a_path_that_cannot_be_written_is_refused_before_the_run(tmp_path, photograph):
    def refused(path, inputs=(), **saving):
        with pytest.raises(InputError) as error:
            Saving(**saving).check(str(path), inputs)
        return str(error.value)

    (tmp_path / "there.png").write_bytes(b"1")
    assert "there is no folder" in refused(tmp_path / "no" / "a.png")
    assert "unknown format '.gif'" in refused(tmp_path / "a.gif")
    assert "unknown format ''" in refused(tmp_path / "a")
    assert "saving.overwrite=true" in refused(tmp_path / "there.png")
    assert "a picture that this run reads" in refused(photograph, inputs=[photograph], overwrite=True)
    assert "saving.bits=16: a .jpg file has 8 bits" in refused(tmp_path / "a.jpg", bits=16)
    assert "saving.keep_exif=true: a .bmp file cannot hold it" in refused(tmp_path / "a.bmp", keep_exif=True)
    (tmp_path / "folder.png").mkdir()
    assert "is a folder" in refused(tmp_path / "folder.png")
    assert Saving(overwrite=True).check(str(tmp_path / "there.png"), []) == tmp_path / "there.png"
    assert Saving().check(str(tmp_path / "there.png"), [], own_file=True) == tmp_path / "there.png"


@pytest.mark.parametrize("fields", [{"quality": 0}, {"quality": 101}, {"bits": 12}, {"bits": 16, "keep_profile": True}])
def test_settings_out_of_range_are_refused(fields):
    with pytest.raises(InputError, match=r"^saving\."):
        Saving(**fields)


def test_a_broken_exif_block_does_not_stop_reading(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray((255 * PIXELS).astype(np.uint8)).save(buffer, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    (tmp_path / "broken.jpg").write_bytes(buffer.getvalue())
    assert read_picture(str(tmp_path / "broken.jpg")).pixels.shape == (12, 17, 3)

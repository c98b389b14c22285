import numpy as np
import pytest
from PIL import Image

from nst_tf.images import read_picture, read_text, to_bytes, write_picture
from nst_tf.images.files import WRITERS
from nst_tf.util.errors import InputError

IMAGE = np.linspace(0, 1, 4 * 5 * 3, dtype=np.float32).reshape(4, 5, 3)


def test_to_bytes_rounds_clips_and_turns_nan_into_0():
    values = np.array([0, 0.4 / 255, 0.6 / 255, 127.4 / 255, 127.6 / 255, 1, -3, 7, np.nan, np.inf, -np.inf])
    expected = [0, 0, 1, 127, 128, 255, 0, 255, 0, 255, 0]
    np.testing.assert_array_equal(to_bytes(values[None, None, :, None])[0, :, 0], expected)


def test_to_bytes_inverts_every_eight_bit_value():
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(to_bytes(values / np.float32(255)), values)


@pytest.mark.parametrize("shape", [(2, 4, 4, 3), (3,), (1, 1, 4, 4, 3)])
def test_to_bytes_refuses_all_but_one_picture(shape):
    with pytest.raises(ValueError, match="one picture expected"):
        to_bytes(np.zeros(shape))


@pytest.mark.parametrize("image", [IMAGE, IMAGE[None]])
def test_a_png_holds_the_rounded_pixels(tmp_path, image):
    write_picture(tmp_path / "a.png", image)
    with Image.open(tmp_path / "a.png") as read:
        assert read.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(read), np.rint(IMAGE * 255))


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_suffix_writes_its_format(tmp_path, suffix):
    path = tmp_path / f"a{suffix.upper()}"
    grey = np.full((16, 16, 3), 0.5, np.float32)
    write_picture(path, grey, alpha=np.zeros((16, 16)), text={"k": "v"})
    with Image.open(path) as image:
        assert image.format == WRITERS[suffix][0]
    pixels = read_picture(str(path)).pixels
    np.testing.assert_allclose(pixels, 1 if suffix == ".png" else 128 / 255, atol=0.01)


def test_alpha_is_the_fourth_channel_of_a_png(tmp_path):
    alpha = np.linspace(0, 1, 20, dtype=np.float32).reshape(4, 5)
    write_picture(tmp_path / "a.png", IMAGE, alpha=alpha)
    with Image.open(tmp_path / "a.png") as image:
        np.testing.assert_array_equal(np.asarray(image)[..., 3], np.rint(alpha * 255))
        np.testing.assert_array_equal(np.asarray(image)[..., :3], np.rint(IMAGE * 255))


def test_text_of_a_png_is_read_back_unchanged(tmp_path):
    text = {
        "config": "style: Van Gogh – Nuit étoilée 星月夜 🌌\nweights: [1, 2]\n",
        "empty": "",
        "long": "ü" * 3_000_000,
    }
    write_picture(tmp_path / "a.png", IMAGE, text=text)
    assert read_text(tmp_path / "a.png") == text
    assert read_picture(str(tmp_path / "a.png")).pixels.shape == (4, 5, 3)


def test_text_that_cannot_be_encoded_is_replaced_and_the_picture_written(tmp_path):
    write_picture(tmp_path / "a.png", IMAGE, text={"content": "bad\udcff.jpg"})
    assert read_text(tmp_path / "a.png") == {"content": r"bad\udcff.jpg"}


def test_a_png_without_text_has_empty_text(tmp_path):
    write_picture(tmp_path / "a.png", IMAGE)
    assert read_text(tmp_path / "a.png") == {}


def test_write_picture_creates_missing_folders(tmp_path):
    write_picture(tmp_path / "a" / "b" / "c.png", IMAGE)
    assert (tmp_path / "a" / "b" / "c.png").is_file()


def test_a_failed_write_keeps_the_old_picture_and_leaves_no_temporary_file(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    write_picture(path, IMAGE)
    before = path.read_bytes()

    def full(descriptor):
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="disk full"):
        write_picture(path, 1 - IMAGE)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_gets_its_name_only_when_it_is_complete(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    temporary_files = []
    replace = type(path).replace

    def record_and_replace(self, target):
        temporary_files.append((self.parent == path.parent, path.exists(), read_picture(str(self)).pixels.shape))
        return replace(self, target)

    monkeypatch.setattr("pathlib.Path.replace", record_and_replace)
    write_picture(path, IMAGE)
    assert temporary_files == [(True, False, (4, 5, 3))]


def test_write_picture_refuses_bad_suffixes_shapes_and_keys(tmp_path):
    with pytest.raises(InputError, match=r"'\.xyz'.*available: \.png") as caught:
        write_picture(tmp_path / "a.xyz", IMAGE)
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="three channels"):
        write_picture(tmp_path / "a.png", IMAGE[..., :2])
    with pytest.raises(ValueError, match="alpha of shape"):
        write_picture(tmp_path / "a.png", IMAGE, alpha=np.ones((5, 4)))
    with pytest.raises(ValueError, match="79 characters"):
        write_picture(tmp_path / "a.png", IMAGE, text={"k" * 80: ""})
    assert list(tmp_path.iterdir()) == []


def test_read_text_refuses_missing_files_and_other_formats(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.jpg")
    for name, reason in (("no.png", "No such picture"), ("a.jpg", "Not a readable PNG")):
        with pytest.raises(InputError, match=reason) as caught:
            read_text(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)

"""Crops of pictures, and the reading of folders."""

import numpy as np
import pytest
from PIL import Image

from nst_tf.distillation.crops import Crops, read_folder
from nst_tf.util.errors import InputError


def test_the_same_generator_draws_the_same_crops(photographs):
    crops = Crops(read_folder(str(photographs)), 32, (0.8, 2.0))
    a, b, c = (crops.draw(5, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert np.abs(a - c).max() > 0.1
    assert (a.shape, a.dtype) == ((5, 32, 32, 3), np.float32)
    assert a.min() >= 0
    assert a.max() <= 1


def test_a_crop_of_zoom_1_is_a_part_of_the_picture_mirrored_or_transposed():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    crop = Crops([pixels], 32, (1.0, 1.0)).draw(1, np.random.default_rng(9))[0]
    found = np.round(crop * 255).astype(np.uint8)
    variants = [found, found[:, ::-1], found.transpose(1, 0, 2), found.transpose(1, 0, 2)[:, ::-1]]
    places = [(pixels[y : y + 32, x : x + 32], variant) for y in range(9) for x in range(19) for variant in variants]
    assert any(np.array_equal(place, variant) for place, variant in places)


def test_read_folder_leaves_out_excluded_names(photographs):
    assert len(read_folder(str(photographs))) == 3
    assert len(read_folder(str(photographs), exclude=["1"])) == 2


def test_missing_empty_and_broken_folders_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"photographs=.*nowhere: no such folder"):
        read_folder(str(tmp_path / "nowhere"), role="photographs")
    (tmp_path / "readme.txt").write_text("no picture")
    with pytest.raises(InputError, match=r"paintings=.*: no picture in it"):
        read_folder(str(tmp_path), role="paintings")
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"broken")
    with pytest.raises(InputError, match="Not a picture"):
        read_folder(str(tmp_path))

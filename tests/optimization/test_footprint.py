"""What a run needs: by hand, in its proportions, and what is refused."""

import pytest

from nst_tf.backbones import VGG16, VGG19
from nst_tf.optimization.footprint import Footprint, check_fits, fitting_factor, needed_mb
from nst_tf.system.memory import available_mb, peak_memory_mb
from nst_tf.util.errors import InputError


def test_the_need_grows_with_the_area_and_the_depth():
    shallow, deep = (VGG19(weights="random").extractor([layer]) for layer in ("conv2_1", "conv5_1"))
    assert needed_mb(deep, 256, 256) > 1.2 * needed_mb(shallow, 256, 256)
    assert needed_mb(deep, 512, 512) == pytest.approx(4 * needed_mb(deep, 256, 256), rel=0.01)


def test_bfloat16_features_need_half():
    whole, half = (
        needed_mb(VGG16(weights="random").extractor(["conv5_1"], precision), 512, 512)
        for precision in ("float32", "mixed_bfloat16")
    )
    pictures = 8 * 512 * 512 * 3 * 4 / 2**20
    assert half - pictures == pytest.approx((whole - pictures) / 2, rel=0.01)


def test_the_need_by_hand():
    """VGG-16 to conv1_1 at 64x32: input, features, and eight copies of the picture; the two largest twice more."""
    extractor = VGG16(weights="random").extractor(["conv1_1"])
    picture, features = 64 * 32 * 3 * 4 / 2**20, 64 * 32 * 64 * 4 / 2**20
    assert needed_mb(extractor, 64, 32) == pytest.approx(9 * picture + features + 2 * (features + picture))


def test_a_picture_too_large_is_refused_with_one_that_fits():
    extractor = VGG19(weights="random").extractor(["conv5_1"])
    with pytest.raises(InputError, match=r"300000x200000.*image\.size=\d+") as error:
        check_fits(Footprint(extractor, (200000, 300000), [], 10), "/CPU:0")
    side = int(str(error.value).partition("image.size=")[2].split()[0])
    check_fits(Footprint(extractor, (side * 2 // 3, side * 99 // 100), [], 10), "/CPU:0")
    with pytest.raises(InputError, match=r"image\.style_size=\d+"):
        check_fits(Footprint(extractor, (64, 64), [(64, 64), (200000, 300000)], 10), "/CPU:0")


def test_a_size_that_fits_is_found():
    extractor = VGG19(weights="random").extractor(["conv5_1"])
    factor = fitting_factor(Footprint(extractor, (200000, 300000), [], 10), "/CPU:0")
    assert 0 < factor < 0.2
    check_fits(Footprint(extractor, (int(factor * 200000), int(factor * 300000)), [], 10), "/CPU:0")
    assert fitting_factor(Footprint(extractor, (64, 64), [(32, 32)], 10), "/CPU:0") == 1


def test_recomputing_needs_less():
    whole, pieces = (VGG19(weights="random").extractor(["conv5_1"], "float32", r) for r in (False, True))
    assert needed_mb(pieces, 512, 512) < 0.8 * needed_mb(whole, 512, 512)


def test_memory_is_measured():
    assert 50 < peak_memory_mb("/CPU:0") < 100_000
    assert available_mb("/CPU:0") > 100

"""Tests of the memory estimate against measured memory, and of the refusal of pictures that do not fit."""

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nst_tf.backbones import VGG16, VGG19
from nst_tf.optimization.footprint import COPIES, Footprint, check_fits, fits_easily, fitting_factor, needed_mb
from nst_tf.util.errors import InputError


def test_the_estimate_grows_with_area_and_depth():
    shallow, deep = (VGG19(weights="random").extractor([layer]) for layer in ("conv2_1", "conv5_1"))
    assert needed_mb(deep, 256, 256) > 1.2 * needed_mb(shallow, 256, 256)
    assert needed_mb(deep, 512, 512) == pytest.approx(4 * needed_mb(deep, 256, 256), rel=0.01)


def test_features_in_bfloat16_take_half_of_the_memory():
    whole, half = (
        needed_mb(VGG16(weights="random").extractor(["conv5_1"], precision), 512, 512)
        for precision in ("float32", "mixed_bfloat16")
    )
    pictures = COPIES * 512 * 512 * 3 * 4 / 2**20
    assert half - pictures == pytest.approx((whole - pictures) / 2, rel=0.01)


SETTINGS = {
    "vgg19_lite at 128": {"size": 128},
    "vgg19_lite at 256": {"size": 256},
    "vgg19_lite at 512": {"size": 512},
    "vgg19 at 128": {"size": 128, "backbone": "vgg19", "weights": "random"},
    "vgg19 at 256": {"size": 256, "backbone": "vgg19", "weights": "random"},
    "vgg19 at 256 with recompute": {"size": 256, "backbone": "vgg19", "weights": "random", "recompute": True},
    "vgg19_lite at 256 with 100 curvature pairs": {"size": 256, "history": 100},
}
"""Arguments of `measure` in memory_growth.py."""

OVERHEAD = 300
"""Most memory in MiB that a run may take beyond the estimate: threads, traced graphs, buffers of the convolutions.

Measured: 40 to 180.
"""


@functools.cache
def measured(name):
    """Estimate and growth in MiB, measured in a process of its own."""
    script = Path(__file__).with_name("memory_growth.py")
    command = [sys.executable, str(script), json.dumps(SETTINGS[name])]
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": str(root)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process can be reset on Linux alone")
@pytest.mark.slow
@pytest.mark.parametrize("name", SETTINGS)
def test_a_run_takes_the_estimated_memory_and_a_bounded_overhead(name, record_property):
    estimate, growth = measured(name)["estimate"], measured(name)["growth"]
    record_property("estimate_over_growth", estimate / growth)
    print(f"{name}: estimate {estimate:.0f} MiB, growth {growth:.0f} MiB, ratio {estimate / growth:.2f}")
    assert estimate < 1.2 * growth
    assert growth < estimate + OVERHEAD


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process can be reset on Linux alone")
@pytest.mark.parametrize(
    ("small", "large"),
    [
        ("vgg19_lite at 256", "vgg19_lite at 512"),
        ("vgg19 at 128", "vgg19 at 256"),
        ("vgg19_lite at 256", "vgg19_lite at 256 with 100 curvature pairs"),
    ],
)
def test_the_estimate_grows_like_the_measured_memory(small, large):
    """The difference of two runs is free of the constant overhead."""
    estimate, growth = (measured(large)[key] - measured(small)[key] for key in ("estimate", "growth"))
    print(f"{small} to {large}: estimate {estimate:.0f} MiB, growth {growth:.0f} MiB, ratio {estimate / growth:.2f}")
    assert 0.5 < estimate / growth < 1.6


def test_a_picture_too_large_is_refused_with_a_size_that_fits():
    extractor = VGG19(weights="random").extractor(["conv5_1"])
    with pytest.raises(InputError, match=r"300000x200000.*image\.size=\d+") as error:
        check_fits(Footprint(extractor, (200000, 300000), [], 10), "/CPU:0")
    side = int(str(error.value).partition("image.size=")[2].split()[0])
    check_fits(Footprint(extractor, (side * 2 // 3, side * 99 // 100), [], 10), "/CPU:0")
    with pytest.raises(InputError, match=r"image\.style_size=\d+"):
        check_fits(Footprint(extractor, (64, 64), [(64, 64), (200000, 300000)], 10), "/CPU:0")


def test_the_fitting_factor_leads_to_a_size_that_fits():
    extractor = VGG19(weights="random").extractor(["conv5_1"])
    factor = fitting_factor(Footprint(extractor, (200000, 300000), [], 10), "/CPU:0")
    assert 0 < factor < 0.2
    check_fits(Footprint(extractor, (int(factor * 200000), int(factor * 300000)), [], 10), "/CPU:0")
    assert fitting_factor(Footprint(extractor, (64, 64), [(32, 32)], 10), "/CPU:0") == 1


def test_a_run_fits_easily_into_more_than_twice_its_need(monkeypatch):
    footprint = Footprint(VGG19(weights="random").extractor(["conv1_1"]), (64, 64), [(32, 32)], 10)
    for factor, easy in {1.9: False, 2.1: True}.items():
        available = factor * footprint.needed_mb()
        monkeypatch.setattr("nst_tf.optimization.footprint.available_mb", lambda device, available=available: available)
        assert fits_easily(footprint, "/CPU:0") is easy


def test_recompute_needs_less():
    whole, pieces = (VGG19(weights="random").extractor(["conv5_1"], "float32", r) for r in (False, True))
    assert needed_mb(pieces, 512, 512) < 0.8 * needed_mb(whole, 512, 512)

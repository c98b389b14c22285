"""Tests of the memory estimate against measured memory, and of the refusal of pictures that do not fit."""

import itertools
import json
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from nst_tf.backbones import VGG16, VGG19
from nst_tf.optimization.footprint import (
    LEAST_HISTORY,
    LEAST_TILE,
    SAFETY,
    TARGET_COPIES,
    TILE_SIDES,
    Footprint,
    check_fits,
    fits_easily,
    fitting_factor,
    fitting_tile,
)
from nst_tf.optimization.network_memory import COPIES, FIXED_MB, TILE_COPIES, WEIGHT_COPIES, fixed_mb, needed_mb
from nst_tf.optimizers import LBFGS
from nst_tf.system.runtime import ConvolutionMethod
from nst_tf.util.errors import InputError
from tests.shares import CROSSINGS, is_chosen


def variable_mb(extractor, side):
    """The part of the estimate that grows with the picture."""
    return needed_mb(extractor, side, side) - fixed_mb(extractor)


def test_the_estimate_grows_with_area_and_depth():
    shallow, deep = (VGG19(weights="random").extractor([layer]) for layer in ("conv2_1", "conv5_1"))
    assert variable_mb(deep, 256) > 1.2 * variable_mb(shallow, 256)
    assert variable_mb(deep, 512) == pytest.approx(4 * variable_mb(deep, 256), rel=0.01)


def test_the_fixed_part_counts_the_weights():
    """The first convolution of VGG has 3·3·3·64 weights and 64 biases, here without the bytes of a feature."""
    extractor = VGG16(weights="random").extractor(["conv1_1"])
    assert fixed_mb(extractor) == pytest.approx(FIXED_MB + WEIGHT_COPIES * 4 * (27 * 64 + 64) / 2**20)
    assert fixed_mb(VGG16(weights="random").extractor([])) == FIXED_MB


def test_features_in_bfloat16_take_half_of_the_memory_and_a_float32_copy_of_the_tapped_layer():
    whole, half = (
        variable_mb(VGG16(weights="random").extractor(["conv5_1"], precision), 512)
        for precision in ("float32", "mixed_bfloat16")
    )
    pictures, tapped = COPIES * 512 * 512 * 3 * 4 / 2**20, 32 * 32 * 512 * 4 / 2**20
    assert half - pictures - tapped == pytest.approx((whole - pictures) / 2, rel=0.01)


def test_weights_in_bfloat16_are_copied_where_the_cpu_has_its_instructions(monkeypatch):
    extractor = VGG16(weights="random").extractor(["conv1_1"], "mixed_bfloat16")
    copied = {}
    for instructions in ("amx_bf16", "avx2"):
        monkeypatch.setattr("nst_tf.system.hardware.instruction_sets", lambda names={instructions}: names)
        copied[instructions] = fixed_mb(extractor) - FIXED_MB
    assert copied == pytest.approx({"amx_bf16": WEIGHT_COPIES * 4 * (27 * 64 + 64) / 2**20, "avx2": 0})


def test_gradients_of_layers_that_a_loss_reads_at_once_take_memory_where_other_layers_read_them_too():
    """The gradient of conv2_1, which no layer reads, takes the place of its features."""
    extractor = VGG16(weights="random").extractor(["conv1_2", "conv2_1"])
    alone, joint = (needed_mb(extractor, 64, 64, joint_layers=layers) for layers in ((), ("conv1_2", "conv2_1")))
    assert joint - alone == pytest.approx(64 * 64 * 64 * 4 / 2**20)


def test_float16_needs_the_gradients_of_all_layers_at_once():
    extractor = VGG16(weights="random").extractor(["conv1_2", "conv2_1"], "mixed_float16")
    of_both = needed_mb(extractor, 64, 64, joint_layers=("conv1_2", "conv2_1"))
    assert needed_mb(extractor, 64, 64) == of_both
    alone = VGG16(weights="random").extractor(["conv2_1"], "mixed_float16")
    in_float32 = 64 * 64 * 64 * 4 / 2**20  # of conv1_2: a copy of the features, and their gradient
    assert of_both - needed_mb(alone, 64, 64) == pytest.approx(2 * in_float32)


def test_float32_copies_of_all_layers_exist_before_the_backward_pass_and_of_the_largest_within_it():
    """The three copies are larger than the largest with the two largest gradients, which are half as large as it."""
    extractor = VGG16(weights="random").extractor(["conv1_1", "conv1_2", "conv2_1"], "mixed_bfloat16")
    copy = 64 * 64 * 64 * 4 / 2**20  # of conv1_1 or conv1_2; that of conv2_1 has half of its size
    of_forward, of_both = (needed_mb(extractor, 64, 64, backward=backward) for backward in (False, True))
    assert of_both == of_forward
    alone = VGG16(weights="random").extractor(["conv2_1"], "mixed_bfloat16")
    of_forward, of_both = (needed_mb(alone, 64, 64, backward=backward) for backward in (False, True))
    assert of_both - of_forward == pytest.approx(copy)


def test_winograd_needs_the_tiles_of_the_largest_of_its_convolutions_twice():
    extractors = [
        VGG19(weights="random").extractor(["conv5_1"], convolution=method)
        for method in (ConvolutionMethod.transposed, ConvolutionMethod.winograd)
    ]
    plain, by_winograd = (variable_mb(extractor, 512) for extractor in extractors)
    on_cpu = not tf.config.list_physical_devices("GPU")
    tiles = 2 * 36 / 16 * 128 * 128 * 256 * 4 / 2**20  # of conv3_1 to conv3_4
    assert by_winograd - plain == pytest.approx(tiles if on_cpu else 0)


VGG = {"backbone": "vgg19", "weights": "random"}

SETTINGS = {
    "vgg19_lite at 128": {"size": 128},
    "vgg19_lite at 256": {"size": 256},
    "vgg19_lite at 512": {"size": 512},
    "vgg19_lite at 768": {"size": 768},
    "vgg19 at 128": {"size": 128, **VGG},
    "vgg19 at 256": {"size": 256, **VGG},
    "vgg19 at 384": {"size": 384, **VGG},
    "vgg19 at 384 with recompute": {"size": 384, **VGG, "recompute": True},
    "vgg19 by Winograd's method at 512": {"size": 512, **VGG, "convolution": "winograd"},
    "vgg19 by Winograd's method at 384 with recompute": {
        **{"size": 384, **VGG, "recompute": True},
        "convolution": "winograd",
    },
    "100 curvature pairs at 256": {"size": 256, "history": 100},
    "adam at 256": {"size": 256, "optimizer": "adam"},
    "scipy_lbfgs at 256": {"size": 256, "optimizer": "scipy_lbfgs"},
    "coarse to fine to 512": {"size": 512, "scales": [0.5, 1.0]},
    "vgg19_lite in bfloat16 at 256": {"size": 256, "precision": "mixed_bfloat16"},
    "vgg19 in bfloat16 at 256": {"size": 256, **VGG, "precision": "mixed_bfloat16"},
    "tiles of 256 at 768": {"size": 768, "tile": "256"},
    "tiles of 256 at 1024 with adam": {"size": 1024, "tile": "256", "optimizer": "adam"},
    "tiles of 128 at 512 of vgg19": {"size": 512, "tile": "128", **VGG},
    "tiles of 128 at 384": {"size": 384, "tile": "128"},
    "tiles of 256 at 512": {"size": 512, "tile": "256"},
    "tiles of 128 at 384 of vgg19": {"size": 384, "tile": "128", **VGG},
    "tiles of 384 at 768 with adam": {"size": 768, "tile": "384", "optimizer": "adam"},
    "tiles of 256 at 768 in bfloat16": {"size": 768, "tile": "256", "precision": "mixed_bfloat16"},
}
"""Arguments of `measure` in memory_growth.py."""

TOLERANCE = 0.2
"""Largest relative error of an estimate."""


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
@pytest.mark.parametrize("name", [name for number, name in enumerate(SETTINGS) if is_chosen(number, CROSSINGS)])
def test_a_run_takes_the_estimated_memory_within_a_fifth(name, record_property):
    """The growth varies by a sixth from process to process; where the first is farther off, the median of three counts.

    Threads that share the work allocate in another order each time.
    """
    first = measured(name)
    estimate, growths = first["estimate"], [first["growth"]]
    if estimate != pytest.approx(first["growth"], rel=TOLERANCE):
        growths += [measured(name)["growth"] for _ in range(2)]
    growth = statistics.median(growths)
    record_property("estimate_over_growth", estimate / growth)
    print(f"{name}: estimate {estimate:.0f} MiB, growth {growth:.0f} MiB, ratio {estimate / growth:.2f}")
    assert estimate == pytest.approx(growth, rel=TOLERANCE)


LIMIT = 1000
"""MiB of the control group in `LIMITED`; the process has about 680 before the run."""

LIMITED = f"""
import sys
sys.path.insert(0, "tests/optimization")
from nst_tf.system import memory, memory_limits
from memory_growth import main

def group_limits(root):
    return [memory_limits.MemoryLimit("the control group /job", {LIMIT} - memory.resident_mb())]

memory_limits.cgroup_limits = group_limits
main({{"size": 1024, "fit_memory": True}})
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process can be reset on Linux alone")
def test_a_run_that_is_made_to_fit_stays_below_the_limit():
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": str(root)}
    command = [sys.executable, "-c", LIMITED]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(done.stdout.splitlines()[-1])
    print(result)
    assert 0.05 < result["factor"] < 0.7
    assert result["peak"] < LIMIT


@pytest.fixture
def free(monkeypatch):
    """Function that sets the free MiB and the name of the limit that leaves them."""

    def set_free(megabytes, name="the control group /job of 700 MiB"):
        monkeypatch.setattr("nst_tf.optimization.footprint.available_mb", lambda device: megabytes)
        limit = type("Limit", (), {"name": name})
        monkeypatch.setattr("nst_tf.optimization.footprint.tightest_limit", lambda device: limit)

    return set_free


def with_history(history, extractor=None):
    extractor = extractor or VGG16(weights="random").extractor(["conv1_1"])
    optimizer = LBFGS(history=history)
    return Footprint(extractor, (128, 128), [(64, 64)], optimizer.image_copies, optimizer)


def test_a_history_that_costs_most_is_named_with_a_number_that_fits(free):
    """A pair takes two pictures of 128x128 values in three channels, each of 0.1875 MiB, and its part of the graph."""
    pair = 2 * 0.1875 + LBFGS(history=2).graph_mb - LBFGS(history=1).graph_mb
    assert with_history(1000).history_mb() == pytest.approx(1000 * pair)
    free(1500)
    with pytest.raises(InputError, match=r"optimizer\.history=1000000 takes 1147\.5 GiB") as error:
        check_fits(with_history(1_000_000), "/CPU:0")
    message = str(error.value)
    assert "image.size" not in message
    assert "the control group /job of 700 MiB" in message
    fits = int(re.search(r"history=(\d+) is about", message)[1])
    assert fits == pytest.approx((1500 / SAFETY - FIXED_MB - LBFGS().graph_mb) / pair, rel=0.03)
    check_fits(with_history(fits), "/CPU:0")
    with pytest.raises(InputError):
        check_fits(with_history(fits + 2), "/CPU:0")


def test_a_smaller_picture_is_no_remedy_for_a_history_that_costs_most(free):
    free(1500)
    assert fitting_factor(with_history(1_000_000), "/CPU:0") == 1


def test_the_default_history_is_not_what_costs_most(free):
    footprint = with_history(20, VGG19(weights="random").extractor(["conv1_1"]))
    free(SAFETY * footprint.fixed_mb() + 5)
    with pytest.raises(InputError, match=r"image\.size=\d+ is about the largest") as error:
        check_fits(footprint, "/CPU:0")
    assert "history" not in str(error.value)


def test_less_memory_than_the_fixed_part_is_refused_without_a_size(free):
    free(50, "RLIMIT_AS (ulimit -v) of 1000 MiB")
    assert fitting_factor(with_history(20), "/CPU:0") == 1
    fixed = SAFETY * (FIXED_MB + LBFGS(history=20).graph_mb) + 0.01  # the weights of conv1_1 take 7 kB
    with pytest.raises(InputError, match=rf"RLIMIT_AS.*need {fixed:.0f} MiB at any size\. Give the process") as error:
        check_fits(with_history(20), "/CPU:0")
    assert "image.size" not in str(error.value)


def test_an_estimate_must_fit_with_its_margin_for_error(free):
    footprint = with_history(20)
    free(1.01 * SAFETY * footprint.needed_mb())
    check_fits(footprint, "/CPU:0")
    free(0.99 * SAFETY * footprint.needed_mb())
    with pytest.raises(InputError):
        check_fits(footprint, "/CPU:0")


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
    assert variable_mb(pieces, 512) < 0.8 * variable_mb(whole, 512)


@pytest.fixture(scope="module")
def shallow():
    return VGG16(weights="random").extractor(["conv1_1", "conv2_1"])


def large(extractor, history=20, **changes):
    """The footprint of a picture of 4096x3072 with L-BFGS."""
    optimizer = LBFGS(history=history)
    return Footprint(extractor, (3072, 4096), [(64, 64)], optimizer.image_copies, optimizer, **changes)


def test_tiles_need_memory_that_grows_with_the_pictures_own_copies_alone(shallow):
    """The network's features are those of one window; a picture of 3072x4096 takes 144 MiB."""
    small, big = (
        Footprint(shallow, shape, [], 10, tile=512, target_layers=["conv2_1"]) for shape in ((1536, 2048), (3072, 4096))
    )
    features = TARGET_COPIES * 128 / 4 * 4 * (3072 * 4096 - 1536 * 2048) / 2**20
    copies = (10 + COPIES + TILE_COPIES) * (144 - 36)
    assert big.needed_mb() - small.needed_mb() == pytest.approx(copies + features, rel=0.02)


def test_the_largest_tile_that_fits_with_the_whole_history_is_taken(shallow, free):
    for side, smaller in itertools.pairwise(side for side in TILE_SIDES if side >= LEAST_TILE):
        free(1.001 * SAFETY * large(shallow, tile=side).needed_mb())
        assert fitting_tile(large(shallow), "/CPU:0") == large(shallow, tile=side)
        free(0.999 * SAFETY * large(shallow, tile=side).needed_mb())
        assert fitting_tile(large(shallow), "/CPU:0").tile == smaller


def test_the_history_is_shortened_before_tiles_become_small(shallow, free):
    free(1.001 * SAFETY * large(shallow, history=9, tile=LEAST_TILE).needed_mb())
    fitted = fitting_tile(large(shallow), "/CPU:0")
    assert (fitted.tile, fitted.optimizer.history) == (LEAST_TILE, 9)
    assert fitted == large(shallow, history=9, tile=LEAST_TILE)


def test_small_tiles_keep_the_shortest_history(shallow, free):
    free(1.001 * SAFETY * large(shallow, history=LEAST_HISTORY, tile=256).needed_mb())
    fitted = fitting_tile(large(shallow), "/CPU:0")
    assert (fitted.tile, fitted.optimizer.history) == (256, LEAST_HISTORY)


def test_a_tile_that_is_asked_for_is_kept_and_the_history_shortened(shallow, free):
    free(1.001 * SAFETY * large(shallow, history=7, tile=300).needed_mb())
    fitted = fitting_tile(large(shallow, tile=300), "/CPU:0")
    assert (fitted.tile, fitted.optimizer.history) == (300, 7)

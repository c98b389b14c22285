"""Device, threads, memory."""

import platform
import subprocess
import sys

import pytest
import tensorflow as tf

from nst_tf import processor
from nst_tf.backbones import VGG16, VGG19
from nst_tf.errors import InputError
from nst_tf.memory import Footprint, available_mb, check_fits, fitting_factor, needed_mb, peak_memory_mb
from nst_tf.runtime import Runtime

GPUS = len(tf.config.list_physical_devices("GPU"))


def test_auto_takes_the_first_gpu_or_the_cpu():
    assert Runtime().prepare() == ("/GPU:0" if GPUS else "/CPU:0")


def test_the_cpu_may_be_asked_for():
    assert Runtime(device="cpu").prepare() == "/CPU:0"


def test_a_gpu_that_is_not_there_is_refused():
    with pytest.raises(InputError, match=f"sees {GPUS} GPU"):
        Runtime(device=f"gpu:{GPUS}").prepare()


@pytest.mark.parametrize("fields", [{"device": "cuda"}, {"device": "gpu"}, {"threads": 0}, {"precision": "float8"}])
def test_values_out_of_range_are_refused(fields):
    with pytest.raises(InputError, match=next(iter(fields))):
        Runtime(**fields)


def test_threads_and_determinism_reach_tensorflow():
    code = (
        "import tensorflow as tf\n"
        "from nst_tf.errors import InputError\n"
        "from nst_tf.runtime import Runtime\n"
        "Runtime(threads=1, deterministic=True).prepare()\n"
        "assert tf.config.threading.get_intra_op_parallelism_threads() == 1\n"
        "assert tf.config.threading.get_inter_op_parallelism_threads() == 1\n"
        "from tensorflow.python.framework import config\n"
        "assert config.is_op_determinism_enabled()\n"
        "tf.zeros([1])\n"
        "Runtime(threads=1).prepare()\n"
        "try: Runtime(threads=2).prepare()\n"
        "except InputError as error: assert 'threads=2' in str(error)\n"
        "else: raise AssertionError('threads changed in a running process')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


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


@pytest.mark.parametrize(
    ("told", "precision"),
    [
        ("model name\t: Xeon\nflags\t\t: fpu avx2 amx_bf16 sse\nbugs\t\t: spectre_v1\n", "mixed_bfloat16"),
        ("CPU implementer\t: 0x41\nFeatures\t: fp asimd bf16\n", "mixed_bfloat16"),
        ("model name\t: Xeon\nflags\t\t: fpu avx2 avx512f\nbugs\t\t: amx_bf16\n", "float32"),
        ("", "float32"),
        (None, "float32"),
    ],
    ids=["x86", "ARM", "without", "empty", "not Linux"],
)
def test_auto_is_what_the_processor_has_instructions_for(told, precision, tmp_path, monkeypatch):
    monkeypatch.setattr("nst_tf.processor.CPUINFO", tmp_path / "cpuinfo")
    if told is not None:
        (tmp_path / "cpuinfo").write_text(told)
    assert Runtime(device="cpu").policy() == precision
    assert Runtime(device="cpu", precision="mixed_float16").policy() == "mixed_float16"


def test_the_processor_has_a_name(tmp_path, monkeypatch):
    monkeypatch.setattr("nst_tf.processor.CPUINFO", tmp_path / "cpuinfo")
    assert processor.name() == platform.processor()
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Intel(R) Xeon(R): 2\n\nprocessor\t: 1\n")
    assert processor.name() == "Intel(R) Xeon(R): 2"


@pytest.mark.parametrize(
    ("capability", "precision"), [((9, 0), "mixed_bfloat16"), ((7, 5), "mixed_float16"), ((6, 1), "float32")]
)
def test_auto_on_a_gpu_follows_its_tensor_cores(capability, precision, monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["gpu"])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: {"compute_capability": capability})
    assert Runtime().policy() == precision


def test_memory_is_measured():
    assert 50 < peak_memory_mb("/CPU:0") < 100_000
    assert available_mb("/CPU:0") > 100

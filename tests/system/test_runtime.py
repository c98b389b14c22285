"""Tests of the choice of device, threads and precision."""

import subprocess
import sys

import pytest
import tensorflow as tf

from nst_tf import Config
from nst_tf.config.settings import recorded_settings
from nst_tf.system.runtime import Runtime
from nst_tf.util.errors import InputError

GPUS = len(tf.config.list_physical_devices("GPU"))


def test_device_auto_is_the_first_gpu_or_else_the_cpu():
    assert Runtime().prepare() == ("/GPU:0" if GPUS else "/CPU:0")


def test_device_cpu_is_the_cpu_on_every_machine():
    assert Runtime(device="cpu").prepare() == "/CPU:0"


def test_a_missing_gpu_is_refused_with_the_number_of_gpus():
    with pytest.raises(InputError, match=f"sees {GPUS} GPU"):
        Runtime(device=f"gpu:{GPUS}").prepare()


def test_tensor_float_32_is_on_unless_the_setting_turns_it_off():
    for tf32 in (False, True):
        Runtime(device="cpu", tf32=tf32).prepare()
        assert tf.config.experimental.tensor_float_32_execution_enabled() == tf32
    assert Runtime().tf32


def test_the_fingerprint_does_not_depend_on_tensor_float_32(pictures):
    def fingerprint(runtime):
        config = Config(content=pictures[0], style=pictures[1], runtime=runtime)
        return recorded_settings(config, [], ["hash"], None).fingerprint

    assert fingerprint(Runtime()) == fingerprint(Runtime(tf32=False))


@pytest.mark.parametrize("fields", [{"device": "cuda"}, {"device": "gpu"}, {"threads": 0}, {"precision": "float8"}])
def test_invalid_settings_are_refused(fields):
    with pytest.raises(InputError, match=next(iter(fields))):
        Runtime(**fields)


@pytest.mark.slow
def test_threads_and_determinism_reach_tensorflow():
    code = (
        "import tensorflow as tf\n"
        "from nst_tf.util.errors import InputError\n"
        "from nst_tf.system.runtime import Runtime\n"
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


@pytest.mark.parametrize(
    ("cpuinfo", "precision"),
    [
        ("model name\t: Xeon\nflags\t\t: fpu avx2 amx_bf16 sse\nbugs\t\t: spectre_v1\n", "mixed_bfloat16"),
        ("CPU implementer\t: 0x41\nFeatures\t: fp asimd bf16\n", "mixed_bfloat16"),
        ("model name\t: Xeon\nflags\t\t: fpu avx2 avx512f\nbugs\t\t: amx_bf16\n", "float32"),
        ("", "float32"),
        (None, "float32"),
    ],
    ids=["x86", "ARM", "without", "empty", "not Linux"],
)
def test_precision_auto_on_a_cpu_follows_its_instruction_sets(cpuinfo, precision, tmp_path, monkeypatch):
    monkeypatch.setattr("nst_tf.system.hardware.CPUINFO", tmp_path / "cpuinfo")
    if cpuinfo is not None:
        (tmp_path / "cpuinfo").write_text(cpuinfo)
    assert Runtime(device="cpu").policy() == precision
    assert Runtime(device="cpu", precision="mixed_float16").policy() == "mixed_float16"


@pytest.mark.parametrize(
    ("capability", "precision"), [((9, 0), "mixed_bfloat16"), ((7, 5), "mixed_float16"), ((6, 1), "float32")]
)
def test_precision_auto_on_a_gpu_follows_its_compute_capability(capability, precision, monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["gpu"])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: {"compute_capability": capability})
    assert Runtime().policy() == precision

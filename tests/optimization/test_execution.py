"""The choice of precision and convolution: settings, a resumed run, a sweep, and then the measured seconds."""

import contextlib
import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from nst_tf import stylize
from nst_tf.backbones import VGG19, MobileNet, VGG19Lite
from nst_tf.backbones.workload import Part
from nst_tf.optimization import execution
from nst_tf.optimization.execution import WITH_XLA, WITHOUT_XLA, Execution, choose_execution, recorded_threads
from nst_tf.system import hardware, measurement
from nst_tf.system.runtime import ConvolutionMethod, JitCompile, Runtime
from nst_tf.util.errors import InputError

VGG, LITE = VGG19(weights="random"), VGG19Lite()
WIDE = ["conv4_1", "conv4_2"]
CPU = Runtime(device="cpu")
PLAIN, TRANSPOSED = ConvolutionMethod.plain, ConvolutionMethod.transposed
XLA = {WITHOUT_XLA, WITH_XLA}


class Timer:
    """Takes the place of `measure`: the seconds of an operation depend on its dtype and way alone."""

    def __init__(self, float32=1.0, bfloat16=1.0, transposed=1.0, winograd=1.0, float16=1.0, xla=1.0):
        self.xla_calls, self.xla_seconds = 0, {WITHOUT_XLA: 1.0, WITH_XLA: xla}
        self.calls, self.factors = 0, {"float32": float32, "bfloat16": bfloat16, "float16": float16}
        self.methods = {"transposed": transposed, "winograd": winograd}

    def __call__(self, candidates):
        if candidates.keys() == self.xla_seconds.keys():
            self.xla_calls += 1
            return self.xla_seconds
        self.calls += 1
        return {part: self.seconds(part) for part in candidates if self.factors[part.dtype]}

    def seconds(self, part: Part):
        method = part.way.partition(", ")[2]
        return 1e-3 * self.methods.get(method, self.factors[part.dtype])


@pytest.fixture
def timer(monkeypatch, tmp_path):
    """Function that sets the seconds which every measurement will find, and the processor's expected precision."""

    def use(instructions=("amx_bf16",), **seconds):
        found = Timer(**seconds)
        monkeypatch.setattr(execution, "measure", found)
        monkeypatch.setattr(hardware, "instruction_sets", lambda: set(instructions))
        return found

    monkeypatch.setenv(measurement.MEASURE_VARIABLE, "1")
    monkeypatch.setenv(measurement.CACHE_VARIABLE, str(tmp_path / "cache"))
    return use


@pytest.mark.parametrize(
    ("instructions", "seconds", "precision"),
    [
        ({"amx_bf16"}, {"float32": 3.0, "bfloat16": 1.0}, "mixed_bfloat16"),
        ({"avx512_bf16"}, {"float32": 1.0, "bfloat16": 1.8}, "float32"),  # AVX512-BF16 without AMX
        ({"avx512_bf16"}, {"float32": 1.0, "bfloat16": 1.02}, "mixed_bfloat16"),  # noise: what the flags say
        ({"avx2"}, {"float32": 1.0, "bfloat16": 0.98}, "float32"),
        ({"avx2"}, {"float32": 1.0, "bfloat16": 0.5}, "mixed_bfloat16"),
        ({"amx_bf16"}, {"float32": 1.0, "bfloat16": 0}, "float32"),  # oneDNN cannot compute it
    ],
)
def test_the_measured_precision_is_chosen_and_the_flags_decide_within_noise(timer, instructions, seconds, precision):
    timer(instructions, **seconds)
    chosen = choose_execution(LITE, ["conv2_1"], CPU, (256, 256))
    assert (chosen.precision, chosen.decided_by) == (precision, "measurement")
    assert chosen.record()["measured_seconds"].keys() == {
        name for name, value in zip(("float32", "mixed_bfloat16"), seconds.values(), strict=True) if value
    }


@pytest.fixture
def gpu(monkeypatch):
    """Function that lets TensorFlow report one GPU of a compute capability; it computes on the CPU."""

    def use(capability=(9, 0), name="NVIDIA H100"):
        details = {"compute_capability": capability, "device_name": name}
        monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: details)

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["gpu"])
    monkeypatch.setattr(tf, "device", lambda name: contextlib.nullcontext())
    monkeypatch.setattr(execution, "reset_peak_memory", lambda device: None)
    monkeypatch.setattr(execution, "GPU_SIZES", (64,))
    use()
    return use


@pytest.mark.parametrize(
    ("capability", "seconds", "precision"),
    [
        ((9, 0), {"float32": 3.0, "bfloat16": 1.0, "float16": 1.01}, "mixed_bfloat16"),
        ((9, 0), {"float32": 3.0, "bfloat16": 1.02, "float16": 1.0}, "mixed_bfloat16"),  # noise: the capability
        ((9, 0), {"float32": 3.0, "bfloat16": 1.2, "float16": 1.0}, "mixed_float16"),
        ((9, 0), {"float32": 1.0, "bfloat16": 1.2, "float16": 1.2}, "float32"),
        ((7, 5), {"float32": 3.0, "bfloat16": 0, "float16": 1.0}, "mixed_float16"),  # cuDNN refuses bfloat16
        ((6, 1), {"float32": 1.0, "bfloat16": 0, "float16": 8.0}, "float32"),
    ],
)
def test_a_gpu_is_measured_in_three_precisions_and_its_capability_decides_within_noise(
    timer, gpu, capability, seconds, precision
):
    timer(**seconds)
    gpu(capability)
    chosen = choose_execution(LITE, ["conv2_1"], Runtime(), (64, 64))
    assert (chosen.precision, chosen.decided_by) == (precision, "measurement")
    names = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}
    assert chosen.seconds.keys() - XLA == {names[dtype] for dtype, value in seconds.items() if value}


def test_convolutions_are_plain_on_a_gpu(timer, gpu):
    found = timer(transposed=0.1, winograd=0.1)
    chosen = choose_execution(VGG, WIDE, Runtime(), (64, 64))
    assert not {"float32, transposed", "float32, winograd"} & chosen.seconds.keys()
    assert choose_execution(VGG, WIDE, Runtime("float32", jit_compile="never"), (64, 64)) == Execution("float32")
    assert found.calls == 1


def test_a_network_that_is_not_timed_wholly_needs_no_advantage_on_a_gpu(timer, gpu):
    timer(float32=1.0, bfloat16=0.9)
    chosen = choose_execution(MobileNet(weights="random"), ["stage1"], Runtime(), (64, 64))
    assert chosen.precision == "mixed_bfloat16"


def test_the_measurement_of_a_gpu_is_kept_for_model_capability_and_settings(timer, gpu, monkeypatch):
    found = timer()
    for change in (
        lambda: gpu(),
        lambda: gpu(),  # kept
        lambda: gpu((8, 0), "NVIDIA A100"),
        lambda: gpu((8, 0), "NVIDIA A100-SXM4-80GB"),
        lambda: monkeypatch.setenv("TF_CUDNN_USE_AUTOTUNE", "0"),
    ):
        change()
        choose_execution(LITE, ["conv2_1"], Runtime(), (64, 64))
    assert found.calls == 4
    choose_execution(LITE, ["conv2_1"], Runtime(), (2048, 2048))  # kept for every size
    choose_execution(LITE, ["conv2_1"], Runtime(tf32=False), (64, 64))
    choose_execution(LITE, ["conv2_1"], Runtime(deterministic=True), (64, 64))
    assert found.calls == 6
    choose_execution(LITE, ["conv2_1"], CPU, (64, 64))  # another key
    assert found.calls == 7


def test_memory_that_ends_during_a_measurement_leaves_the_choice_to_the_device(timer, gpu, monkeypatch):
    def exhaust(candidates):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    timer()
    monkeypatch.setattr(execution, "measure", exhaust)
    chosen = choose_execution(LITE, ["conv2_1"], Runtime(), (64, 64))
    assert chosen == Execution("mixed_bfloat16", TRANSPOSED, "properties of the device")
    found = timer(float16=0.5)
    assert choose_execution(LITE, ["conv2_1"], Runtime(), (64, 64)).precision == "mixed_float16"
    assert found.calls == 1  # nothing was kept


@pytest.mark.parametrize(("xla", "expected"), [(0.5, JitCompile.auto), (0.99, JitCompile.never)])
def test_xla_compiles_on_a_gpu_where_it_is_faster_beyond_noise(timer, gpu, xla, expected):
    found = timer(xla=xla)
    for _ in range(2):
        chosen = choose_execution(LITE, ["conv2_1"], Runtime("float32"), (64, 64))
        assert chosen.jit_compile is expected
        assert chosen.record()["jit_compile"] == expected.value
        assert chosen.record()["measured_seconds"] == {WITHOUT_XLA: 1.0, WITH_XLA: xla}
    assert found.xla_calls == 1  # kept
    choose_execution(LITE, ["conv2_1"], Runtime("mixed_float16"), (64, 64))
    assert found.xla_calls == 2  # for each precision


def test_a_setting_a_record_and_a_cpu_decide_on_xla_without_a_measurement(timer, monkeypatch, request):
    found = timer(xla=0.1)

    def chosen(runtime, record=None):
        return choose_execution(LITE, ["conv2_1"], runtime, (64, 64), record).jit_compile

    assert chosen(CPU) is JitCompile.never
    assert chosen(Runtime(device="cpu", jit_compile="always")) is JitCompile.always
    with pytest.raises(InputError, match=r"^runtime.jit_compile=always: XLA may keep what runtime.recompute=true"):
        Runtime(recompute=True, jit_compile="always")
    request.getfixturevalue("gpu")
    assert chosen(CPU, {"execution": {"jit_compile": "auto"}}) is JitCompile.never  # begun on a GPU
    assert chosen(Runtime(jit_compile="never")) is JitCompile.never
    assert chosen(Runtime(deterministic=True)) is JitCompile.never
    assert chosen(Runtime(recompute=True)) is JitCompile.never
    for recorded in ("auto", "always"):
        assert chosen(Runtime(), {"execution": {"jit_compile": recorded}}) is JitCompile.auto
    for execution_record in ({"jit_compile": "never"}, {}, None, "x"):  # the others are of earlier versions, or damaged
        assert chosen(Runtime(), {"execution": execution_record, "steps": 3}) is JitCompile.never
    assert chosen(Runtime(jit_compile="always"), {"execution": {"jit_compile": "never"}}) is JitCompile.always
    monkeypatch.setenv(measurement.MEASURE_VARIABLE, "0")
    assert chosen(Runtime()) is JitCompile.never
    assert found.xla_calls == 0


def test_both_ways_of_the_evaluation_that_is_timed_compute_the_same(timer, gpu, monkeypatch):
    timer()
    results = {}

    def run_each(candidates):
        if WITH_XLA in candidates:
            results.update({name: run() for name, run in candidates.items()})
        return dict.fromkeys(candidates, 1.0)

    monkeypatch.setattr(execution, "measure", run_each)
    monkeypatch.setattr(execution, "synchronised", lambda run, calls: run)
    monkeypatch.setattr(execution, "GPU_SIZES", (32,))
    choose_execution(LITE, ["conv1_1", "conv2_1"], Runtime("float32"), (32, 32))
    plain, by_xla = (results[name].numpy() for name in (WITHOUT_XLA, WITH_XLA))
    assert plain.shape == (1, 32, 32, 3)
    np.testing.assert_allclose(by_xla, plain, rtol=1e-3, atol=1e-4 * np.abs(plain).max())
    assert np.abs(plain).max() > 0


@pytest.mark.parametrize(("bfloat16", "precision"), [(0.7, "float32"), (0.6, "mixed_bfloat16")])
def test_bfloat16_needs_an_advantage_in_a_network_that_is_not_timed_wholly(timer, bfloat16, precision):
    timer({"amx_bf16"}, float32=1.0, bfloat16=bfloat16)
    assert choose_execution(MobileNet(weights="random"), ["stage1"], CPU, (64, 64)).precision == precision


@pytest.mark.parametrize(
    ("transposed", "winograd", "expected"),
    [
        (0.5, 1.0, "transposed"),
        (1.5, 1.2, "plain"),
        (1.02, 1.0, "transposed"),  # noise
        (0.5, 0.3, "winograd"),
        (1.5, 0.8, "winograd"),
    ],
)
def test_wide_convolutions_have_the_fastest_method(timer, transposed, winograd, expected):
    timer(transposed=transposed, winograd=winograd, bfloat16=9.0)
    chosen = choose_execution(VGG, WIDE, CPU, (64, 64))
    assert (chosen.precision, chosen.convolution.value) == ("float32", expected)
    names = {type(layer).__name__ for layer in VGG.extractor(WIDE, convolution=chosen.convolution).model.layers}
    fast = {"transposed": "TransposedConv2D", "winograd": "WinogradConv2D"}
    assert names & set(fast.values()) == ({fast[expected]} if expected in fast else set())


@pytest.mark.parametrize("method", ["transposed", "winograd"])
def test_the_fastest_method_of_float32_is_compared_with_bfloat16(timer, method):
    timer({"avx2"}, float32=1.0, bfloat16=0.9, **{method: 0.1})
    assert choose_execution(VGG, WIDE, CPU, (64, 64)).precision == "float32"


def test_a_setting_is_kept_and_measured_only_where_a_choice_is_open(timer):
    found = timer(transposed=2.0, winograd=3.0)
    for precision in ("mixed_bfloat16", "mixed_float16"):
        assert choose_execution(VGG, WIDE, Runtime(precision), (64, 64)) == Execution(precision)
    assert choose_execution(LITE, ["conv2_1"], Runtime("float32"), (64, 64)) == Execution("float32")
    for method in (TRANSPOSED, ConvolutionMethod.winograd):
        set_by_hand = Runtime("float32", convolution=method)
        assert choose_execution(VGG, WIDE, set_by_hand, (64, 64)) == Execution("float32", method)
    assert found.calls == 0
    chosen = choose_execution(VGG, WIDE, Runtime("float32"), (64, 64))
    assert (chosen.precision, chosen.convolution, chosen.decided_by) == ("float32", PLAIN, "setting")
    assert found.calls == 1


def test_the_measurement_is_kept_for_network_layers_and_class_of_size(timer, monkeypatch):
    found = timer()
    for backbone, layers, size in (
        (LITE, ["conv2_1"], (256, 256)),
        (LITE, ["conv2_1"], (300, 220)),  # the same class of size
        (LITE, ["conv2_1"], (512, 512)),
        (LITE, ["conv3_1"], (512, 512)),
        (VGG19Lite(padding="zero"), ["conv3_1"], (512, 512)),
    ):
        choose_execution(backbone, layers, CPU, size)
    assert found.calls == 4
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX512_CORE")
    choose_execution(LITE, ["conv2_1"], CPU, (256, 256))
    assert found.calls == 5


def test_without_a_measurement_the_properties_of_the_device_decide(timer, monkeypatch):
    found = timer({"avx512_bf16"}, float32=1.0, bfloat16=9.0)
    assert choose_execution(LITE, [], CPU, (64, 64)).precision == "mixed_bfloat16"  # no network
    monkeypatch.setenv(measurement.MEASURE_VARIABLE, "0")
    chosen = choose_execution(VGG, WIDE, CPU, (64, 64))
    assert chosen == Execution("mixed_bfloat16", TRANSPOSED, "properties of the device")
    assert found.calls == 0


def test_the_runs_of_a_sweep_share_the_precision_of_the_first_one(timer, tmp_path):
    timer(float32=1.0, bfloat16=5.0)
    assert choose_execution(LITE, ["conv2_1"], CPU, (64, 64), sweep=tmp_path).precision == "float32"
    found = timer(float32=5.0, bfloat16=1.0)  # another node, and another network
    chosen = choose_execution(LITE, ["conv3_1"], CPU, (64, 64), sweep=tmp_path)
    assert (chosen.precision, chosen.decided_by, found.calls) == ("float32", "sweep", 0)
    set_by_hand = choose_execution(LITE, ["conv3_1"], Runtime("mixed_bfloat16"), (64, 64), sweep=tmp_path)
    assert set_by_hand.precision == "mixed_bfloat16"
    kept = json.loads((tmp_path / "precision.json").read_text())
    assert (kept["precision"], kept["decided_by"]) == ("float32", "measurement")


@pytest.mark.parametrize(
    ("recorded", "method"),
    [
        ({"convolution": "winograd"}, ConvolutionMethod.winograd),
        ({"convolution": "plain"}, PLAIN),
        ({"convolution": "other"}, TRANSPOSED),
        ({"transposed_conv": False}, PLAIN),  # the earlier form
        ({"transposed_conv": True}, TRANSPOSED),
        ({}, TRANSPOSED),
    ],
)
def test_a_resumed_run_keeps_precision_and_convolution(timer, tmp_path, recorded, method):
    found = timer(winograd=0.1)
    record = {"precision": "mixed_bfloat16", "execution": recorded | {"threads": 2}}
    expected = Execution("mixed_bfloat16", method, "resumed run")
    assert choose_execution(VGG, WIDE, CPU, (64, 64), record, tmp_path) == expected
    assert choose_execution(VGG, WIDE, Runtime("mixed_bfloat16"), (64, 64), record) == expected
    assert choose_execution(VGG, WIDE, CPU, (64, 64), {"precision": "float32"}).convolution is TRANSPOSED
    set_by_hand = Runtime(convolution=ConvolutionMethod.winograd)
    assert choose_execution(VGG, WIDE, set_by_hand, (64, 64), record).convolution is ConvolutionMethod.winograd
    assert found.calls == 0
    assert choose_execution(LITE, ["conv2_1"], Runtime("float32"), (64, 64), record).decided_by == "setting"


@pytest.mark.parametrize(
    "record", [{}, {"precision": "auto"}, {"precision": "float8"}, {"precision": None}, {"execution": "x"}]
)
def test_a_record_without_a_precision_is_ignored(timer, record):
    timer(bfloat16=5.0)
    assert choose_execution(LITE, ["conv2_1"], CPU, (64, 64), record).decided_by == "measurement"


def test_threads_are_kept_only_on_the_same_machine(monkeypatch):
    record = {"machine": "this", "execution": {"threads": 3}}
    monkeypatch.setattr(hardware, "describe_machine", lambda: "this")
    assert recorded_threads(record) == 3
    for other in ({"machine": "that"}, {"execution": {"threads": "3"}}, {"execution": None}, {"execution": {}}):
        assert recorded_threads(record | other) is None


def test_the_choice_is_described_in_one_line():
    seconds = {"float32": 3.0, "float32, transposed": 2.0, "mixed_bfloat16": 1.0}
    chosen = Execution("mixed_bfloat16", TRANSPOSED, "measurement", seconds)
    assert chosen.describe() == "mixed_bfloat16 (measurement: 2 times as fast as float32)"
    slow = Execution("float32", TRANSPOSED, "measurement", seconds | {"mixed_bfloat16": 5.0})
    assert slow.describe() == "float32 (measurement: 2.5 times as fast as mixed_bfloat16)"
    near = Execution("float32", TRANSPOSED, "measurement", {"float32": 1.0, "mixed_bfloat16": 0.8})
    assert near.describe() == "float32 (measurement: mixed_bfloat16 gains too little)"
    assert Execution("mixed_float16").describe() == "mixed_float16 (setting)"
    three = {"float32": 3.0, "mixed_bfloat16": 1.5, "mixed_float16": 1.0}
    assert (
        Execution("mixed_float16", TRANSPOSED, "measurement", three).describe()
        == "mixed_float16 (measurement: 3 times as fast as float32)"
    )
    assert (
        Execution("float32", TRANSPOSED, "setting", three | {"float32": 0.5}).describe()
        == "float32 (setting: 2 times as fast as mixed_float16)"
    )


def test_the_record_of_a_run_has_its_execution_and_the_same_command_repeats_it(timer, small_config, tmp_path, caplog):
    timer(float32=1.0, bfloat16=5.0)
    config = small_config(steps=1, runtime=CPU, tracking={})
    with caplog.at_level("INFO"):
        first = stylize(config, tmp_path / "run")
    assert any("computes in float32 (measurement: 5 times as fast as mixed_bfloat16)" in m for m in caplog.messages)
    assert first.record["precision"] == "float32"
    assert first.record["execution"]["decided_by"] == "measurement"
    assert first.record["execution"]["threads"] >= 1
    found = timer(float32=5.0, bfloat16=1.0)
    resumed = stylize(dataclasses.replace(config, steps=2), tmp_path / "run")
    assert (resumed.status, resumed.record["steps"]) == ("completed", 2)
    assert resumed.record["precision"] == "float32"
    assert resumed.record["execution"]["decided_by"] == "resumed run"
    assert found.calls == 0

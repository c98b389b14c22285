"""Choice of how the network of a run computes: its precision, the way of its wide convolutions, and whether by XLA.

A setting decides first, then the record of a resumed run, then the sweep that the run belongs to. What is still open
is measured: `Backbone.workload` lists the network's convolutions, and `nst_tf.system.measurement` times them. For XLA,
which compiles everything together, the network is timed as a whole.
"""

from __future__ import annotations

import functools
import logging
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nst_tf.backbones import Backbone, Extractor
from nst_tf.backbones.workload import Part, Workload
from nst_tf.runs.shared_precision import shared_precision
from nst_tf.system import hardware
from nst_tf.system.failures import is_out_of_memory
from nst_tf.system.gpu import gpu_identity, is_gpu
from nst_tf.system.measurement import fastest, is_enabled, measure, measured_once, synchronised
from nst_tf.system.memory import reset_peak_memory
from nst_tf.system.runtime import ConvolutionMethod, JitCompile, Precision, Runtime, used_threads
from nst_tf.util.compilation import compile_function
from nst_tf.util.lazy import tf
from nst_tf.util.tensors import gram, squared_sum

log = logging.getLogger(__name__)

FLOAT32, BFLOAT16, FLOAT16 = "float32", "mixed_bfloat16", "mixed_float16"
"""Names of the precisions in measurements and records."""

METHODS = {
    ConvolutionMethod.plain: FLOAT32,
    ConvolutionMethod.transposed: f"{FLOAT32}, transposed",
    ConvolutionMethod.winograd: f"{FLOAT32}, winograd",
}
"""Names of float32 with each method of wide convolutions in measurements and records."""

PRECISIONS = tuple(choice.value for choice in Precision if choice is not Precision.auto)
"""Precisions in which a run can compute."""

SIZES = (64, 128, 256, 512)
"""Sides of the squares that stand for pictures of about the same area on a CPU, in pixels."""

GPU_SIZES = (512,)
"""The same on a GPU. The time of smaller pictures is mostly that of launching kernels, equal in every precision."""

UNTIMED_MARGIN = 0.5
"""Advantage that bfloat16 needs on a CPU in a network with more than convolutions, ReLUs and poolings.

The rest of such a network is not timed, and is slower in bfloat16: MobileNet's timed operations take 0.7 of their time
in float32, and an evaluation 1.25.
"""

LIBRARY_VARIABLES = ("ONEDNN_", "DNNL_", "TF_ONEDNN_", "TF_ENABLE_ONEDNN_")
"""Prefixes of environment variables that change the convolutions of TensorFlow on a CPU."""

GPU_LIBRARY_VARIABLES = ("TF_CUDNN_", "CUDNN_", "CUBLAS_", "NVIDIA_TF32_")
"""Prefixes of environment variables that change the convolutions of TensorFlow on a GPU."""

DTYPES = {FLOAT32: "float32", BFLOAT16: "bfloat16"}
"""Dtypes of the convolutions that are timed on a CPU, by candidate."""

GPU_DTYPES = DTYPES | {FLOAT16: "float16"}
"""Dtypes of the convolutions that are timed on a GPU, by candidate."""

GPU_LARGEST = 1e11
"""Largest number of floating-point operations of one timed convolution on a GPU; those at 512 px have at most 4e10.

A part with so few operations as on a CPU would take less time than to launch it.
"""

WITHOUT_XLA, WITH_XLA = "without XLA", "by XLA"
"""Names of the two ways of an evaluation in a measurement."""

GPU_CALLS = 8
"""Number of calls of a convolution on a GPU between two reads of a value, which wait for the GPU."""


@dataclass(frozen=True)
class Execution:
    """The precision and the kind of convolutions with which a network computes, and whether XLA compiles it.

    Attributes:
        precision: Keras's dtype policy of the layers.
        convolution: Method of wide convolutions in float32 on a CPU.
        decided_by: ``setting``, ``resumed run``, ``sweep``, ``measurement`` or ``properties of the device``.
        seconds: Measured seconds of a forward and a backward pass, of the convolutions by candidate, and of the whole
            network by `WITHOUT_XLA` and `WITH_XLA`; empty if nothing was measured.
        jit_compile: Whether XLA is to compile the evaluation: ``auto`` here means that it is faster, so that an
            objective with an operation that XLA lacks is computed without it.
    """

    precision: str
    convolution: ConvolutionMethod = ConvolutionMethod.transposed
    decided_by: str = "setting"
    seconds: Mapping[str, float] = field(default_factory=dict)
    jit_compile: JitCompile = JitCompile.never

    def record(self) -> dict[str, Any]:
        """Return the entry ``execution`` of `run.json`."""
        return {
            "decided_by": self.decided_by,
            "convolution": self.convolution.value,
            "jit_compile": self.jit_compile.value,
            "threads": used_threads(),
            "measured_seconds": {name: float(f"{value:.4g}") for name, value in self.seconds.items()},
        }

    def describe(self) -> str:
        """Return precision and reason in one line: ``mixed_bfloat16 (measurement: 2.1 times as fast as float32)``."""
        others = {FLOAT32: min(self.seconds.get(name, math.inf) for name in METHODS.values())}
        others |= {name: self.seconds.get(name, math.inf) for name in (BFLOAT16, FLOAT16)}
        own = others.pop(self.precision, math.inf)
        name = FLOAT32 if FLOAT32 in others else min(others, key=lambda name: others[name])
        other = others[name]
        if not (math.isfinite(own) and math.isfinite(other)):
            return f"{self.precision} ({self.decided_by})"
        if other < own:
            return f"{self.precision} ({self.decided_by}: {name} gains too little)"
        return f"{self.precision} ({self.decided_by}: {other / own:.2g} times as fast as {name})"


def choose_execution(
    backbone: Backbone,
    layers: Sequence[str],
    runtime: Runtime,
    size: tuple[int, int],
    record: Mapping[str, Any] | None = None,
    sweep: Path | None = None,
) -> Execution:
    """Choose how the network of a run computes.

    Args:
        backbone: The network.
        layers: The layers that the losses read; an empty list needs no network.
        runtime: Settings of the machine; what they set is kept.
        size: Height and width of the picture, in pixels.
        record: Content of `run.json` of the run that is resumed; empty or None for a new run.
        sweep: Folder of the sweep that the run belongs to, whose runs share one precision; None outside a sweep.
    """
    convolutions = Convolutions(backbone, layers, runtime, size)
    chosen = _choose_precision(convolutions, record or {}, sweep)
    return _with_jit_compile(chosen, convolutions, record or {})


def _choose_precision(convolutions: Convolutions, record: Mapping[str, Any], sweep: Path | None) -> Execution:
    """Choose precision and convolutions; see `choose_execution`."""
    runtime = convolutions.runtime
    if (kept := _recorded(record, runtime)) is not None:
        return kept
    if runtime.precision is not Precision.auto:
        return convolutions.execution(runtime.precision.value, "setting")
    if sweep is None or not convolutions.layers:
        return convolutions.fastest()
    return convolutions.execution(shared_precision(sweep, convolutions.precision_record), "sweep")


def _with_jit_compile(chosen: Execution, convolutions: Convolutions, record: Mapping[str, Any]) -> Execution:
    """Add whether XLA compiles the evaluation: by the setting, a resumed run's record, or a measurement on a GPU."""
    runtime = convolutions.runtime
    if runtime.jit_compile is not JitCompile.auto:
        return replace(chosen, jit_compile=runtime.jit_compile)
    if runtime.deterministic or runtime.recompute or not convolutions.on_gpu:
        return chosen
    if record:
        execution = record.get("execution")
        was_compiled = isinstance(execution, dict) and execution.get("jit_compile") in ("auto", "always")
        return replace(chosen, jit_compile=JitCompile.auto) if was_compiled else chosen
    seconds = convolutions.xla_seconds(chosen.precision)
    gains = fastest(seconds, WITHOUT_XLA) == WITH_XLA
    jit_compile = JitCompile.auto if gains else JitCompile.never
    return replace(chosen, seconds={**chosen.seconds, **seconds}, jit_compile=jit_compile)


def recorded_threads(record: Mapping[str, Any]) -> int | None:
    """Return the number of threads of a run that is resumed on the same machine; None if the record has none."""
    execution = record.get("execution")
    threads = execution.get("threads") if isinstance(execution, dict) else None
    same_machine = record.get("machine") == hardware.describe_machine()
    return threads if same_machine and type(threads) is int and threads > 0 else None


def _recorded(record: Mapping[str, Any], runtime: Runtime) -> Execution | None:
    """Return the execution of the run that is resumed; None if the record has none or the settings are others."""
    precision, execution = record.get("precision"), record.get("execution")
    if not isinstance(precision, str) or precision not in PRECISIONS:
        return None
    if runtime.precision not in (Precision.auto, Precision(precision)):
        return None
    method = runtime.convolution
    if method is ConvolutionMethod.auto:
        method = _recorded_method(execution if isinstance(execution, dict) else {})
    return Execution(precision, method, "resumed run")


def _recorded_method(execution: Mapping[str, Any]) -> ConvolutionMethod:
    """Return the method of wide convolutions in the entry ``execution`` of `run.json`, also in its earlier form."""
    named = {method.value: method for method in METHODS}
    recorded = execution.get("convolution")
    if isinstance(recorded, str) and recorded in named:
        return named[recorded]
    is_plain = execution.get("transposed_conv") is False
    return ConvolutionMethod.plain if is_plain else ConvolutionMethod.transposed


@dataclass(frozen=True)
class Convolutions:
    """The convolutions of one network at one size, which can be timed on this machine.

    Attributes:
        backbone: The network.
        layers: The layers that the losses read.
        runtime: Settings of the machine.
        size: Height and width of the picture, in pixels.
    """

    backbone: Backbone
    layers: Sequence[str]
    runtime: Runtime
    size: tuple[int, int]

    def fastest(self) -> Execution:
        """Return the execution with the fastest precision."""
        expected = self.runtime.policy()
        seconds = self.seconds()
        if not seconds:
            return Execution(expected, self._method(seconds), "properties of the device")
        method = self._method(seconds)
        float32 = seconds.get(METHODS[method], seconds.get(FLOAT32, math.inf))
        choices = {FLOAT32: float32} | {name: seconds[name] for name in (BFLOAT16, FLOAT16) if name in seconds}
        if self.backbone.homogeneous or self.on_gpu:
            return Execution(fastest(choices, expected), method, "measurement", seconds)
        return Execution(fastest(choices, FLOAT32, UNTIMED_MARGIN), method, "measurement", seconds)

    def precision_record(self) -> dict[str, Any]:
        """Return the fastest precision with the reason, for the folder of a sweep."""
        chosen = self.fastest()
        return {"precision": chosen.precision, "machine": hardware.describe_machine(), **chosen.record()}

    def execution(self, precision: str, decided_by: str) -> Execution:
        """Return the execution in a given precision; float32 needs a measurement if there are wide convolutions."""
        open_choice = precision == FLOAT32 and self.runtime.convolution is ConvolutionMethod.auto
        seconds = self.seconds() if open_choice and self._can_measure() and self._workload().methods else {}
        return Execution(precision, self._method(seconds), decided_by, seconds)

    def seconds(self) -> dict[str, float]:
        """Return the seconds by candidate; empty if nothing can be measured here.

        They are measured once for each processor or GPU, version of TensorFlow, network and size.
        """
        return self._measured_or_nothing(self._key, self._measure)

    def _measured_or_nothing(
        self, key: Callable[[], dict[str, Any]], measurement: Callable[[], dict[str, float]]
    ) -> dict[str, float]:
        if not self._can_measure():
            return {}
        try:
            return measured_once(key(), measurement)
        except tf.errors.OpError as error:
            if not is_out_of_memory(error):
                raise
            log.info("Not measured, because memory ran out: properties of the device decide")
            return {}

    @property
    def on_gpu(self) -> bool:
        """Return whether the run computes on a GPU."""
        return is_gpu(self.runtime.device_name())

    def xla_seconds(self, precision: str) -> dict[str, float]:
        """Return the seconds of an evaluation of the network without and by XLA; empty if nothing can be measured here.

        The objective that is timed is the sum of squares of the Gram matrices of all layers, with random weights.
        """

        def key() -> dict[str, Any]:
            return self._key() | {"measured": "an evaluation with and without XLA, version 1", "precision": precision}

        return self._measured_or_nothing(key, lambda: self._measure_xla(precision))

    def _measure_xla(self, precision: str) -> dict[str, float]:
        device = self.runtime.device_name()
        log.info("Measuring %s with and without XLA, once on this machine", self.backbone.name)
        with tf.device(device):
            extractor = replace(self.backbone, weights="random").extractor(self.layers, precision)
            picture = tf.random.stateless_uniform([1, *self._square(), 3], [0, 0])
            functions = {
                name: compile_function(functools.partial(_gradient_of_grams, extractor), jit_compile=by_xla)
                for name, by_xla in ((WITHOUT_XLA, False), (WITH_XLA, True))
            }
            calls = {
                name: synchronised(functools.partial(function, picture), GPU_CALLS)
                for name, function in functions.items()
            }
            seconds = measure(calls)
        reset_peak_memory(device)
        return seconds

    def _can_measure(self) -> bool:
        return bool(self.layers) and is_enabled()

    def _method(self, seconds: Mapping[str, float]) -> ConvolutionMethod:
        """Return the method that is set, or else the fastest; without a choice of methods, ``transposed``."""
        if self.runtime.convolution is not ConvolutionMethod.auto:
            return self.runtime.convolution
        measured = {method: seconds[name] for method, name in METHODS.items() if name in seconds}
        return fastest(measured if len(measured) > 1 else {}, ConvolutionMethod.transposed)

    def _workload(self) -> Workload:
        """Return the operations to be timed; on a GPU they are larger, and convolutions are plain there."""
        workload = self.backbone.workload(self.layers, *self._square())
        return workload.plain(GPU_LARGEST) if self.on_gpu else workload

    def _square(self) -> tuple[int, int]:
        """Return the square of `SIZES`, or on a GPU of `GPU_SIZES`, that is nearest in area, by ratio."""
        side = math.sqrt(self.size[0] * self.size[1])
        nearest = min(GPU_SIZES if self.on_gpu else SIZES, key=lambda size: abs(math.log(size / side)))
        return nearest, nearest

    def _measure(self) -> dict[str, float]:
        workload, device = self._workload(), self.runtime.device_name()
        dtypes = GPU_DTYPES if self.on_gpu else DTYPES
        log.info("Measuring %s in %s, once on this machine", self.backbone.name, " and ".join(dtypes.values()))
        with tf.device(device):
            parts = _measured_parts(workload.candidates(list(dtypes.values())), GPU_CALLS if self.on_gpu else 1)
        reset_peak_memory(device)
        seconds = {name: workload.seconds(parts, dtype) for name, dtype in dtypes.items()}
        seconds |= {METHODS[method]: workload.seconds(parts, "float32", method) for method in workload.methods}
        return {name: value for name, value in seconds.items() if math.isfinite(value)}

    def _key(self) -> dict[str, Any]:
        """Return what the seconds depend on."""
        return {
            **(self._gpu_key() if self.on_gpu else self._processor_key()),
            "tensorflow": tf.__version__,
            "network": self.backbone.name,
            "padding": self.backbone.padding.name,
            "layers": sorted({self.backbone.resolve(layer) for layer in self.layers}),
            "side": self._square()[0],
        }

    def _processor_key(self) -> dict[str, Any]:
        return {
            "measured": "convolutions, version 2",
            **hardware.processor_identity(),
            "threads": used_threads(),
            "library_variables": _environment(LIBRARY_VARIABLES),
        }

    def _gpu_key(self) -> dict[str, Any]:
        return {
            "measured": "convolutions on a GPU, version 1",
            **gpu_identity(self.runtime.device_name()),
            "deterministic": self.runtime.deterministic,
            "tf32": self.runtime.tf32,
            "library_variables": _environment(GPU_LIBRARY_VARIABLES),
        }


def _gradient_of_grams(extractor: Extractor, picture: tf.Tensor) -> tf.Tensor:
    """Return the gradient of ``Σ_l ‖G_l‖²`` with respect to the picture, over the Gram matrices of the features."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(picture)
        value = tf.add_n([squared_sum(gram(features)) for features in extractor(picture).values()])
    return tape.gradient(value, picture)


def _measured_parts(candidates: Mapping[Part, Callable[[], object]], calls: int) -> dict[Part, float]:
    """Return the seconds of one call of each candidate, each timed over so many calls and read at their end."""
    if calls == 1:
        return measure(candidates)
    together = {part: synchronised(run, calls) for part, run in candidates.items()}
    return {part: seconds / calls for part, seconds in measure(together).items()}


def _environment(prefixes: tuple[str, ...]) -> dict[str, str]:
    """Return the environment variables whose names begin with one of these prefixes, in order."""
    return {name: value for name, value in sorted(os.environ.items()) if name.startswith(prefixes)}

"""Settings of the machine that a run computes on: device, precision, threads, determinism."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Container
from dataclasses import dataclass, field
from enum import Enum

from nst_tf.system import hardware
from nst_tf.system.gpu import compute_capability, is_gpu
from nst_tf.system.threads import fastest_threads
from nst_tf.util.checks import at_least, convert_fields
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import tf
from nst_tf.util.roles import role


class Precision(Enum):
    """Dtype of the network's features and weights. Losses, Gram matrices, picture and optimiser stay in float32.

    - ``auto``: the fastest on the device, by a measurement of the network's convolutions, see
      `nst_tf.optimization.execution`; without a measurement, `expected_precision` decides.
    - ``float32``: everything in float32.
    - ``mixed_bfloat16``: features and weights in bfloat16.
    - ``mixed_float16``: features in float16, scaled so that features and gradients stay in its range.
    """

    auto = "auto"
    float32 = "float32"
    mixed_bfloat16 = "mixed_bfloat16"
    mixed_float16 = "mixed_float16"


class ConvolutionMethod(Enum):
    """Method of the wide convolutions of a frozen network, in float32 on a CPU. Results differ by rounding alone.

    - ``auto``: the fastest on the machine, by a measurement, see `nst_tf.optimization.execution`; without a
      measurement, ``transposed``.
    - ``plain``: as Keras computes them.
    - ``transposed``: as the transpose of a convolution, see `nst_tf.backbones.transposed_conv`.
    - ``winograd``: 3×3 kernels by Winograd's method, see `nst_tf.backbones.winograd`, and others as ``transposed``.
    """

    auto = "auto"
    plain = "plain"
    transposed = "transposed"
    winograd = "winograd"

    def for_layer(self, supported: Container[ConvolutionMethod]) -> ConvolutionMethod:
        """Return the method, not ``auto``, of a layer that supports these methods beside ``plain``."""
        if self in supported:
            return self
        falls_back = self is ConvolutionMethod.winograd and ConvolutionMethod.transposed in supported
        return ConvolutionMethod.transposed if falls_back else ConvolutionMethod.plain


class JitCompile(Enum):
    """XLA compiles an evaluation into one program, or TensorFlow runs its operations one by one.

    An evaluation has the forward pass, the losses and the backward pass.

    - ``auto``: on a GPU, as a measurement of the network finds it faster, see `nst_tf.optimization.execution`, and
      never where XLA lacks one of the operations, or a loss draws random numbers. ``never`` on a CPU, where XLA's
      convolutions are slower, with ``deterministic``, and with ``recompute``, since XLA may keep what that discards.
    - ``always``: compiled. Losses with random draws draw other numbers from the same seed. An operation that XLA lacks
      ends the run with a message, before the first step of the phase that needs it.
    - ``never``: not compiled by XLA.
    """

    auto = "auto"
    always = "always"
    never = "never"


BFLOAT16 = {"amx_bf16", "avx512_bf16", "bf16"}
"""Linux's names of instruction sets with bfloat16 arithmetic, on x86 and on ARM."""


def has_bfloat16() -> bool:
    """Return whether the CPU has bfloat16 instructions."""
    return bool(hardware.instruction_sets() & BFLOAT16)


def expected_precision(device: str) -> Precision:
    """Return the precision in which a device should compute fastest, by its properties alone.

    A CPU with bfloat16 instructions (AMX, AVX512-BF16, ARM's) gets ``mixed_bfloat16``. Processors with AVX512-BF16
    but without AMX may compute it more slowly than float32, so that a measurement overrules this. A GPU gets what its
    tensor cores support: ``mixed_bfloat16`` from compute capability 8.0, ``mixed_float16`` from 7.0, and otherwise
    ``float32``.

    Args:
        device: ``/CPU:0`` or ``/GPU:N``.
    """
    if not is_gpu(device):
        return Precision.mixed_bfloat16 if has_bfloat16() else Precision.float32
    capability = compute_capability(device)
    if capability >= (8, 0):
        return Precision.mixed_bfloat16
    return Precision.mixed_float16 if capability >= (7, 0) else Precision.float32


@dataclass
class Runtime:
    """Settings of the machine that a run computes on.

    Attributes:
        precision: Dtype of the network, see `Precision`. Default ``auto``.
        convolution: Method of wide convolutions in float32 on a CPU, see `ConvolutionMethod`. Default ``auto``.
        jit_compile: Whether XLA compiles the evaluation of the objective, see `JitCompile`; default ``auto``.
        recompute: Whether the backward pass computes most features again instead of keeping them. That costs a third
            more time and saves memory, see docs/benchmarks.md. Default off.
        device: ``cpu``, ``gpu:N``, or ``auto`` for the first GPU if there is one and else the CPU. Default ``auto``.
        threads: Number of threads that TensorFlow computes with, fixed for the whole process. None, the default,
            takes the number of processors, or measures which number is the fastest where there are fewer cores or a
            container has a limit, see `nst_tf.system.threads`.
        deterministic: Whether TensorFlow uses only ops that give the same bits in every run. They are slower on a GPU
            and cost nothing on the CPU. Once on, it stays on for the process. Default off.
        memory_growth: Whether TensorFlow takes GPU memory as it is needed, instead of all at once. Default on.
        batch: Number of runs of a sweep that are computed at once, as a batch of one compiled step, where their
            settings and sizes allow it. It pays on a GPU that one picture does not fill. Default 1.
        tf32: Whether a GPU from compute capability 8.0 on computes products of float32 in TensorFloat-32, with 10 bits
            of mantissa and several times as fast. It changes nothing on other devices. Default on, as in TensorFlow.
    """

    precision: Precision = field(default=Precision.auto, metadata=role(method="optimize"))
    convolution: ConvolutionMethod = field(
        default=ConvolutionMethod.auto,
        metadata=role(in_fingerprint=False, in_run_name=False, in_sweep_name=False, method="optimize"),
    )
    jit_compile: JitCompile = field(
        default=JitCompile.auto,
        metadata=role(in_fingerprint=False, in_run_name=False, in_sweep_name=False, method="optimize"),
    )
    recompute: bool = field(default=False, metadata=role(method="optimize"))
    device: str = field(default="auto", metadata=role(in_run_name=False, in_sweep_name=False))
    threads: int | None = field(default=None, metadata=role(in_run_name=False, in_sweep_name=False))
    deterministic: bool = False
    memory_growth: bool = True
    batch: int = field(default=1, metadata=role(in_fingerprint=False, in_run_name=False, in_sweep_name=False))
    tf32: bool = True

    def __post_init__(self) -> None:
        convert_fields(self, "runtime.")
        if not re.fullmatch(r"auto|cpu|gpu:\d+", self.device):
            raise InputError(f"runtime.device={self.device!r}: must be auto, cpu or gpu:N (gpu:0 is the first GPU)")
        at_least("runtime.batch", self.batch, 1)
        if self.recompute and self.jit_compile is JitCompile.always:
            raise InputError(
                "runtime.jit_compile=always: XLA may keep what runtime.recompute=true discards. "
                "Set runtime.jit_compile=never."
            )
        if self.threads is not None and self.threads < 1:
            raise InputError(f"runtime.threads={self.threads}: must be at least 1, or null for TensorFlow's choice")

    def prepare(self, recorded_threads: int | None = None) -> str:
        """Configure TensorFlow and return its name of the device, ``/CPU:0`` or ``/GPU:N``.

        Args:
            recorded_threads: Number of threads of the run that is resumed; None for a new run. ``threads`` overrules
                it.

        Raises:
            InputError: There is no such GPU, or the process already computes with another number of threads.
        """
        if self.threads is not None:
            _set_threads(self.threads)
        elif not is_gpu(self.device_name()):
            with contextlib.suppress(InputError):  # the process computes already, and keeps its threads
                _set_threads(recorded_threads or fastest_threads())
        if self.memory_growth:
            for gpu in tf.config.list_physical_devices("GPU"):
                with contextlib.suppress(RuntimeError, ValueError):  # in use, or divided: it keeps its policy
                    tf.config.experimental.set_memory_growth(gpu, enable=True)
        if self.deterministic:
            tf.config.experimental.enable_op_determinism()
        tf.config.experimental.enable_tensor_float_32_execution(self.tf32)
        return self.device_name()

    def policy(self) -> str:
        """Return Keras's name of the precision, with ``auto`` resolved by `expected_precision`."""
        return (expected_precision(self.device_name()) if self.precision is Precision.auto else self.precision).value

    def device_name(self) -> str:
        """Return TensorFlow's name of the device, ``/CPU:0`` or ``/GPU:N``.

        Raises:
            InputError: There is no such GPU.
        """
        gpus = len(tf.config.list_physical_devices("GPU"))
        if self.device == "auto":
            return "/GPU:0" if gpus else "/CPU:0"
        if self.device == "cpu":
            return "/CPU:0"
        number = int(self.device.removeprefix("gpu:"))
        if number >= gpus:
            raise InputError(f"runtime.device={self.device}: TensorFlow sees {gpus} GPU(s) here; use auto or cpu")
        return f"/GPU:{number}"


def used_threads() -> int:
    """Return the number of threads with which TensorFlow computes in this process."""
    return tf.config.threading.get_intra_op_parallelism_threads() or hardware.usable_cpus()


def _set_threads(threads: int) -> None:
    config = tf.config.threading
    if used_threads() == threads:
        return
    try:
        config.set_intra_op_parallelism_threads(threads)
        config.set_inter_op_parallelism_threads(threads)
    except RuntimeError as error:
        raise InputError(
            f"runtime.threads={threads}: TensorFlow already computes in this process with other threads; "
            "give each run a process of its own (launcher=joblib)"
        ) from error

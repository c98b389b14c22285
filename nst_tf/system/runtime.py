"""Where and how a run computes: device, precision, threads, determinism."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field
from enum import Enum

from nst_tf.system import hardware
from nst_tf.util.checks import coerce_choices
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import tf
from nst_tf.util.roles import role


class Precision(Enum):
    """What the network computes in; losses, Gram matrices, picture and optimiser stay in float32.

    ``auto`` what the device is fast at, see `fastest` · ``float32`` · ``mixed_bfloat16`` features and weights in
    bfloat16 · ``mixed_float16`` features in float16, scaled so that neither they nor their gradients leave its
    range.
    """

    auto = "auto"
    float32 = "float32"
    mixed_bfloat16 = "mixed_bfloat16"
    mixed_float16 = "mixed_float16"


BFLOAT16 = {"amx_bf16", "avx512_bf16", "bf16"}
"""How Linux names bfloat16 arithmetic among a processor's features, on x86 and on ARM."""


def fastest_precision(device: str) -> Precision:
    """The precision a device is fast at.

    On CPUs with bfloat16 instructions (AMX, AVX512-BF16, ARM's) ``mixed_bfloat16``, which docs/benchmarks.md measures
    at more than twice the speed of float32; without them it would be slower. On GPUs, by compute capability: from 8.0
    ``mixed_bfloat16``, from 7.0 ``mixed_float16``, whose tensor cores these are. Else ``float32``.

    Args:
        device: ``/CPU:0`` or ``/GPU:N``.
    """
    if device.startswith("/CPU"):
        return Precision.mixed_bfloat16 if hardware.instruction_sets() & BFLOAT16 else Precision.float32
    gpu = tf.config.list_physical_devices("GPU")[int(device.rpartition(":")[2])]
    capability = tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0))
    if capability >= (8, 0):
        return Precision.mixed_bfloat16
    return Precision.mixed_float16 if capability >= (7, 0) else Precision.float32


@dataclass
class Runtime:
    """The machine as one run sees it.

    Attributes:
        precision: See `Precision`. Default ``auto``.
        recompute: Keep few features and compute the others again in the backward pass: a third more time for less
            memory, see docs/benchmarks.md.
        device: ``auto`` (the first GPU where there is one, else the CPU), ``cpu``, or ``gpu:N``.
        threads: Threads TensorFlow computes with; None leaves the choice to it. Fixed for the whole process.
        deterministic: Force ops that give the same bits on every run; slower on a GPU, free on the CPU. Once on,
            it stays on for the process.
        memory_growth: Take GPU memory as it is needed, not all of it at once.
    """

    precision: Precision = field(default=Precision.auto, metadata=role(method="optimize"))
    recompute: bool = field(default=False, metadata=role(method="optimize"))
    device: str = field(default="auto", metadata=role(in_run_name=False, in_sweep_name=False))
    threads: int | None = field(default=None, metadata=role(in_run_name=False, in_sweep_name=False))
    deterministic: bool = False
    memory_growth: bool = True

    def __post_init__(self) -> None:
        coerce_choices(self, "runtime.")
        if not re.fullmatch(r"auto|cpu|gpu:\d+", self.device):
            raise InputError(f"runtime.device={self.device!r}: must be auto, cpu or gpu:N")
        if self.threads is not None and self.threads < 1:
            raise InputError(f"runtime.threads={self.threads}: must be at least 1, or null")

    def prepare(self) -> str:
        """Set TensorFlow up as asked and return the device's name, ``/CPU:0`` or ``/GPU:N``.

        Raises:
            InputError: The GPU asked for is not there, or the process already computes with other threads.
        """
        if self.threads is not None:
            _set_threads(self.threads)
        if self.memory_growth:
            for gpu in tf.config.list_physical_devices("GPU"):
                with contextlib.suppress(RuntimeError):  # already in use: its policy stands
                    tf.config.experimental.set_memory_growth(gpu, enable=True)
        if self.deterministic:
            tf.config.experimental.enable_op_determinism()
        return self.device_name()

    def policy(self) -> str:
        """Keras's name of the precision, ``auto`` decided."""
        return (fastest_precision(self.device_name()) if self.precision is Precision.auto else self.precision).value

    def device_name(self) -> str:
        """The device, ``/CPU:0`` or ``/GPU:N``.

        Raises:
            InputError: The GPU asked for is not there.
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


def _set_threads(threads: int) -> None:
    config = tf.config.threading
    if config.get_intra_op_parallelism_threads() == threads:
        return
    try:
        config.set_intra_op_parallelism_threads(threads)
        config.set_inter_op_parallelism_threads(threads)
    except RuntimeError as error:
        raise InputError(
            f"runtime.threads={threads}: TensorFlow already computes in this process with other threads; "
            "give each run a process of its own (launcher=joblib)"
        ) from error

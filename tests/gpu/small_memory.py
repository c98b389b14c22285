"""The command line with little memory for the pictures, without the check that refuses pictures beforehand.

``python tests/gpu/small_memory.py DEVICE PHASE OVERRIDE …``. On ``gpu:N`` TensorFlow gets `LIMIT` MiB of that GPU, for
the whole run. On ``cpu``, where TensorFlow has no such limit, preparing phase number ``PHASE`` (from 1) allocates more
than a process can have.
"""

import sys

import tensorflow as tf

from nst_tf.cli.main import main
from nst_tf.optimization import problem
from nst_tf.optimization.objective import Objective

LIMIT = 512


def limit_gpu(device: str) -> None:
    """Give TensorFlow a logical device with `LIMIT` MiB in place of a GPU."""
    gpu = tf.config.list_physical_devices("GPU")[int(device.removeprefix("gpu:"))]
    tf.config.set_logical_device_configuration(gpu, [tf.config.LogicalDeviceConfiguration(memory_limit=LIMIT)])


def exhaust_at(phase: int) -> None:
    """Allocate 2^50 values when the targets of a phase are prepared."""
    prepare, calls = Objective.prepare, []

    def prepare_or_exhaust(*arguments: object) -> Objective:
        calls.append(arguments)
        if len(calls) == phase:
            tf.zeros([2**25, 2**25])
        return prepare(*arguments)

    Objective.prepare = prepare_or_exhaust


if __name__ == "__main__":
    device, phase = sys.argv[1:3]
    if device == "cpu":
        exhaust_at(int(phase))
    else:
        limit_gpu(device)
    problem.check_fits = lambda footprint, device: (0.0, 0.0)
    sys.argv[1:] = [f"runtime.device={device}", *sys.argv[3:]]
    main()

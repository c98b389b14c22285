"""Fixtures of the tests on a GPU: the setting of the device, and TensorFlow's name of it."""

import os

import pytest
import tensorflow as tf

from nst_tf.system.runtime import Runtime
from tests.command_line import CommandLine

DEVICE_VARIABLE = "NST_TF_GPU_TESTS_DEVICE"


@pytest.fixture(scope="session")
def device():
    """The value of ``runtime.device``: ``gpu:0``.

    Without a GPU the tests are skipped. With the environment variable ``NST_TF_GPU_TESTS_DEVICE=cpu`` they run on the
    CPU, so that a machine without a GPU checks their own logic. GPU memory is then not limited; a request for more
    memory than a process can have takes the place of the limit.
    """
    chosen = os.environ.get(DEVICE_VARIABLE, "gpu:0")
    if chosen != "cpu" and not tf.config.list_physical_devices("GPU"):
        pytest.skip(f"needs a GPU that TensorFlow sees ({DEVICE_VARIABLE}=cpu checks the tests themselves)")
    Runtime(device=chosen).prepare()  # memory is taken as it is needed, so that the commands get their share
    return chosen


@pytest.fixture(scope="session")
def device_name(device):
    """TensorFlow's name of the device, as `run.json` has it."""
    return Runtime(device=device).device_name()


@pytest.fixture
def command_line(tmp_path, pictures):
    return CommandLine(tmp_path, pictures)

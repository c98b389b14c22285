"""The description of a GPU, from made-up answers of TensorFlow and NVIDIA's driver."""

import json

import pytest
import tensorflow as tf

from nst_tf.system import gpu


@pytest.fixture
def h100(monkeypatch, tmp_path):
    """Let TensorFlow report a second GPU that is an H100, and the driver its version."""
    details = {"device_name": "NVIDIA H100", "compute_capability": (9, 0)}
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["first", "second"])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", {"first": {}, "second": details}.get)
    monkeypatch.setattr(tf.sysconfig, "get_build_info", lambda: {"cuda_version": "12.5.1", "cudnn_version": "9"})
    monkeypatch.setattr(gpu, "DRIVER", tmp_path / "version")
    (tmp_path / "version").write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06\nGCC version: 12\n")


def test_the_identity_of_a_gpu_names_model_capability_driver_and_libraries_in_json(h100):
    identity = gpu.gpu_identity("/GPU:1")
    assert identity == {
        "gpu": "NVIDIA H100",
        "compute_capability": [9, 0],
        "driver": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06",
        "cuda": "12.5.1",
        "cudnn": "9",
    }
    assert json.loads(json.dumps(identity)) == identity  # as `measured_once` compares it


def test_a_gpu_without_details_has_no_capability(h100):
    assert gpu.compute_capability("/GPU:0") == (0, 0)
    assert gpu.compute_capability("/GPU:1") == (9, 0)


@pytest.mark.parametrize("content", [None, ""])
def test_without_its_file_the_driver_has_no_version(content, tmp_path, monkeypatch):
    monkeypatch.setattr(gpu, "DRIVER", tmp_path / "version")
    if content is not None:
        (tmp_path / "version").write_text(content)
    assert gpu.driver_version() == ""


def test_the_names_of_gpus_differ_from_that_of_the_cpu():
    assert [gpu.is_gpu(name) for name in ("/GPU:0", "/GPU:12", "/CPU:0")] == [True, True, False]

"""Tests of the machine's description: the processor as Linux describes it, and one line for a record."""

import platform
from types import SimpleNamespace

from nst_tf.system import hardware


def test_the_processor_name_is_the_first_model_name_in_cpuinfo(tmp_path, monkeypatch):
    monkeypatch.setattr("nst_tf.system.hardware.CPUINFO", tmp_path / "cpuinfo")
    assert hardware.processor_name() == platform.processor()
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Intel(R) Xeon(R): 2\n\nprocessor\t: 1\n")
    assert hardware.processor_name() == "Intel(R) Xeon(R): 2"


def test_the_machine_is_described_by_cores_processor_and_memory(monkeypatch):
    monkeypatch.setattr("nst_tf.system.hardware.processor_name", lambda: "Abacus")
    monkeypatch.setattr("psutil.cpu_count", lambda: 8)
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(total=17e9))
    assert hardware.describe_machine() == "8 cores, Abacus, 16 GiB"

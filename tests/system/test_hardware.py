"""The processor's name, out of a file as Linux writes it, and the machine in a line."""

import platform
from types import SimpleNamespace

from nst_tf.system import hardware


def test_the_processor_has_a_name(tmp_path, monkeypatch):
    monkeypatch.setattr("nst_tf.system.hardware.CPUINFO", tmp_path / "cpuinfo")
    assert hardware.processor_name() == platform.processor()
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Intel(R) Xeon(R): 2\n\nprocessor\t: 1\n")
    assert hardware.processor_name() == "Intel(R) Xeon(R): 2"


def test_the_machine_is_told_in_a_line(monkeypatch):
    monkeypatch.setattr("nst_tf.system.hardware.name", lambda: "Abacus")
    monkeypatch.setattr("psutil.cpu_count", lambda: 8)
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(total=17e9))
    assert hardware.describe_machine() == "8 cores, Abacus, 16 GiB"

"""The processor's name, out of a file as Linux writes it."""

import platform

from nst_tf import processor


def test_the_processor_has_a_name(tmp_path, monkeypatch):
    monkeypatch.setattr("nst_tf.processor.CPUINFO", tmp_path / "cpuinfo")
    assert processor.name() == platform.processor()
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Intel(R) Xeon(R): 2\n\nprocessor\t: 1\n")
    assert processor.name() == "Intel(R) Xeon(R): 2"

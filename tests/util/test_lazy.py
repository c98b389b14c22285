"""Tests of the modules that are imported when they are first used."""

import subprocess
import sys

import pytest

from nst_tf.util.lazy import LazyModule


def test_a_lazy_module_is_imported_when_an_attribute_is_first_read(tmp_path, monkeypatch):
    (tmp_path / "counted_module.py").write_text("value = 7\n")
    monkeypatch.syspath_prepend(tmp_path)
    module = LazyModule("counted_module")
    assert "counted_module" not in sys.modules
    assert module.value == 7
    assert sys.modules.pop("counted_module").value == 7


def test_a_read_attribute_is_kept_on_the_lazy_module():
    module = LazyModule("math")
    assert "pi" not in vars(module)
    assert module.pi is vars(module)["pi"]


def test_a_missing_attribute_raises_the_error_of_the_module():
    with pytest.raises(AttributeError, match="module 'math' has no attribute 'nothing'"):
        _ = LazyModule("math").nothing


def test_importing_settings_imports_neither_tensorflow_nor_keras():
    code = "import sys, nst_tf.config.tree\nprint([name for name in ('tensorflow', 'keras') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

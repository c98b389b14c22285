"""Who may import whom: a room imports only rooms below it, and siblings only where that is drawn.

The picture is in docs/architecture.md; this is its other half.
"""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import nst_tf

PACKAGE = Path(nst_tf.__file__).parent
FLOORS = [
    {"_version", "util"},
    {"system"},
    {"images", "backbones", "losses", "optimizers", "runs"},
    {"observers", "optimization", "feedforward"},
    {"evaluation", "distillation"},
    {"config"},
    {"reports", "api"},
    {"cli"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]


def room(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path):
    """Full names of the modules a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            if node.module == "nst_tf":
                yield from (f"nst_tf.{alias.name}" for alias in node.names)


def test_every_room_is_on_the_picture():
    assert {room(path) for path in MODULES} == set(FLOOR)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_rooms_below_it(path):
    here = room(path)
    for name in imported(path):
        if name.startswith("nst_tf."):
            there = name.split(".")[1]
            assert there == here or FLOOR[there] < FLOOR[here], f"{here} must not import {there}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_config_and_the_command_line_with_its_parts_know_hydra(path):
    if room(path) not in ("config", "cli"):
        assert not any(name.split(".")[0] in ("hydra", "omegaconf") for name in imported(path))


def test_importing_does_nothing(tmp_path):
    """No TensorFlow for the package's own name; no folder and no GPU set-up for any of it."""
    code = (
        "import sys, nst_tf; assert 'tensorflow' not in sys.modules\n"
        "import nst_tf.api\n"
        "from tensorflow.python.eager import context\n"
        "assert context.context()._context_handle is None, 'TensorFlow was started'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert list(tmp_path.iterdir()) == []


def test_every_package_is_shipped():
    """The wheel takes the packages that are named, no others."""
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))
    found = {".".join(path.parent.relative_to(PACKAGE.parent).parts) for path in PACKAGE.rglob("__init__.py")}
    assert found <= set(project["tool"]["setuptools"]["packages"])

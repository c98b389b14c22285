"""Who may import whom: the floors drawn in docs/architecture.md, held against every import in the code."""

import ast
import functools
import graphlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "nst_tf"
FLOOR_LINE = re.compile(r"^(\d+)\s+([a-z_0-9/ .]+?)\s+— (.+)$", re.MULTILINE)
OUTSIDE = ("scripts", "hydra_plugins", "benchmarks")
KNOW_HYDRA = ("config", "cli", "hydra_plugins")
MOST_ROOMS = 24


def drawn_floors():
    """Return the floor of each room, read from the page that explains them."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    block = re.search(r"```text floors\n(.*?)```", page, re.DOTALL).group(1)
    return {name: int(number) for number, names, _ in FLOOR_LINE.findall(block) for name in names.split()}


FLOORS = drawn_floors()
MODULES = [path for root in (PACKAGE, *(ROOT / name for name in OUTSIDE)) for path in sorted(root.rglob("*.py"))]


def module_name(path):
    """Return a file's dotted name: ``nst_tf.losses.gram``."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room(name):
    """Return the room of a dotted name: ``losses`` for ``nst_tf.losses.gram``, ``scripts`` for ``scripts.compare``."""
    head, _, rest = name.partition(".")
    return (rest.partition(".")[0] or "nst_tf") if head == "nst_tf" else head


def for_type_checkers(tree):
    """Return the nodes inside ``if TYPE_CHECKING:``, which never run."""
    blocks = (node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
    return {id(child) for block in blocks for statement in block.body for child in ast.walk(statement)}


@functools.cache
def imported(path):
    """Return the full names a file imports, at its top and inside functions."""
    return list(imported_names(path, ast.parse(path.read_text(encoding="utf-8"))))


def imported_names(path, tree):
    """Yield the full names that a parsed file imports."""
    skipped = for_type_checkers(tree)
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


NAMES = {module_name(path) for path in MODULES}


def project_imports(path):
    """Yield the project's modules a file imports; of ``from nst_tf.losses import Loss`` the package."""
    for name in imported(path):
        while name and name not in NAMES:
            name = name.rpartition(".")[0]
        if name and name != module_name(path):
            yield name


@pytest.fixture(scope="module")
def imports():
    """The imports of every module."""
    return {module_name(path): sorted(set(project_imports(path))) for path in MODULES}


def test_every_room_stands_on_a_drawn_floor():
    assert {room(name) for name in NAMES} == set(FLOORS)


def test_the_tree_has_at_most_24_rooms():
    assert len(FLOORS) <= MOST_ROOMS


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_only_rooms_on_lower_floors(path):
    here = room(module_name(path))
    for name in project_imports(path):
        there = room(name)
        assert there == here or FLOORS[there] < FLOORS[here], f"{here} imports {name} of the room {there}"


def test_modules_have_no_import_cycle_even_through_lazy_imports(imports):
    graph = {name: [other for other in others if not is_package_of(other, name)] for name, others in imports.items()}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the modules


def is_package_of(package, module):
    """Return whether a package contains a module, which its ``__init__`` may import."""
    return module.startswith(f"{package}.")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_config_cli_and_plugins_import_hydra(path):
    if room(module_name(path)) not in KNOW_HYDRA:
        assert not any(name.split(".")[0] in ("hydra", "omegaconf") for name in imported(path))


SETTINGS = ("nst_tf", "nst_tf.config.keys", "nst_tf.config.tree", "nst_tf.runs.session", "nst_tf.reports.report")


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_and_reports_are_imported_without_tensorflow(name, tmp_path):
    code = f"import sys, {name}; assert not {{'tensorflow', 'keras'}} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def test_importing_starts_nothing_and_writes_nothing(tmp_path):
    code = (
        "import nst_tf.api, tensorflow\n"
        "from tensorflow.python.eager import context\n"
        "assert context.context()._context_handle is None, 'TensorFlow was started'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert list(tmp_path.iterdir()) == []


def test_every_package_is_in_the_wheel_except_the_benchmarks():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    shipped = set(project["tool"]["setuptools"]["packages"])
    found = {".".join(path.parent.relative_to(ROOT).parts) for path in PACKAGE.rglob("__init__.py")}
    assert found <= shipped
    assert not any(name.startswith(("benchmarks", "scripts")) for name in shipped)

"""The wheel carries its configs and runs outside the checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    for file in files:
        (source / file).parent.mkdir(parents=True, exist_ok=True)
        (source / file).write_bytes((ROOT / file).read_bytes())
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(folder),
        str(source),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl"))


def test_wheel_contains_every_config_and_module(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for path in ROOT.glob("configs/**/*.yaml"):
        assert f"nst_tf/{path.relative_to(ROOT)}" in names
    reports = ("nst_tf/reports/page/*", "nst_tf/reports/*.jinja", "nst_tf/reports/*.yaml")
    for pattern in ("nst_tf/**/*.py", "hydra_plugins/**/*.py", *reports):
        assert {str(path.relative_to(ROOT)) for path in ROOT.glob(pattern)} <= names


def test_installed_package_runs_from_any_folder(wheel, tmp_path):
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    code = (
        "import sys, nst_tf\n"
        f"assert nst_tf.__file__.startswith({str(site)!r}), nst_tf.__file__\n"
        "from nst_tf.cli.main import main; main()\n"
    )
    overrides = "content=sample:coffee style=sample:chelsea image.size=64 steps=1 name=there"
    done = subprocess.run(
        [sys.executable, "-c", code, *overrides.split()],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "outputs" / "runs" / "there" / "stylized.png").exists()

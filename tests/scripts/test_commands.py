"""The commands of `nst-tf` and `python -m nst_tf`: plain arguments, Hydra command lines, and errors in one line."""

import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from nst_tf.cli import commands
from nst_tf.cli.arguments import typed_command

ROOT = Path(__file__).parents[2]


@pytest.fixture
def hydra_tasks(monkeypatch):
    """The tasks that are passed to Hydra, with the arguments that Hydra would read."""
    tasks = []
    monkeypatch.setattr("nst_tf.cli.main.main", lambda task="config": tasks.append((task, sys.argv[1:])))
    return tasks


@pytest.mark.parametrize(
    ("words", "task"),
    [
        (["content=photo.jpg", "-m"], ("config", ["content=photo.jpg", "-m"])),
        ([], ("config", [])),
        (["--help"], ("config", ["--help"])),
        (["distill", "photographs=folder"], ("distill", ["photographs=folder"])),
    ],
)
def test_other_command_lines_are_passed_to_hydra(words, task, hydra_tasks, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["nst-tf", *words])
    commands.main()
    assert hydra_tasks == [task]


@pytest.mark.parametrize("name", ["compare", "evaluate", "comparison", "reproduction"])
def test_a_command_with_plain_arguments_exits_with_its_own_code(name, hydra_tasks, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["nst-tf", name, "--bogus", "folder"])
    with pytest.raises(SystemExit) as end:
        commands.main()
    assert (end.value.code, hydra_tasks) == (2, [])
    assert capsys.readouterr().err == f"nst-tf {name}: unrecognized arguments: --bogus\n"


@pytest.mark.slow
def test_python_m_nst_tf_compares_runs(made_up_run, tmp_path):
    made_up_run(tmp_path / "runs" / "lighthouse", ["seed=0"])
    command = [sys.executable, "-m", "nst_tf", "compare", "runs"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "  report       runs/report/index.html\n"), done.stderr
    assert (tmp_path / "runs" / "report" / "index.html").exists()


def test_the_wheel_installs_the_command():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    module, _, function = project["scripts"]["nst-tf"].partition(":")
    assert getattr(importlib.import_module(module), function) is commands.main


def test_an_error_of_a_folder_has_exit_code_2(capsys, tmp_path):
    assert commands.run_command("compare", [str(tmp_path / "nothing")]) == 2
    assert capsys.readouterr().err.startswith("error: No such folder: ")


def test_a_typed_command_hides_folders_outside_the_working_folder():
    words = ["runs/a", "/home/ann/runs", "../runs/b c", "--output", "page.md"]
    assert typed_command(["nst-tf", "reproduction"], words) == "nst-tf reproduction runs/a runs 'b c' --output page.md"

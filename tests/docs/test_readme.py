"""The README's Python snippet runs as it stands, and its tables name what exists."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def python_snippet():
    """Return the code of the README's only Python block."""
    (snippet,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    return snippet


def option_names(group):
    """Return the options of a Hydra group: ``lbfgs`` … for ``optimizer``."""
    return {path.stem for path in (ROOT / "configs" / group).glob("*.yaml")}


def code_words(text):
    """Return every word that the text's tables show as code, without a ``sweep=`` before it."""
    rows = "\n".join(line for line in text.splitlines() if line.startswith("|"))
    return {word.removeprefix("sweep=") for word in re.findall(r"`([^`\n]+)`", rows)}


@pytest.mark.slow
def test_the_python_snippet_of_the_readme_runs_as_it_stands(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", python_snippet()], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    status, total, picture = done.stdout.split()
    assert (status, picture) == ("completed", "outputs/runs/coffee/stylized.png")
    assert 0 < float(total) < 70
    assert (tmp_path / picture).is_file()


def test_the_readme_names_every_experiment():
    assert option_names("experiment") <= code_words(README)


GROUPS = ("backbone", "layers", "loss", "smoothing", "balance", "optimizer", "image", "schedule", "tracking", "sweep")


@pytest.mark.parametrize("group", [*GROUPS, "evaluation", "feedforward", "method", "launcher", "temporal", "flow"])
def test_the_configuration_page_names_the_options_of_every_group(group):
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    (row,) = [line for line in page.splitlines() if line.startswith(f"| `{group}` |")]
    named = code_words("|" + row.split("|")[2])
    if group == "backbone":  # the page about backbones lists them all
        assert named <= option_names(group)
        assert option_names(group) <= code_words((ROOT / "docs" / "backbones.md").read_text(encoding="utf-8"))
    else:
        assert named == option_names(group)


def test_every_make_target_of_the_pages_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    pages = [README, (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), *map(read, (ROOT / "docs").glob("*.md"))]
    named = {name for page in pages for name in re.findall(r"(?:^|`)make ([a-z-]+)", page, re.MULTILINE)}
    assert named <= targets


def read(path):
    return path.read_text(encoding="utf-8")

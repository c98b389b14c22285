"""TAB completion: the words that can follow, and the functions of bash and zsh."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nst_tf.cli.arguments import COMMAND_NAMES
from nst_tf.cli.commands import COMMANDS, HYDRA_COMMANDS
from nst_tf.cli.completion import complete, is_query
from nst_tf.cli.config_groups import config_groups, describe_config_groups
from nst_tf.optimizers import OPTIMIZERS


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("image.colour=", [f"image.colour={name}" for name in ("free", "histogram", "linear", "luminance", "chroma")]),
        ("image.colour=l", ["image.colour=linear", "image.colour=luminance"]),
        ("runtime.deterministic=", ["runtime.deterministic=false", "runtime.deterministic=true"]),
        ("steps=", ["steps=200"]),
        ("schedule.stop_change=", ["schedule.stop_change=null"]),
        ("image.col", ["image.colour=", "image.colour_from="]),
        ("optimizer=ad", ["optimizer=adam"]),
        ("-m optimizer=adam,lb", ["optimizer=adam,lbfgs"]),
        ("optimizer=adam optimizer.beta", ["optimizer.beta_1=", "optimizer.beta_2="]),
        ("optimizer=lbfgs optimizer.beta", []),
        ("+runtime.thr", ["+runtime.threads="]),
        ("launcher=joblib hydra.launcher.", ["hydra.launcher.n_jobs="]),
        ("optimizer=nonsense image.size=", []),
        ("rep", ["reproduction"]),
        ("seed=1 rep", []),
        ("compare ", []),
        ("distill teacher.pool", ["teacher.pooling="]),
        ("video flow.pre", ["flow.preset="]),
        ("video temporal=war", ["temporal=warped"]),
    ],
)
def test_a_line_is_completed(line, words):
    assert complete(line, commands=COMMAND_NAMES) == words


def test_every_option_of_a_group_is_offered():
    offered = {word.removeprefix("optimizer=") for word in complete("optimizer=")}
    assert set(OPTIMIZERS) <= offered
    assert offered == set(config_groups()["optimizer"])


def test_an_empty_line_offers_commands_groups_and_settings_but_no_schemas():
    words = complete("", commands=COMMAND_NAMES)
    assert {"compare", "distill", "experiment=", "image.", "image=", "content="} <= set(words)
    assert not [word for word in words if word.startswith("schema")]


def test_paths_are_completed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("photo.jpg").touch()
    Path("photographs").mkdir()
    assert complete("content=pho") == ["content=photo.jpg", "content=photographs/"]
    assert complete("content=photo.") == ["content=photo.jpg"]
    assert complete(f"style={tmp_path}/photo.") == [f"style={tmp_path}/photo.jpg"]


def test_an_open_quote_does_not_matter():
    assert complete("name='a b image.col") == ["image.colour=", "image.colour_from="]


def test_only_a_question_of_the_shell_is_answered():
    assert is_query(["-sc", "query=bash"])
    assert not is_query(["-sc", "install=bash"])
    assert not is_query(["query=bash"])


def test_the_commands_have_one_list():
    assert set(COMMAND_NAMES) == {*COMMANDS, *HYDRA_COMMANDS}


def test_help_lists_the_groups_without_the_schemas():
    lines = describe_config_groups().splitlines()
    assert "method: feedforward, optimize, recolour" in lines
    assert not [line for line in lines if line.startswith(("schema", "hydra"))]


BASH = """
eval "$(nst-tf -sc install=bash)"
COMP_LINE='nst-tf image.colour=l' COMP_POINT=21 COMP_CWORD=1
hydra_bash_completion
printf '%s\\n' "${COMPREPLY[@]}"
"""

ZSH = """
autoload -Uz compinit bashcompinit
compinit -D -u
bashcompinit
eval "$(nst-tf -sc install=bash)"
print -r -- "registered: ${_comps[nst-tf]}"
complete_line() {
    emulate -L sh
    setopt kshglob noshglob braceexpand
    COMP_LINE='nst-tf image.colour=l' COMP_POINT=21 COMP_CWORD=1
    typeset -a COMPREPLY
    setopt localoptions ksharrays
    hydra_bash_completion
    printf '%s\\n' "${COMPREPLY[@]}"
}
complete_line
"""


@pytest.mark.slow
@pytest.mark.parametrize(("shell", "script"), [(["bash", "--norc"], BASH), (["zsh", "-f"], ZSH)], ids=["bash", "zsh"])
def test_the_shells_complete_a_choice(shell, script, tmp_path):
    if shutil.which(shell[0]) is None:
        pytest.skip(f"{shell[0]} is not installed")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "HOME": str(tmp_path)}
    done = subprocess.run([*shell, "-c", script], capture_output=True, text=True, env=env, timeout=120, check=False)
    assert done.stdout.split()[-2:] == ["image.colour=linear", "image.colour=luminance"], done

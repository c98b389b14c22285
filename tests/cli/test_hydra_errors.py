"""What is not installed is said in one line, with the command that installs it."""

import pytest

from nst_tf.cli.hydra_errors import missing_extra

SAID = {
    "Could not find 'hydra/launcher/submitit_slurm'\n\nAvailable options in 'hydra/launcher':\n\tbasic": "slurm",
    "In 'launcher/ray': Could not override 'hydra/launcher'.\nCould not find 'hydra/launcher/ray'": "ray",
    "Unknown plugin class : 'hydra_plugins.nst_tf._search.Search'": "optuna",
}


@pytest.mark.parametrize(("text", "extra"), SAID.items(), ids=SAID.values())
def test_an_extra_that_is_missing(text, extra):
    assert str(missing_extra(RuntimeError(text))) == f"{extra} is not installed: pip install 'nst-tf[{extra}]'"


def test_other_errors_are_left_alone():
    assert missing_extra(RuntimeError("Could not find 'hydra/launcher/nonsense'")) is None
    assert missing_extra(RuntimeError("Could not find 'backbone/ray'")) is None

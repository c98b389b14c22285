"""The error of an extra that is not installed is one line with the command that installs it."""

import pytest

from nst_tf.cli.hydra_errors import missing_extra

HYDRA_ERRORS = {
    "Could not find 'hydra/launcher/submitit_slurm'\n\nAvailable options in 'hydra/launcher':\n\tbasic": "slurm",
    "In 'launcher/ray': Could not override 'hydra/launcher'.\nCould not find 'hydra/launcher/ray'": "ray",
    "Unknown plugin class : 'hydra_plugins.nst_tf._search.Search'": "optuna",
}


@pytest.mark.parametrize(("text", "extra"), HYDRA_ERRORS.items(), ids=HYDRA_ERRORS.values())
def test_an_extra_that_is_not_installed_is_named(text, extra):
    assert str(missing_extra(RuntimeError(text))) == f"{extra} is not installed: pip install 'nst-tf[{extra}]'"


def test_other_errors_name_no_extra():
    assert missing_extra(RuntimeError("Could not find 'hydra/launcher/nonsense'")) is None
    assert missing_extra(RuntimeError("Could not find 'backbone/ray'")) is None

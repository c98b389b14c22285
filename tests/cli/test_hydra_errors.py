"""Errors of Hydra and OmegaConf are one line with the key, the value and the remedy."""

import pytest
from hydra.errors import HydraException
from hydra.utils import instantiate
from omegaconf.errors import OmegaConfBaseException

from nst_tf.cli.hydra_errors import missing_extra, one_line
from nst_tf.config.composing import compose_config
from nst_tf.util.errors import InputError

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


def test_an_error_of_a_launcher_is_its_own_line():
    config = {"_target_": "hydra_plugins.nst_tf.processes.Processes", "n_jobs": 0}
    with pytest.raises(HydraException) as caught:
        instantiate(config)
    assert one_line(caught.value) == "hydra.launcher.n_jobs=0: must be at least 1"


LINES = {
    "image=512": ["Unknown image='512'; available: ", "standard"],
    "image=[512]": ["image/512"],
    "backbone=null": ["Unknown backbone='null'; available: ", "vgg19"],
    "experiment=null": ["Unknown experiment='null'; available: ", "gatys2016"],
    "method=1.5": ["Unknown method='1.5'; available: feedforward, optimize"],
    "~image=3": ["image=3"],
    "losses=3": ["losses: Cannot assign int"],
    "losses.content.weight=1e308": ["weight=1e+308: must be at most 3.4e+38"],
    "losses.content.weight=null": ["losses.content.weight=null: must have a value"],
    "content=in${nothing}.jpg": ["content: Interpolation key 'nothing' not found", r"type \${"],
    "content=nowhere (1).jpg": ["no such file", """type "content='nowhere (1).jpg'\""""],
    "style=b, c.jpg": ["has several values", "type 'style=[b, c.jpg]'", """"style='b, c.jpg'\"""", "add -m"],
    "losses.style.layers=[conv1_1": ["type 'losses.style.layers=[conv1_1]'"],
    "photo": ["it has no '='"],
    "größe=3": ["'größe' is no key"],
    "rerun=nowhere (1)": ["""type "rerun='nowhere (1)'\""""],
}


@pytest.mark.parametrize(("typed", "words"), LINES.items(), ids=LINES)
def test_an_override_that_cannot_be_used_is_one_line(typed, words):
    with pytest.raises((InputError, HydraException, OmegaConfBaseException)) as caught:
        compose_config(typed)
    line = one_line(caught.value)
    assert "\n" not in line
    assert all(word in line for word in words), line

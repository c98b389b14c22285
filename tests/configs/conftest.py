"""Composing configs as the command line does."""

import pytest
from hydra import compose, initialize_config_dir

from nst_tf.config import configs_folder, from_hydra, register


@pytest.fixture
def composed():
    """Overrides to a live `Config`; ``name`` is given, since there is no clock outside a run."""
    register()

    def build(*overrides):
        with initialize_config_dir(str(configs_folder()), version_base="1.3"):
            return from_hydra(compose("config", overrides=["name=test", *overrides]))

    return build

"""Composing configs as the command line does."""

import pytest

from nst_tf.config.composing import compose_config


@pytest.fixture
def composed():
    """Overrides to a live `Config`."""
    return lambda *overrides: compose_config("name=test", *overrides)

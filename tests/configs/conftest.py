"""Composing configs as the command line does."""

import pytest

from nst_tf.config.composing import compose_config

OF_NO_PAPER = {"demo", "regions", "partial_transfer", "guided_sums", "seamless_texture"}
"""Experiments that show what the program can do, and repeat no paper and no program."""


@pytest.fixture
def composed():
    """Overrides to a live `Config`."""
    return lambda *overrides: compose_config("name=test", *overrides)

"""Composing configs as the command line does."""

import pytest

from nst_tf import config


@pytest.fixture
def composed():
    """Overrides to a live `Config`."""
    return lambda *overrides: config.composed("name=test", *overrides)

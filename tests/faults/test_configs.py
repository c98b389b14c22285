"""Random settings, as Python callers and commands may give them: a config, or one line."""

import dataclasses

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nst_tf import Config
from nst_tf.backbones import BACKBONES
from nst_tf.images import Canvas
from nst_tf.losses import LOSSES
from nst_tf.observers import OBSERVERS
from nst_tf.optimization.schedule import Schedule
from nst_tf.optimizers import OPTIMIZERS
from nst_tf.system.runtime import Runtime
from nst_tf.util.errors import InputError

CLASSES = [*BACKBONES.values(), *LOSSES.values(), *OPTIMIZERS.values(), *OBSERVERS.values(), Canvas, Schedule, Runtime]

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.integers(-3, 600),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["auto", "content", "conv1_1", "stage1", "conv:3", "???", "${seed}", "_target_", "a/b.png", "1e3"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def components(draw):
    """A class of settings with values for some of its fields."""
    kind = draw(st.sampled_from(CLASSES))
    names = [field.name for field in dataclasses.fields(kind) if field.init]
    return kind, draw(st.dictionaries(st.sampled_from(names), values, max_size=4)) if names else {}


def assert_object_or_one_line(make):
    try:
        make()
    except InputError as error:
        line = str(error)
    else:
        return
    assert "\n" not in line
    assert len(line) < 1000


fields_of_config = st.dictionaries(
    st.sampled_from([field.name for field in dataclasses.fields(Config)]), values, max_size=4
)
OPTIONS = {"deadline": None, "derandomize": True, "database": None, "suppress_health_check": list(HealthCheck)}


def assert_objects_or_one_line(case, fields):
    kind, given_values = case
    assert_object_or_one_line(lambda: kind(**given_values))
    assert_object_or_one_line(lambda: Config(**fields))


@settings(max_examples=40, **OPTIONS)
@given(components(), fields_of_config)
def test_odd_settings_give_an_object_or_one_line(case, fields):
    assert_objects_or_one_line(case, fields)


@pytest.mark.faults
@settings(max_examples=1000, **OPTIONS)
@given(components(), fields_of_config)
def test_a_thousand_odd_settings_give_an_object_or_one_line(case, fields):
    assert_objects_or_one_line(case, fields)

"""Settings convert the values that Python callers give as the command line converts what is typed."""

from dataclasses import dataclass, fields
from enum import Enum
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest
from hydra.errors import ConfigCompositionException
from omegaconf import OmegaConf
from omegaconf.errors import ValidationError

from nst_tf import Config
from nst_tf.backbones import VGG19
from nst_tf.cli.hydra_errors import one_line
from nst_tf.config.composing import SCHEMAS, compose_config
from nst_tf.distillation.settings import Distillation
from nst_tf.images import Canvas, Fit
from nst_tf.losses import GramLoss
from nst_tf.optimizers import LBFGS, OPTIMIZERS, Adam, Optimizer
from nst_tf.util.checks import convert, convert_fields
from nst_tf.util.errors import InputError

CLASSES = [Config, Distillation, *(kind for options in SCHEMAS.values() for kind in options.values())]


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ("256", int, 256),
        (np.int64(3), int, 3),
        ("0.1", float, 0.1),
        (2, float, 2.0),
        (np.float32(0.5), float, 0.5),
        ("yes", bool, True),
        (np.bool_(False), bool, False),
        (Path("a/b.h5"), str, "a/b.h5"),
        (3, str, "3"),
        ("height", Fit, Fit.height),
        (("a", Path("b")), list[str], ["a", "b"]),
        (np.array([1.0, 2.0]), list[float], [1.0, 2.0]),
        ([1, "2"], list[float] | None, [1.0, 2.0]),
        (None, int | None, None),
        ({"a": 1}, dict[str, float], {"a": 1.0}),
        (None, Any, None),
    ],
)
def test_a_value_becomes_the_declared_type(value, kind, expected):
    converted = convert("key", value, kind)
    assert converted == expected
    assert type(converted) is type(expected)


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        ("ten", int, "key='ten': must be an integer"),
        (10.0, int, "key=10.0: must be an integer"),
        (True, int, "key=True: must be an integer"),
        (None, int, "key=None: must be an integer"),
        ("much", float, "key='much': must be a number"),
        (True, float, "key=True: must be a number"),
        ("perhaps", bool, "key='perhaps': must be true or false"),
        (["a"], str, "key=['a']: must be a text"),
        ("conv1_1", list[str], "key='conv1_1': must be a list, such as ['conv1_1']"),
        ({1}, list[int], "key={1}: must be a list"),
        (["a"], list[int], "key='a': must be an integer"),
        ([1], dict[str, int], "key=[1]: must be a dictionary of objects by name"),
        ({"a": None}, dict[str, int], "key.a=None: must be an integer"),
        ("wide", Fit, "key='wide': must be one of long_side, short_side, height, width, exact"),
        (Adam, Canvas, f"key={Adam!r}: must be an object: Canvas(…)"),
        ("a\nb" * 50, int, "key='" + ("a\\nb" * 50)[:78] + "…: must be an integer"),
    ],
)
def test_a_value_of_another_type_is_refused_in_one_line_with_its_key(value, kind, message):
    with pytest.raises(InputError) as caught:
        convert("key", value, kind)
    assert str(caught.value) == message


def test_the_error_of_an_optimiser_names_the_classes_to_choose_from():
    with pytest.raises(InputError, match=r"^optimizer='adam': must be an object: .*Adam\(…\).*LBFGS\(…\)"):
        Config(optimizer="adam")


@pytest.mark.parametrize("kind", [int, float, bool])
@pytest.mark.parametrize(
    "value", ["1", "0.5", "yes", "nan", "", "x", "1e3", " 3", "1_000", "0x10", "ON", "n", "-1", 2, 0, 0.5, True, [1]]
)
def test_the_command_line_accepts_and_refuses_the_same_values(kind, value):
    @dataclass
    class Typed:
        key: kind

    try:
        typed = OmegaConf.merge(OmegaConf.structured(Typed), {"key": value}).key
    except ValidationError:
        with pytest.raises(InputError):
            convert("key", value, kind)
    else:
        assert repr(convert("key", value, kind)) == repr(typed)


@pytest.mark.parametrize(
    ("override", "build"),
    [
        ("steps=ten", lambda: Config(steps="ten")),
        ("image.style_size=1.5", lambda: Canvas(style_size=1.5)),
        ("image.fit_memory=perhaps", lambda: Canvas(fit_memory="perhaps")),
        ("optimizer.first_step=true", lambda: LBFGS(first_step=True)),
    ],
)
def test_the_command_line_and_python_refuse_a_value_in_the_same_words(override, build):
    with pytest.raises(ConfigCompositionException) as typed:
        compose_config(override)
    with pytest.raises(InputError) as given:
        build()
    assert one_line(typed.value) == str(given.value)


PICTURES = ("content", "style", "start")


TEXTS_AND_UNIONS = {
    *("content", "style", "start", "photographs", "paintings", "reference", "name", "weights", "device", "output"),
    *("size", "margin", "tile", "style_scale", "colour_from"),  # numbers or words, and lists of them
    *("uri", "experiment", "lpips_network", "lpips_linear"),
    *("redraw", "rematch", "directions"),  # numbers or words
}
"""Fields that take any text, or values of several types."""


def wrong_values(kind):
    """Yield the fields of a settings class with a value of a type that each refuses."""
    hints = get_type_hints(kind)
    for field in fields(kind):
        if hints[field.name] is not Any and hints[field.name] is not str and str(hints[field.name]) != "str | None":
            yield field.name, object()


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_field_of_every_settings_class_refuses_a_value_of_another_type(kind):
    checked = list(wrong_values(kind))
    for name, value in checked:
        with pytest.raises(InputError, match=rf"{name}=<object object at 0x\w+>: must be ") as caught:
            kind(**{name: value})
        assert "\n" not in str(caught.value)
    untyped = {field.name for field in fields(kind)} - {name for name, _ in checked}
    assert untyped <= TEXTS_AND_UNIONS


@pytest.mark.parametrize("fields", [{"content": object()}, {"style": object()}, {"style": [object()]}])
def test_a_picture_setting_refuses_an_object_that_is_no_picture(fields):
    with pytest.raises(InputError, match=r"^(content|style)=.*: must be a path"):
        Config(**fields)


def test_a_path_is_taken_for_a_text():
    assert Config(content=Path("a.jpg"), style=[Path("b.jpg")]).content == "a.jpg"
    assert Config(style=Path("b.jpg")).style == "b.jpg"
    assert VGG19(weights=Path("w.h5")).weights == "w.h5"


def test_texts_that_spell_numbers_give_the_same_settings_as_numbers():
    assert Adam(learning_rate="0.1") == Adam(learning_rate=0.1)
    assert Canvas(size="256") == Canvas(size=256)
    assert Config(steps="10", seed="3") == Config(steps=10, seed=3)
    assert GramLoss(layers=("conv1_1",), weight="2") == GramLoss(layers=["conv1_1"], weight=2.0)


def test_lists_are_copied_so_that_two_settings_never_share_one():
    layers = ["conv1_1"]
    loss = GramLoss(layers=layers)
    layers.append("conv2_1")
    assert loss.layers == ["conv1_1"]


def test_a_class_with_annotations_that_cannot_be_resolved_is_not_checked():
    @dataclass
    class Unresolved:
        key: "Missing" = 3  # noqa: F821

    component = Unresolved("three")
    convert_fields(component)
    assert component.key == "three"


def test_an_enumeration_without_members_accepts_any_enumeration():
    assert convert("key", Fit.height, Enum | None) is Fit.height
    with pytest.raises(InputError, match="must be an object"):
        convert("key", "height", Enum | None)


def test_a_component_may_be_any_class_derived_from_the_declared_one():
    for name, kind in OPTIMIZERS.items():
        assert type(convert("optimizer", kind(), Optimizer)) is OPTIMIZERS[name]

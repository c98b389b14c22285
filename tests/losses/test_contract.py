"""The contract of losses: the example in the docstring of `LayerLoss` is a whole loss."""

import inspect
import textwrap
from dataclasses import dataclass

import numpy as np
import pytest
import tensorflow as tf
from omegaconf import OmegaConf

from nst_tf.losses import LOSSES, LayerLoss, Loss, Targets
from nst_tf.optimization.objective import Objective
from nst_tf.optimization.terms import TermInputs
from nst_tf.util.errors import InputError

RNG = np.random.default_rng(2)
CONTENT, IMAGE, ONE, TWO = (tf.constant(RNG.uniform(size=(1, 6, 8, 3)), tf.float32) for _ in range(4))


@pytest.fixture(scope="module")
def mean_loss():
    """The class in the docstring of `LayerLoss`."""
    code = inspect.getdoc(LayerLoss).split("by::\n")[1].split("A loss that compares")[0]
    namespace = {"dataclass": dataclass, "LayerLoss": LayerLoss, "tf": tf, "__name__": __name__}
    exec(textwrap.dedent(code), namespace)
    return namespace["MeanLoss"]


def means(image):
    return image.numpy().mean((1, 2))[0]


def test_a_loss_over_layers_leaves_two_methods_to_write():
    assert LayerLoss.__abstractmethods__ == {"represent", "layer_distance"}
    assert Loss.__abstractmethods__ == {"taps", "references", "represent", "distance"}
    with pytest.raises(TypeError, match="abstract"):
        LayerLoss(layers=["a"])


def test_the_example_in_the_docstring_compares_the_means(mean_loss):
    loss = mean_loss(layers=["a"], layer_weights=[3.0])
    features, target = ({"a": image, "image": image} for image in (IMAGE, ONE))
    targets = loss.prepare(target)
    assert isinstance(targets, Targets)
    assert targets.temperatures == {}
    np.testing.assert_allclose(loss(features, targets), [3 * ((means(IMAGE) - means(ONE)) ** 2).sum()], rtol=1e-5)


def test_the_example_in_the_docstring_works_in_an_objective(mean_loss):
    losses = {"style": mean_loss(layers=["a"], weight=2.0, blend="targets", smoothing="scale", factor=10.0)}
    objective = Objective.prepare(lambda image: {"a": image}, losses, CONTENT, [ONE, TWO], [0.25, 0.75])
    expected = 100 * ((means(IMAGE) - 0.25 * means(ONE) - 0.75 * means(TWO)) ** 2).sum()
    assert float(objective(IMAGE).terms["style/raw"][0]) == pytest.approx(expected, rel=1e-4)
    assert float(objective(IMAGE).total[0]) == pytest.approx(2 * expected, rel=1e-4)


def test_a_loss_with_a_single_formula_has_no_relative_reduction(mean_loss):
    assert mean_loss(layers=["a"]).reduction is None
    with pytest.raises(InputError, match=r"^balance=target: MeanLoss has no reduction named relative"):
        mean_loss(layers=["a"], balance="target")


def test_a_loss_is_a_structured_config_of_its_fields(mean_loss):
    config = OmegaConf.structured(mean_loss(layers=["a"], weight=2.0))
    config.weight = 3.0
    assert OmegaConf.to_object(config) == mean_loss(layers=["a"], weight=3.0)


@pytest.mark.parametrize("kind", [kind for kind in LOSSES.values() if issubclass(kind, LayerLoss)])
def test_every_loss_over_layers_narrows_its_reduction(kind):
    config = OmegaConf.structured(kind)
    config.reduction = "relative"
    assert config.reduction is type(kind(layers=["a"]).reduction)["relative"]


def test_run_time_inputs_are_tensors_and_temperatures_stand_beside_the_targets(mean_loss):
    loss = mean_loss(layers=["a"], weight=2.0, smoothing="softmax", temperature=0.5)
    objective = Objective.prepare(lambda image: {"a": image}, {"style": loss}, CONTENT, [ONE, TWO], [0.25, 0.75])
    inputs = objective.inputs["style"]
    assert isinstance(inputs, TermInputs)
    assert [float(target.share) for target in inputs.targets] == [0.25, 0.75]
    assert [list(target.layers) for target in inputs.targets] == [["a"], ["a"]]
    expected = 0.5 * (0.25 * ONE.numpy().max() + 0.75 * TWO.numpy().max())
    np.testing.assert_allclose(inputs.temperatures["a"], [expected], rtol=1e-6)
    assert all(tf.is_tensor(value) for value in tf.nest.flatten(objective.inputs))
    assert float(objective.with_weights({"style": loss}).inputs["style"].weight) == 2.0

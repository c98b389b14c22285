"""The objective: its terms, its targets and its gradient, against NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from nst_tf.losses import Blend, ContentLoss, ContentReduction, GramLoss, GramReduction, Targets, TotalVariationLoss
from nst_tf.optimization.objective import Objective
from nst_tf.optimization.terms import active_losses, tapped_layers, term_names
from nst_tf.util.errors import InputError

RNG = np.random.default_rng(0)
CONTENT, IMAGE, ONE, TWO = (tf.constant(RNG.uniform(size=(1, 6, 8, 3)).astype(np.float32)) for _ in range(4))
KERNEL = tf.constant(RNG.normal(size=(3, 3, 3, 4)).astype(np.float32))


def extractor(image):
    """Return the features of one convolution under two names, the second doubled."""
    features = tf.nn.relu(tf.nn.conv2d(image, KERNEL, 1, "SAME"))
    return {"a": features, "b": 2 * features}


def losses(**style):
    return {
        "content": ContentLoss(layers=["a"], weight=2.0),
        "style": GramLoss(layers=["a", "b"], weight=3.0, reduction=GramReduction.mean, **style),
        "smooth": TotalVariationLoss(weight=5.0),
        "off": ContentLoss(weight=0.0),
    }


def prepared(styles=(ONE,), shares=(1.0,), **style):
    return Objective.prepare(extractor, losses(**style), CONTENT, styles, shares)


def numpy_terms(image, style_targets):
    """Compute the same terms in NumPy; ``style_targets`` are pairs of share and picture."""

    def features(picture):
        return extractor(picture)["a"].numpy()[0].astype(np.float64)

    def gram(x):
        F = x.reshape(-1, 4)
        return F.T @ F

    F, P = features(image), features(CONTENT)
    a = sum(share * ((gram(F) - gram(features(s))) ** 2).mean() for share, s in style_targets)
    b = 16 * a  # twice the features, sixteen times the squared Gram difference
    x = image.numpy()[0].astype(np.float64)
    smooth = (np.diff(x, axis=0) ** 2).sum() + (np.diff(x, axis=1) ** 2).sum()
    content = 0.5 * ((F - P) ** 2).sum()
    return {
        "content": 2 * content,
        "content/raw": content,
        "content/a": content,
        "style": 3 * (a + b),
        "style/raw": a + b,
        "style/a": a,
        "style/b": b,
        "smooth": 5 * smooth,
        "smooth/raw": smooth,
    }


def test_terms_and_total_equal_their_formulas_and_have_the_names_of_term_names():
    evaluation = prepared()(IMAGE)
    expected = numpy_terms(IMAGE, [(1.0, ONE)])
    assert list(evaluation.terms) == term_names(losses()) == list(expected)
    for name, value in expected.items():
        assert float(evaluation.terms[name][0]) == pytest.approx(value, rel=1e-4), name
    assert float(evaluation.total[0]) == pytest.approx(
        expected["content"] + expected["style"] + expected["smooth"], rel=1e-4
    )


def test_the_gradient_equals_a_central_difference_of_the_total():
    objective = prepared()
    direction = tf.constant(RNG.normal(size=IMAGE.shape).astype(np.float32))
    slope = float(tf.reduce_sum(objective(IMAGE).gradient * direction))
    ahead, behind = (float(objective.values(IMAGE + sign * 1e-3 * direction)[0][0]) for sign in (1, -1))
    assert slope == pytest.approx((ahead - behind) / 2e-3, rel=1e-2)


def test_losses_of_several_styles_are_weighted_by_their_shares():
    evaluation = prepared((ONE, TWO), (0.25, 0.75))(IMAGE)
    expected = numpy_terms(IMAGE, [(0.25, ONE), (0.75, TWO)])
    assert float(evaluation.terms["style/raw"][0]) == pytest.approx(expected["style/raw"], rel=1e-4)


def test_blended_targets_are_the_weighted_mean_of_the_gram_matrices():
    blended = prepared((ONE, TWO), (0.25, 0.75), blend=Blend.targets)(IMAGE)
    loss = losses()["style"]
    grams = [loss.represent({"image": s} | extractor(s)) for s in (ONE, TWO)]
    mean = {layer: 0.25 * grams[0][layer] + 0.75 * grams[1][layer] for layer in ("a", "b")}
    expected = loss({"image": IMAGE} | extractor(IMAGE), Targets(mean, {}))
    assert float(blended.terms["style/raw"][0]) == pytest.approx(float(expected[0]), rel=1e-5)


def test_a_loss_on_one_of_several_styles_ignores_its_share():
    alone = prepared((ONE, TWO), (0.25, 0.75), reference="style:2")(IMAGE)
    expected = numpy_terms(IMAGE, [(1.0, TWO)])
    assert float(alone.terms["style/raw"][0]) == pytest.approx(expected["style/raw"], rel=1e-4)


def test_each_picture_of_a_batch_is_evaluated_by_itself():
    objective = prepared()
    both = objective(tf.concat([IMAGE, TWO], axis=0))
    for index, image in enumerate((IMAGE, TWO)):
        single = objective(image)
        np.testing.assert_allclose(both.total[index], single.total[0], rtol=1e-5)
        np.testing.assert_allclose(both.gradient[index], single.gradient[0], rtol=1e-3, atol=1e-4)


def test_a_loss_of_weight_0_is_not_active_and_taps_no_layer():
    mixed = losses() | {"deep": GramLoss(layers=["deepest"], weight=0.0)}
    assert tapped_layers(mixed) == ["a", "b"]
    assert "deep" not in active_losses(mixed)


def test_losses_that_all_have_weight_0_are_refused():
    with pytest.raises(InputError, match="every loss has weight 0"):
        Objective.prepare(extractor, {"off": ContentLoss(weight=0.0)}, CONTENT, [], [])


def test_gram_targets_of_another_size_are_divided_by_their_own_number_of_positions():
    large = tf.image.resize(ONE, [12, 16])
    loss = {"style": GramLoss(layers=["a"], reduction=GramReduction.gatys)}
    objective = Objective.prepare(extractor, loss, CONTENT, [large], [1.0])

    def mean_gram(picture):
        F = extractor(picture)["a"].numpy().reshape(-1, 4).astype(np.float64)
        return F.T @ F / len(F)

    expected = ((mean_gram(IMAGE) - mean_gram(large)) ** 2).sum() / (4 * 4**2)
    assert float(objective(IMAGE).total[0]) == pytest.approx(expected, rel=1e-4)


def test_the_objective_uses_the_reduction_of_the_loss():
    loss = {"content": ContentLoss(layers=["a"], reduction=ContentReduction.mean)}
    half = {"content": ContentLoss(layers=["a"])}
    mean, half_sum = (
        float(Objective.prepare(extractor, which, CONTENT, [], [])(IMAGE).total[0]) for which in (loss, half)
    )
    assert half_sum / mean == pytest.approx(6 * 8 * 4 / 2, rel=1e-5)


def test_preparing_several_objectives_causes_no_retracing_warning(caplog, monkeypatch):
    """A sweep in one process prepares many; without concrete functions TensorFlow warns from the fifth on."""
    monkeypatch.setattr(tf.get_logger(), "propagate", True)
    with caplog.at_level("WARNING", "tensorflow"):
        for _ in range(7):
            prepared()
    assert "retracing" not in caplog.text

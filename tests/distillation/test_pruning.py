"""The closed-form start: selection of channels, least squares, and folding of heads."""

import numpy as np
import pytest
import tensorflow as tf

from nst_tf.backbones import VGG16, VGG19
from nst_tf.distillation.building import build_trainer, read_training_pictures
from nst_tf.distillation.matching import apply_head
from nst_tf.distillation.pruning import least_squares, select_channels
from nst_tf.distillation.settings import Distillation
from nst_tf.distillation.student import FEATURE_SCALE, TAPS, fold
from nst_tf.util.errors import InputError


def explained(F, chosen):
    """Return the fraction of the energy that the chosen channels predict linearly."""
    S = F[:, chosen]
    return 1 - ((S @ np.linalg.lstsq(S, F, rcond=None)[0] - F) ** 2).sum() / (F**2).sum()


@pytest.fixture
def features():
    generator = np.random.default_rng(0)
    return np.maximum(generator.normal(size=(200, 9)) @ generator.normal(size=(9, 9)), 0)


def test_each_selected_channel_explains_the_most_energy(features):
    chosen = select_channels(features.T @ features, 4)
    for n in range(4):
        rivals = [explained(features, [*chosen[:n], other]) for other in range(9) if other not in chosen[:n]]
        np.testing.assert_allclose(explained(features, chosen[: n + 1]), max(rivals), rtol=1e-9)


def test_redundant_channels_are_selected_last(features):
    doubled = np.concatenate([features, 2 * features], axis=1)
    chosen = select_channels(doubled.T @ doubled, 9)
    assert {n % 9 for n in chosen} == set(range(9))
    assert len(set(select_channels(doubled.T @ doubled, 18))) == 18


def test_least_squares_matches_numpy(features):
    X, Y = features[:, :5], features[:, 5:]
    np.testing.assert_allclose(least_squares(X, Y), np.linalg.lstsq(X, Y, rcond=None)[0], atol=2e-3)


def test_a_folded_head_keeps_distances_and_gram_distances():
    generator = np.random.default_rng(3)
    head, a, b = (generator.normal(size=size) for size in ((6, 40), (30, 6), (30, 6)))
    factor = fold(head)
    assert factor.shape == (6, 6)
    np.testing.assert_allclose(factor @ factor.T, head @ head.T, rtol=1e-5)
    expected = np.linalg.norm((a - b) @ head), np.linalg.norm(head.T @ (a.T @ a - b.T @ b) @ head)
    for x in (head, factor):
        A, B = a @ x, b @ x
        kept = np.linalg.norm(A - B), np.linalg.norm(A.T @ A - B.T @ B)
        np.testing.assert_allclose(kept, expected, rtol=1e-5)


@pytest.mark.slow
def test_the_pruned_student_predicts_the_teachers_features_of_unseen_crops(small):
    """The error is below 15 % of the energy everywhere, and below 25 % of the variance at the first four layers."""
    settings = small(start_pictures=24)
    pictures = read_training_pictures(settings)
    student = build_trainer(settings, pictures, [1]).student
    x = tf.constant(pictures.photographs.draw(12, np.random.default_rng(77)))
    narrow, wide = student(x), settings.teacher.extractor(TAPS)(x)
    for number, tap in enumerate(TAPS):
        T = wide[tap].numpy() / FEATURE_SCALE
        F = apply_head(narrow[tap], student.heads[tap].value).numpy()
        assert F.shape == T.shape
        missed = np.square(F - T).sum()
        assert missed < 0.15 * np.square(T).sum()
        assert number > 3 or missed < 0.25 * np.square(T - T.mean((0, 1, 2))).sum()


def test_a_teacher_without_the_layers_is_refused(small):
    settings = small(teacher=VGG16(weights="random"))
    with pytest.raises(InputError, match="backbone@teacher=vgg16: Unknown layer 'conv3_4'"):
        build_trainer(settings, read_training_pictures(settings), [1])


def test_a_teacher_that_cannot_be_loaded_is_refused(small):
    settings = small(teacher=VGG19(weights="/nowhere.h5"))
    with pytest.raises(InputError, match=r"Weights file '/nowhere.h5' not found"):
        build_trainer(settings, read_training_pictures(settings), [1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": 100}, "size=100: must be a multiple of 16"),
        ({"pool": 12}, "pool=12: must be a multiple of 8"),
        ({"half_stylised": 15}, "half_stylised=15: must leave two of the batch"),
        ({"direction": 1.0, "half_stylised": 0}, "direction is measured on half-stylised pictures"),
        ({"learning_rate": 0.0}, "learning_rate=0.0: must be above 0"),
        ({"samples": ["monet"]}, "unknown; available"),
    ],
)
def test_unusable_settings_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        Distillation(photographs="x", **changes)

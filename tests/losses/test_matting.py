"""The matting loss against a dense matrix built window by window, and against PyMatting where it is installed."""

import numpy as np
import pytest
import tensorflow as tf

from nst_tf.losses import MattingLoss
from nst_tf.losses.matting import SHIFTS, laplacian_entries
from nst_tf.util.errors import InputError

RNG = np.random.default_rng(4)
H, W = 6, 7
CONTENT = RNG.uniform(size=(H, W, 3))


def dense_laplacian(image, epsilon):
    """Return L ``(HW, HW)`` by the definition: the contribution of every window to every pair of its pixels."""
    height, width, _ = image.shape
    L = np.zeros((height * width, height * width))
    for y in range(height - 2):
        for x in range(width - 2):
            index = [(y + a) * width + x + b for a in range(3) for b in range(3)]
            colours = image.reshape(-1, 3)[index]
            centred = colours - colours.mean(0)
            inverse = np.linalg.inv(centred.T @ centred / 9 + epsilon / 9 * np.eye(3))
            L[np.ix_(index, index)] += np.eye(9) - (1 + centred @ inverse @ centred.T) / 9
    return L


def entries_as_matrix(entries):
    """Return L from the entries behind its diagonal."""
    height, width, _ = entries.shape
    L = np.zeros((height, width, height, width))
    for n, (dy, dx) in enumerate(SHIFTS):
        for y in range(height - dy):
            for x in range(max(-dx, 0), width - max(dx, 0)):
                L[y, x, y + dy, x + dx] = L[y + dy, x + dx, y, x] = -entries[y, x, n]
    L = L.reshape(height * width, height * width)
    return L - np.diag(L.sum(1))


def as_picture(array):
    return tf.constant(np.asarray(array)[None], tf.float32)


@pytest.mark.parametrize("epsilon", [1e-7, 1e-5, 1e-2])
def test_the_entries_are_those_of_the_dense_laplacian(epsilon):
    entries = laplacian_entries(tf.constant(CONTENT[None]), epsilon).numpy()[0]
    np.testing.assert_allclose(entries_as_matrix(entries), dense_laplacian(CONTENT, epsilon), atol=1e-8)


@pytest.mark.parametrize("epsilon", [1e-7, 1e-5])
def test_the_entries_are_those_of_pymatting(epsilon):
    pymatting = pytest.importorskip("pymatting")
    entries = laplacian_entries(tf.constant(CONTENT[None]), epsilon).numpy()[0]
    expected = pymatting.cf_laplacian(CONTENT, epsilon=epsilon).toarray()
    np.testing.assert_allclose(entries_as_matrix(entries), expected, atol=1e-8)


def test_loss_and_gradient_equal_the_quadratic_form_of_each_picture_of_a_batch():
    pictures, content = RNG.uniform(size=(2, H, W, 3)), as_picture(CONTENT)
    loss, image = MattingLoss(epsilon=1e-5), tf.constant(pictures, tf.float32)
    targets = loss.prepare({"image": content})
    with tf.GradientTape() as tape:
        tape.watch(image)
        value = loss({"image": image}, targets)
    L = dense_laplacian(content.numpy()[0].astype(np.float64), 1e-5)
    v = pictures.reshape(2, H * W, 3)
    np.testing.assert_allclose(value, [np.trace(each.T @ L @ each) for each in v], rtol=1e-4)
    expected = np.stack([2 * L @ each for each in v]).reshape(pictures.shape)
    np.testing.assert_allclose(tape.gradient(value, image), expected, rtol=1e-3, atol=1e-4)


def test_affine_functions_of_the_content_cost_nothing():
    loss, content = MattingLoss(), as_picture(CONTENT)
    targets = loss.prepare({"image": content})
    affine = CONTENT @ RNG.normal(size=(3, 3)) + RNG.normal(size=3)
    assert float(loss({"image": as_picture(affine)}, targets)[0]) == pytest.approx(0, abs=1e-3)
    other = RNG.uniform(size=(H, W, 3))
    assert float(loss({"image": as_picture(other)}, targets)[0]) > 1


def test_a_content_of_one_colour_has_a_finite_laplacian_that_is_the_mean_over_windows():
    """Σ is 0 there, so that every pair of pixels in a window has the entry −1/9."""
    entries = laplacian_entries(tf.fill([1, 5, 5, 3], 0.5), 1e-7).numpy()[0]
    centre = entries[2, 2]
    assert centre == pytest.approx([max(3 - dy, 0) * max(3 - abs(dx), 0) / 9 for dy, dx in SHIFTS])


def test_the_loss_compares_with_the_content_and_reads_the_picture_alone():
    loss = MattingLoss(weight=1e4)
    assert (list(loss.taps), list(loss.references(3))) == (["image"], ["content"])
    with pytest.raises(InputError, match=r"epsilon=0"):
        MattingLoss(epsilon=0)

"""Seams between the photograph and the result: the least visible cut against all cuts, and known pictures."""

import math
from itertools import product

import numpy as np
import pytest

from nst_tf.images.seams import cut_at_half, least_visible_cut, soften

RNG = np.random.default_rng(3)


def energy(labels, difference):
    """Return the sum over neighbours with different labels of the differences at both, by a loop."""
    height, width = labels.shape
    total = 0.0
    for r, c in product(range(height), range(width)):
        for rr, cc in ((r + 1, c), (r, c + 1)):
            if rr < height and cc < width and labels[r, c] != labels[rr, cc]:
                total += difference[r, c] + difference[rr, cc]
    return total


@pytest.mark.parametrize("seed", range(4))
def test_the_cut_has_the_least_energy_of_all_labellings_of_its_band(seed):
    """The band of a mask of three columns in six is the two columns beside its edge; all 2^8 labellings are tried."""
    rng = np.random.default_rng(seed)
    content, result = rng.uniform(size=(2, 4, 6, 3))
    mask = np.zeros((4, 6))
    mask[:, :3] = 1
    difference = np.linalg.norm(content - result, axis=-1)
    found = least_visible_cut(mask, content, result, width=1)
    np.testing.assert_array_equal(found[:, [0, 1, 4, 5]], mask[:, [0, 1, 4, 5]])
    energies = []
    for bits in product((0, 1), repeat=8):
        labels = mask.copy()
        labels[:, 2:4] = np.reshape(bits, (4, 2))
        energies.append(energy(labels, difference))
    assert energy(found, difference) == pytest.approx(min(energies), abs=1e-3)


def test_the_cut_follows_the_column_in_which_both_pictures_are_equal():
    content, result = np.zeros((20, 20, 3)), np.ones((20, 20, 3))
    result[:, 12:14] = 0
    mask = np.zeros((20, 20))
    mask[:, :10] = 1
    np.testing.assert_array_equal(least_visible_cut(mask, content, result, 10), np.arange(20)[None].repeat(20, 0) < 13)
    np.testing.assert_array_equal(least_visible_cut(mask, content, result, 0), mask)  # the cut cannot move


def test_of_equal_cuts_the_shortest_is_taken():
    """The mask has a notch; where both pictures are equal, the cut goes straight past it."""
    mask = np.zeros((15, 15))
    mask[:, :7] = 1
    mask[7, 7] = 1
    plain = np.full((15, 15, 3), 0.5)
    found = least_visible_cut(mask, plain, plain, 6)
    assert all(len(set(column)) == 1 for column in found.T)


@pytest.mark.parametrize("value", [0, 1])
def test_a_mask_without_an_edge_has_no_cut(value):
    mask = np.full((5, 6), value)
    np.testing.assert_array_equal(least_visible_cut(mask, *RNG.uniform(size=(2, 5, 6, 3)), 4), mask)


def test_a_hard_seam_cuts_at_one_half_and_a_soft_one_has_the_width_of_the_filter():
    np.testing.assert_array_equal(cut_at_half(np.array([[0.2, 0.49, 0.5, 1]])), [[0, 0, 1, 1]])
    step = np.zeros((1, 41))
    step[:, 21:] = 1
    values = soften(step, 8)[0]
    expected = [0.5 + math.erf((x - 20.5) / (4 * math.sqrt(2))) / 2 for x in range(41)]
    np.testing.assert_allclose(values, expected, atol=3e-3)

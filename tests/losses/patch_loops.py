"""Patches of features, their similarities and their overlaps, by loops in NumPy and float64."""

import numpy as np


def starts(length, size, stride):
    """Return the starts as a loop finds them: every ``stride`` positions, and the last that fits."""
    return [s for s in range(length - size + 1) if s % stride == 0 or s == length - size]


def places(x, size, stride):
    return [(r, c) for r in starts(x.shape[1], size, stride) for c in starts(x.shape[2], size, stride)]


def patches(x, size=3, stride=1):
    """Return every patch ``(size, size, C)`` in float64, row by row."""
    return [x[0, r : r + size, c : c + size].astype(np.float64) for r, c in places(x, size, stride)]


def cosine(a, b):
    a, b = a.ravel(), b.ravel()
    return a @ b / np.sqrt((a @ a) * (b @ b))


def mean_cosine(a, b):
    """Return the mean of the cosines of the positions of two patches; zeros are like zeros and nothing else."""
    one, other = np.linalg.norm(a, axis=-1), np.linalg.norm(b, axis=-1)
    cosines = np.divide((a * b).sum(-1), one * other, out=np.zeros_like(one), where=one * other > 0)
    return np.mean(cosines + ((one == 0) & (other == 0)))


def matches(x, style, size=3, stride=1, style_stride=1, similarity=cosine, maps=None, map_weight=0.0):
    """Return the patch of the style with the largest similarity to each patch of x."""
    own, bank = patches(x, size, stride), patches(style, size, style_stride)
    scores = np.array([[similarity(p, q) for q in bank] for p in own])
    if maps is not None:
        own_maps, bank_maps = patches(maps[0], size, stride), patches(maps[1], size, style_stride)
        scores += map_weight * np.array([[similarity(p, q) for q in bank_maps] for p in own_maps])
    return [bank[best] for best in scores.argmax(1)]


def overlapping_mean(x, matched, size, stride):
    """Return the number of patches at each position, and the mean of what they have there."""
    count, total = np.zeros(x.shape[1:3]), np.zeros(x.shape[1:])
    for (r, c), q in zip(places(x, size, stride), matched, strict=True):
        count[r : r + size, c : c + size] += 1
        total[r : r + size, c : c + size] += q
    return count[..., None], total / count[..., None]

"""Seams between the photograph and the result, where a region stays the photograph."""

from __future__ import annotations

from enum import Enum
from typing import Any

import numpy as np

CAPACITY_STEPS = 10_000
"""Capacity of an edge of the graph per unit of difference between two pictures; the solver takes integers."""


class SeamBlend(Enum):
    """The passage from a region that stays the photograph into the result.

    ``gaussian`` blends both over the width ``seam``: the deviation of the filter is half of it · ``hard`` cuts at one
    half of the mask (titu1994/Neural-Style-Transfer) · ``mrf`` cuts where the photograph and the result differ least,
    at most half of ``seam`` from the edge of the mask. This is the labelling of least energy of a Markov random field,
    see `least_visible_cut`; Castillo et al. 2017 find their seam by such a field.
    """

    gaussian = "gaussian"
    hard = "hard"
    mrf = "mrf"


def cut_at_half(mask: np.ndarray) -> np.ndarray:
    """Return 1 where a mask ``(H, W)`` is at least one half, and 0 elsewhere, in float32."""
    return (mask >= 0.5).astype(np.float32)


def soften(mask: np.ndarray, width: float) -> np.ndarray:
    """Return a mask ``(H, W)`` after a Gaussian filter of deviation ``width / 2`` pixels."""
    from scipy import ndimage

    return np.asarray(ndimage.gaussian_filter(mask, width / 2, mode="nearest"))


def least_visible_cut(mask: np.ndarray, content: np.ndarray, result: np.ndarray, width: float) -> np.ndarray:
    """Return which pixels show the content, so that the cut between both pictures is least visible.

    Each pixel p has a label, content or result. The energy is the sum over all pairs of neighbours p, q with different
    labels of ``‖c_p − r_p‖ + ‖c_q − r_q‖`` (Kwatra et al. 2003, equation 1), where c and r are the colours of content
    and result. A small constant is added for each pair, so that of equal cuts the shortest is taken. Pixels more than
    half of ``width`` from the edge of the mask keep their label. The minimum is exact: a minimal cut of the graph of
    pixels.

    Args:
        mask: ``(H, W)`` in [0, 1], 1 where the content is kept.
        content: ``(H, W, 3)`` in [0, 1].
        result: ``(H, W, 3)`` in [0, 1].
        width: Width in pixels of the band in which the cut may lie.

    Returns:
        ``(H, W)`` float32, 1 for the content and 0 for the result.

    Reference:
        Kwatra, Schödl, Essa, Turk & Bobick 2003, *Graphcut Textures: Image and Video Synthesis Using Graph Cuts*.
    """
    labels = cut_at_half(mask)
    free = _band(labels > 0, width)
    if not free.any():
        return labels
    from scipy.sparse import csgraph

    graph, source, sink = _graph(labels > 0, free, np.linalg.norm(content - result, axis=-1))
    residual = graph - csgraph.maximum_flow(graph, source, sink).flow
    residual.eliminate_zeros()
    reached = csgraph.breadth_first_order(residual, source, return_predecessors=False)
    kept = np.zeros(graph.shape[0], bool)
    kept[reached] = True
    labels[free] = kept[: free.sum()]
    return labels


def _band(inside: np.ndarray, width: float) -> np.ndarray:
    """Return the pixels at most half of ``width`` from the edge of a mask, which lies between two pixels."""
    from scipy import ndimage

    if inside.all() or not inside.any():
        return np.zeros_like(inside)
    distance = ndimage.distance_transform_edt(inside) + ndimage.distance_transform_edt(~inside) - 0.5
    return np.asarray(distance <= width / 2)


def _graph(inside: np.ndarray, free: np.ndarray, difference: np.ndarray) -> tuple[Any, int, int]:
    """Return the graph whose minimal cut is the cut between two pictures, and the numbers of its source and sink.

    The free pixels are its nodes ``0, 1, …``. All pixels that keep the content are the source, and all that keep the
    result are the sink.
    """
    from scipy import sparse

    count = int(free.sum())
    source, sink = count, count + 1
    nodes = np.where(inside, source, sink)
    nodes[free] = np.arange(count)
    starts, ends, capacities = [], [], []
    for one, other in (np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:]):
        pair = nodes[one] != nodes[other]
        starts.append(nodes[one][pair])
        ends.append(nodes[other][pair])
        capacities.append(np.rint(CAPACITY_STEPS * (difference[one] + difference[other])[pair]).astype(np.int32) + 1)
    p, q, capacity = (np.concatenate(values) for values in (starts, ends, capacities))
    entries = (np.concatenate([capacity, capacity]), (np.concatenate([p, q]), np.concatenate([q, p])))
    return sparse.coo_matrix(entries, shape=(count + 2, count + 2)).tocsr(), source, sink

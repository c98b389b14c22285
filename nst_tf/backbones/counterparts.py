"""Layer names of VGG and ResNet-50 on other networks: the layer at the same relative depth of the same stage.

`Backbone.resolve` uses this module for names that a network does not have itself, so that layers chosen for one network
serve every other one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from nst_tf.backbones.graph import cut_positions, is_convolution

StageLayers = tuple[tuple[str, ...], ...]
"""Keras names of a network's layers by stage, from the finest resolution on and from the first layer on."""

VGG19_CONVOLUTIONS = (2, 2, 4, 4, 4)
"""Number of convolutions in each stage of VGG-19."""

RESNET50_BLOCKS = (1, 3, 4, 6, 3)
"""Number of residual blocks in each stage of ResNet-50; the first stage has a single convolution."""


class Depth(NamedTuple):
    """A place in a network: the n-th of ``total`` layers of a stage, counted from 1."""

    stage: int
    n: int
    total: int


def _depths() -> dict[str, Depth]:
    """Return the places that the names of VGG-19, of ResNet-50 and of stages stand for."""
    depths = {"conv1_relu": Depth(1, 1, 1)}
    for stage, count in enumerate(VGG19_CONVOLUTIONS, 1):
        for n in range(1, count + 1):
            names = (f"conv{stage}_{n}", f"relu{stage}_{n}", f"block{stage}_conv{n}")
            depths |= dict.fromkeys(names, Depth(stage, n, count))
        depths |= dict.fromkeys((f"stage{stage}", f"pool{stage}", f"block{stage}_pool"), Depth(stage, 1, 1))
    for stage, count in enumerate(RESNET50_BLOCKS[1:], 2):
        depths |= {f"conv{stage}_block{n}_out": Depth(stage, n, count) for n in range(1, count + 1)}
    return depths


DEPTHS: Mapping[str, Depth] = _depths()
"""Place by layer name, for the names that carry over from one network to another."""


def counterpart(layer: str, stages: StageLayers) -> str | None:
    """Return the layer of a network that corresponds to a layer of VGG-19 or ResNet-50.

    The n-th of ``total`` layers of a stage corresponds to the ``⌈n · m / total⌉``-th of the ``m`` layers of that stage.
    A stage that the network lacks is read as the end of its last one. So a deeper name never gives a shallower layer.

    Args:
        layer: A name of `DEPTHS`, such as ``conv4_2``, ``block4_conv2``, ``pool4``, ``stage5`` or ``conv4_block3_out``.
        stages: The network's layers by stage.

    Returns:
        The Keras name; None if the name is not in `DEPTHS`, or the network has no stages.
    """
    depth = DEPTHS.get(layer)
    if depth is None or not stages:
        return None
    if depth.stage > len(stages):
        return stages[-1][-1]
    layers = stages[depth.stage - 1]
    return layers[-(-depth.n * len(layers) // depth.total) - 1]


def layers_by_stage(model: Any, ends: Sequence[str]) -> StageLayers:
    """Return the layers of a network that can stand for others, by stage.

    These are layers through which every path from the input passes, with at least one convolution between two of them.
    Of the layers after a convolution (normalisation, activation, sum) the last counts, within its stage.

    Args:
        model: A functional Keras model.
        ends: Keras names of the ends of the stages.
    """
    stages: list[tuple[str, ...]] = []
    layers: list[str] = []
    for name, follows_convolution in _cut_layers(model):
        if follows_convolution:
            layers.append(name)
        elif layers:
            layers[-1] = name
        if name in ends:
            stages.append(tuple(layers))
            layers = []
    return tuple(stages)


def _cut_layers(model: Any) -> Iterator[tuple[str, bool]]:
    """Yield the layers through which every path passes, and whether a convolution lies after the one before."""
    start = 0
    for position in cut_positions(model):
        operations = model.operations[start : position + 1]
        yield operations[-1].name, any(map(is_convolution, operations))
        start = position + 1

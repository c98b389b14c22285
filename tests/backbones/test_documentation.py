"""The tables of docs/backbones.md agree with the code."""

from pathlib import Path

import keras
import numpy as np
import pytest

from nst_tf.backbones import BACKBONES
from nst_tf.backbones.download import Pretrained
from nst_tf.backbones.symbolic import symbolic_model

PAGE = Path(__file__).parents[2] / "docs" / "backbones.md"
HEAVY = ("inception_resnet_v2", "convnext_tiny", "densenet121")
"""Networks that take seconds to build; their tests are slow tests."""


def rows(name):
    """Return the cells of the table rows that begin with a backbone's name."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith(f"| `{name}`")]
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in HEAVY else name for name in BACKBONES]
)
def test_the_tables_of_the_page_agree_with_every_backbone(name):
    backbone = BACKBONES[name]()
    architecture = backbone.architecture()
    facts, stages = rows(name)
    assert facts[1] == f"{len(architecture.layers)}, {len(architecture.convolutions)}"
    millions = sum(np.prod(shape) for _, shapes in architecture.weights for shape in shapes) / 1e6
    assert float(facts[2]) == pytest.approx(millions, abs=0.051)
    assert facts[3] == backbone.preprocessing.value
    pools = [x for x in symbolic_model(backbone.application).layers if isinstance(x, keras.layers.MaxPooling2D)]
    assert int(facts[4]) == len(pools)
    published = backbone.pretrained
    assert facts[6].startswith(published.file if isinstance(published, Pretrained) else "none")
    assert facts[6].endswith("no checksum") == (isinstance(published, Pretrained) and published.checksum is None)
    expected = [backbone.resolve(alias) for alias in backbone.aliases() if alias.startswith("stage")]
    assert [stage for stage in stages[1:] if stage] == expected

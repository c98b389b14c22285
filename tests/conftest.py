"""What tests of several folders share: small pictures, a small experiment, the real material where it is at hand."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nst_tf import Config
from nst_tf.backbones import VGG19
from nst_tf.images import Canvas
from nst_tf.losses import ContentLoss, GramLoss, TotalVariationLoss
from nst_tf.observers import OBSERVERS
from nst_tf.optimizers import Adam
from nst_tf.runtime import Precision, Runtime


@pytest.fixture(scope="session")
def shared():
    """The folder of real weights and photographs, or a skip."""
    folder = os.environ.get("NST_TF_SHARED")
    if not folder or not Path(folder).is_dir():
        pytest.skip("needs real weights and photographs: set NST_TF_SHARED")
    return Path(folder)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """Paths of a content and a style of 40x32 pixels with some structure."""
    folder = tmp_path_factory.mktemp("pictures")
    rows, columns = np.mgrid[0:32, 0:40]
    content = np.stack([rows * 8, columns * 6, (rows + columns) * 3], axis=2)
    style = np.stack([128 + 100 * np.sin(rows), 128 + 100 * np.cos(columns / 2), 255 * ((rows // 4) % 2)], axis=2)
    for name, pixels in {"content": content, "style": style}.items():
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{name}.png")
    return str(folder / "content.png"), str(folder / "style.png")


@pytest.fixture
def small_config(pictures):
    """Builds a Config of a run that takes about a second: random VGG-19 up to conv2_1 on 32 pixels."""

    def build(**changes):
        content, style = pictures
        fields = {
            "content": content,
            "style": style,
            "steps": 4,
            "backbone": VGG19(weights="random"),
            "losses": {
                "content": ContentLoss(layers=["conv2_1"]),
                "style": GramLoss(layers=["conv1_1", "conv2_1"], weight=10.0),
                "total_variation": TotalVariationLoss(weight=0.1),
            },
            "optimizer": Adam(learning_rate=0.02),
            "image": Canvas(size=32),
            "runtime": Runtime(precision=Precision.float32),
            "tracking": {name: kind(every=1) for name, kind in OBSERVERS.items() if name != "progress"},
        }
        return Config(**(fields | changes))

    return build

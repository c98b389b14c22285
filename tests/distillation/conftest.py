"""Settings and pictures of a small distillation with a random VGG-19 as teacher."""

import numpy as np
import pytest
from PIL import Image

from nst_tf.backbones import VGG19
from nst_tf.distillation.settings import Distillation
from nst_tf.observers import Checkpoints, Metrics
from nst_tf.system.runtime import Precision, Runtime


@pytest.fixture(scope="session")
def photographs(tmp_path_factory):
    """Folder of three small pictures with structure at several scales."""
    folder, generator = tmp_path_factory.mktemp("photographs"), np.random.default_rng(5)
    for n in range(3):
        coarse = generator.integers(0, 256, (6, 8, 3), np.uint8)
        picture = Image.fromarray(coarse).resize((64, 48), Image.Resampling.BICUBIC)
        noisy = np.asarray(picture, np.float64) + generator.normal(0, 12, (48, 64, 3))
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folder / f"{n}.png")
    return folder


@pytest.fixture(scope="session")
def small(photographs):
    """Function that builds the settings of a training of a few seconds."""

    def build_settings(**changes):
        fields = {
            "photographs": str(photographs),
            "samples": ["wedges"],
            "steps": 4,
            "teacher": VGG19(weights="random", padding="reflect"),
            "size": 32,
            "batch": 4,
            "half_stylised": 1,
            "pool": 16,
            "advance_every": 2,
            "start_pictures": 12,
            "runtime": Runtime(precision=Precision.float32),
            "tracking": {"metrics": Metrics(every=1), "checkpoints": Checkpoints(every=2)},
        }
        return Distillation(**(fields | changes))

    return build_settings

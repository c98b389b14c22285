"""Fixtures of the tests of films: small settings, and a cache that all runs of a module share."""

import pytest

from nst_tf.backbones import VGG19
from nst_tf.images import Canvas
from nst_tf.losses import ContentLoss, GramLoss, TemporalLoss
from nst_tf.observers import Checkpoints, Metrics
from nst_tf.optimizers import Adam
from nst_tf.system.runtime import Precision, Runtime
from nst_tf.video import Frames, Temporal, VideoConfig


@pytest.fixture(scope="module")
def video_config(pictures):
    """Function that returns the settings of a film of four frames of 32x24 pixels, with a random network."""

    def build(**changes):
        fields = {
            "video": "sample:translation",
            "style": pictures[1],
            "steps": 3,
            "backbone": VGG19(weights="random"),
            "losses": {
                "content": ContentLoss(layers=["conv1_2"]),
                "style": GramLoss(layers=["conv1_1"], weight=10.0),
                "temporal": TemporalLoss(weight=50.0),
            },
            "optimizer": Adam(learning_rate=0.02),
            "image": Canvas(size=32, margin=0),
            "runtime": Runtime(precision=Precision.float32),
            "tracking": {"metrics": Metrics(every=1), "checkpoints": Checkpoints(every=1)},
            "frames": Frames(stop=3),
            "temporal": Temporal(first_steps=5),
        }
        return VideoConfig(**(fields | changes))

    return build


@pytest.fixture(scope="module")
def one_cache(shared_cache):
    """Let all films of a module share one cache, so that each form of a run is compiled once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nst_tf.video.stylizing.RunCache", lambda keeps: shared_cache)
        yield

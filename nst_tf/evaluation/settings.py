"""Whether a run is judged at its end, and by whom."""

import functools
from dataclasses import dataclass

from nst_tf.backbones import BACKBONES, VGG19, Backbone, VGG19Lite
from nst_tf.evaluation.judge import Judge
from nst_tf.util.errors import InputError

AUTO = "auto"


@dataclass
class EvaluationConfig:
    """The judge of a run.

    Attributes:
        enabled: Whether a run ends with its picture's scores in `run.json` and TensorBoard. Default off: a run that is
            compared with no other needs none, and `scripts/evaluate.py --write` adds them to it later.
        weights: ``auto``: VGG-19 with Keras's file where that is in Keras's cache, sound, else ``vgg19_lite``; nothing
            is downloaded. ``embedded``: ``vgg19_lite``. ``imagenet`` (cached or downloaded), ``random`` or the path of
            a file: VGG-19.
    """

    enabled: bool = False
    weights: str = AUTO

    def __post_init__(self) -> None:
        if not self.weights:
            raise InputError(f"evaluation.weights is empty; it takes {AUTO}, embedded, imagenet, random or a path")

    def backbone(self) -> Backbone:
        """The judge's network."""
        lite = VGG19Lite.pretrained.keyword
        if self.weights == lite or (self.weights == AUTO and not VGG19.pretrained.is_at_hand()):
            return VGG19Lite()
        return VGG19() if self.weights == AUTO else VGG19(weights=self.weights)

    def check(self) -> None:
        """Refuse weights that are not there, before they are needed.

        Raises:
            InputError: They can neither be found nor fetched.
        """
        if self.enabled:
            self._identity()

    def judge(self) -> Judge:
        """The judge; the same one as long as its weights are the same, with what it remembers.

        Raises:
            InputError: Its weights cannot be used.
        """
        backbone = self.backbone()
        return _judge(backbone.name, backbone.weights, self._identity())

    def _identity(self) -> str | None:
        try:
            return self.backbone().identity()["sha256"]
        except InputError as error:
            raise InputError(f"evaluation.weights={self.weights}: {error}") from error


@functools.lru_cache(maxsize=1)
def _judge(network: str, weights: str, sha256: str | None) -> Judge:
    """One judge is kept; ``sha256`` tells another file of the same name."""
    return Judge(BACKBONES[network](weights=weights))

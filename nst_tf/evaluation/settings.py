"""Settings of the judge that scores a run's picture (config group ``evaluation``)."""

import functools
from dataclasses import dataclass, field

from nst_tf.backbones import BACKBONES, VGG19, Backbone, VGG19Lite
from nst_tf.evaluation.further import MEASURES, check_measures
from nst_tf.evaluation.judge import Judge
from nst_tf.evaluation.lpips import locate_files
from nst_tf.evaluation.weights_files import WeightsFile
from nst_tf.util.checks import convert_fields
from nst_tf.util.errors import InputError
from nst_tf.util.roles import role

AUTO = "auto"
"""Value of ``evaluation.weights`` that chooses among the weights at hand and downloads nothing."""

LPIPS_MEASURE = "lpips"
"""The further measure that needs files."""


@dataclass
class EvaluationConfig:
    """Settings of the judge.

    Attributes:
        enabled: Whether the scores of the picture are written to `run.json` and TensorBoard when the run ends. Off by
            default, since only runs that are compared need them; `scripts/evaluate.py --write` adds them later.
        weights: ``auto`` is VGG-19 with Keras's weights where they are in Keras's cache and intact, otherwise
            ``vgg19_lite``; nothing is downloaded. ``embedded`` is ``vgg19_lite``. ``imagenet`` (cached or downloaded),
            ``random`` or the path of a file is VGG-19.
        measures: Further measures, which cost time: ``cfsd``, ``histogan``, ``lpips``. None by default.
        lpips_network: File of torchvision's AlexNet, for ``lpips``.
        lpips_linear: File of the linear weights of LPIPS 0.1, for ``lpips``; by default that of the installed package
            ``lpips``.

    Raises:
        InputError: A value is not allowed; the message names its key.
    """

    enabled: bool = False
    weights: str = field(default=AUTO, metadata=role(takes="path"))
    measures: list[str] = field(default_factory=list)
    lpips_network: str | None = field(default=None, metadata=role(takes="path"))
    lpips_linear: str | None = field(default=None, metadata=role(takes="path"))

    def __post_init__(self) -> None:
        convert_fields(self, "evaluation.")
        if not self.weights:
            raise InputError(
                f"evaluation.weights is empty: must be {AUTO}, embedded, imagenet, random or the path of a weights file"
            )
        check_measures(self.measures)

    def backbone(self) -> Backbone:
        """Return the judge's network."""
        lite = VGG19Lite.pretrained.keyword
        if self.weights == lite or (self.weights == AUTO and not VGG19.pretrained.is_cached()):
            return VGG19Lite()
        return VGG19() if self.weights == AUTO else VGG19(weights=self.weights)

    def check(self) -> None:
        """Reject weights and files that do not exist, before the run starts.

        Raises:
            InputError: The weights can neither be found nor downloaded, or a measure's file is missing or another one.
        """
        if self.enabled:
            self._sha256()
            self._files()

    def judge(self) -> Judge:
        """Return the judge; as long as the weights stay the same, it is the same object with its cached references.

        Raises:
            InputError: The weights cannot be used.
        """
        backbone = self.backbone()
        return _cached_judge(backbone.name, backbone.weights, self._sha256(), tuple(self.measures), self._files())

    def _files(self) -> tuple[WeightsFile, ...]:
        """Return the weights files of the further measures."""
        return locate_files(self.lpips_network, self.lpips_linear) if LPIPS_MEASURE in self.measures else ()

    def _sha256(self) -> str | None:
        try:
            return self.backbone().identity()["sha256"]
        except InputError as error:
            raise InputError(f"evaluation.weights={self.weights}: {error}") from error


@functools.lru_cache(maxsize=1)
def _cached_judge(
    network: str, weights: str, sha256: str | None, measures: tuple[str, ...], files: tuple[WeightsFile, ...]
) -> Judge:
    """Build a judge; ``sha256`` is part of the cache key, so that a changed file of the same name is loaded again."""
    backbone = BACKBONES[network](weights=weights)
    further = [MEASURES[name](backbone, files) for name in measures]
    return Judge(backbone, further, {file.setting: file.sha256 for file in files})

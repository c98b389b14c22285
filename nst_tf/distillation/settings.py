"""Settings of a distillation."""

from dataclasses import dataclass, field

from nst_tf.backbones import VGG19, Backbone
from nst_tf.images import SAMPLES
from nst_tf.observers import Observer, standard_observers
from nst_tf.system.runtime import Precision, Runtime
from nst_tf.util.checks import above, at_least, convert_fields
from nst_tf.util.deprecation import accept_old_names
from nst_tf.util.errors import InputError
from nst_tf.util.roles import WATCHING, role

GROUP_SIZE = 8
"""Number of pictures of the pool that are optimised together."""


@accept_old_names
@dataclass
class Distillation:
    """Settings of the training of ``vgg19_lite``.

    Attributes:
        photographs: Folder of photographs; required.
        paintings: Folder of paintings; None trains on the samples alone.
        exclude: Names of paintings, without suffix, that are left out of the training.
        samples: Samples that are added to the paintings.
        name: Name of the run folder below ``outputs/distillations``.
        steps: Number of batches.
        seed: Seed of all random numbers.
        teacher: Network to learn from; it needs VGG-19's layers conv1_1 … conv5_1.
        size: Side of a crop in pixels, a multiple of 16.
        batch: Number of crops in a step.
        half_stylised: Number of crops of a batch that come from the pool of half-stylised pictures; the others are
            photographs and paintings in equal parts.
        pool: Size of the pool, a multiple of 8.
        advance_every: Number of steps after which the next eight pictures of the pool are optimised further.
        learning_rate: Adam's rate at the end of the warm-up, after which it falls along a cosine to 0. The warm-up
            takes 100 steps, or a tenth of ``steps`` if that is fewer.
        gram: Weight of the error of the Gram matrices; that of the features is 1.
        direction: Weight of the error in the direction of the pixel gradient, on the half-stylised pictures. 0 does not
            compute it, which saves a third of a step.
        start_pictures: Number of crops that the first weights are fitted to in closed form.
        runtime: Device, threads, and the precision of teacher and student.
        tracking: Observers by name.
    """

    photographs: str | None = field(default=None, metadata=role(in_fingerprint=False, takes="path"))
    paintings: str | None = field(default=None, metadata=role(in_fingerprint=False, takes="path"))
    exclude: list[str] = field(default_factory=list)
    samples: list[str] = field(default_factory=list)
    name: str = field(default="vgg19_lite", metadata=role(in_fingerprint=False))
    steps: int = 12000
    seed: int = 0
    teacher: Backbone = field(default_factory=lambda: VGG19(padding="reflect"))  # type: ignore[arg-type]
    size: int = 128
    batch: int = 16
    half_stylised: int = 2
    pool: int = 96
    advance_every: int = field(default=48, metadata=role(old_name="move_every"))
    learning_rate: float = 1e-3
    gram: float = 0.1
    direction: float = 0.0
    start_pictures: int = 240
    runtime: Runtime = field(
        default_factory=lambda: Runtime(precision=Precision.mixed_bfloat16), metadata=role(in_fingerprint=False)
    )
    tracking: dict[str, Observer] = field(default_factory=standard_observers, metadata=WATCHING)

    def __post_init__(self) -> None:
        convert_fields(self)
        for key in ("steps", "batch", "advance_every", "start_pictures"):
            at_least(key, getattr(self, key), 1)
        for key in ("seed", "half_stylised", "gram", "direction"):
            at_least(key, getattr(self, key), 0)
        above("learning_rate", self.learning_rate, 0)
        self._check_multiples()
        if self.half_stylised > min(self.batch - 2, self.pool):
            raise InputError(
                f"half_stylised={self.half_stylised}: must leave two of the batch ({self.batch}) and be at most the "
                f"pool ({self.pool})"
            )
        if self.direction and not self.half_stylised:
            raise InputError(
                "direction is measured on half-stylised pictures: set half_stylised to at least 1, or direction=0"
            )
        unknown = [name for name in self.samples if name not in SAMPLES]
        if unknown:
            raise InputError(f"samples={unknown}: unknown; available: {', '.join(SAMPLES)}")

    def _check_multiples(self) -> None:
        for key, base in (("size", 16), ("pool", GROUP_SIZE)):
            value = getattr(self, key)
            if value < 2 * base or value % base:
                raise InputError(f"{key}={value}: must be a multiple of {base}, at least {2 * base}")

"""What one distillation is."""

from dataclasses import dataclass, field

from nst_tf.backbones import VGG19, Backbone
from nst_tf.images import SAMPLES
from nst_tf.observers import OBSERVERS, Observer
from nst_tf.system.runtime import Precision, Runtime
from nst_tf.util.checks import above, at_least
from nst_tf.util.errors import InputError
from nst_tf.util.roles import WATCHING, role

GROUP = 8
"""Pictures of the pool that are optimised together."""


@dataclass
class Distillation:
    """How ``vgg19_lite`` is trained.

    Attributes:
        photographs: A folder of photographs; has to be given.
        paintings: A folder of paintings; None for the samples alone.
        exclude: Names of paintings, without suffix, that training must not see.
        samples: Paintings of the project's own that join them.
        name: The run's folder below ``outputs/distillations``.
        steps: Batches.
        seed: Of everything random.
        teacher: The network to learn from; it needs VGG-19's layers conv1_1 … conv5_1.
        size: Side of a crop in pixels, a multiple of 16.
        batch: Crops a step.
        half_stylised: How many of them come from the pool of half-stylised pictures; the rest is photographs and
            paintings in equal parts.
        pool: Size of the pool, a multiple of 8.
        move_every: Steps between two moves of eight of its pictures.
        learning_rate: Adam's, at the end of a warm-up of 100 steps; it falls along a cosine to 0.
        gram: Weight of the Gram matrices' error; that of the features is 1.
        direction: Weight of the pixel gradient's direction, for the half-stylised pictures; 0 does not compute it,
            which spares a third of a step.
        start_pictures: Crops that the first weights are fitted to in closed form.
        runtime: Device, threads, and the precision of teacher and student.
        tracking: Named observers.
    """

    photographs: str | None = field(default=None, metadata=role(in_fingerprint=False))
    paintings: str | None = field(default=None, metadata=role(in_fingerprint=False))
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
    move_every: int = 48
    learning_rate: float = 1e-3
    gram: float = 0.1
    direction: float = 0.0
    start_pictures: int = 240
    runtime: Runtime = field(
        default_factory=lambda: Runtime(precision=Precision.mixed_bfloat16), metadata=role(in_fingerprint=False)
    )
    tracking: dict[str, Observer] = field(
        default_factory=lambda: {name: new() for name, new in OBSERVERS.items()}, metadata=WATCHING
    )

    def __post_init__(self) -> None:
        for key in ("steps", "batch", "move_every", "start_pictures"):
            at_least(key, getattr(self, key), 1)
        for key in ("seed", "half_stylised", "gram", "direction"):
            at_least(key, getattr(self, key), 0)
        above("learning_rate", self.learning_rate, 0)
        self._check_multiples()
        if self.half_stylised > min(self.batch - 2, self.pool):
            raise InputError(
                f"half_stylised={self.half_stylised}: must leave two of the batch ({self.batch}) and fit the pool"
            )
        if self.direction and not self.half_stylised:
            raise InputError("direction is measured on half-stylised pictures: set half_stylised, or direction=0")
        unknown = [name for name in self.samples if name not in SAMPLES]
        if unknown:
            raise InputError(f"samples={unknown}: unknown; available: {', '.join(SAMPLES)}")

    def _check_multiples(self) -> None:
        for key, of in (("size", 16), ("pool", GROUP)):
            value = getattr(self, key)
            if value < 2 * of or value % of:
                raise InputError(f"{key}={value}: must be a multiple of {of}, from {2 * of} up")

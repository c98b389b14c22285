"""Settings of one experiment: the root of the tree that Hydra composes."""

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from nst_tf.backbones import Backbone, Padding, VGG19Lite
from nst_tf.evaluation import EvaluationConfig
from nst_tf.feedforward import Magenta
from nst_tf.images import Canvas, Picture, Regions, Saving
from nst_tf.images.canvas import AUTO, STYLE
from nst_tf.images.choices import Colour
from nst_tf.images.in_memory import as_source, as_sources, source_text
from nst_tf.losses import ContentLoss, ContentReduction, GramLoss, GramReduction, Loss, OverLayers
from nst_tf.observers import Observer, standard_observers
from nst_tf.optimization.schedule import Schedule
from nst_tf.optimization.terms import redraw_period
from nst_tf.optimizers import LBFGS, OPTIMIZERS, Optimizer, Parametrisation
from nst_tf.runs.published import PublishedFigure
from nst_tf.system.runtime import Runtime
from nst_tf.util.checks import at_least, convert_fields, wrong_type
from nst_tf.util.deprecation import accept_old_names
from nst_tf.util.errors import InputError
from nst_tf.util.roles import WATCHING, role


def default_losses() -> dict[str, Loss]:
    """Return content at conv4_2 and Gram matrices at eleven layers, each distance relative to its target."""
    style_layers = [
        *("conv1_1", "stage1", "conv2_1", "stage2", "conv3_1", "conv3_2", "stage3"),
        *("conv4_1", "conv4_2", "stage4", "conv5_1"),
    ]
    return {
        "content": ContentLoss(weight=1.0, layers=["conv4_2"], reduction=ContentReduction.relative),
        "style": GramLoss(
            weight=70.0, layers=style_layers, over_layers=OverLayers.mean, reduction=GramReduction.relative
        ),
    }


class Method(Enum):
    """Ways to make a picture.

    ``optimize`` optimises its pixels; ``feedforward`` makes it in one pass of a network that was trained to stylise;
    ``recolour`` gives the content the colours of the styles and nothing else.
    """

    optimize = "optimize"
    feedforward = "feedforward"
    recolour = "recolour"


LOSS_GROUPS = ("loss", "layers", "weights", "smoothing", "balance")
"""Hydra's groups that set several losses together."""

_KNOWN_BY_HASH = role(in_fingerprint=False, in_run_name=False, in_objective=False, takes="path")
_OUTPUT = dict.fromkeys(("in_fingerprint", "in_run_name", "in_sweep_name", "is_axis", "in_objective"), False)
_OF_OPTIMIZATION = role(in_objective=False, method="optimize")


@accept_old_names
@dataclass
class Config:
    """Settings of one experiment.

    Attributes:
        content: A path or ``sample:NAME``; from Python also an array or a Pillow image, which
            `nst_tf.images.in_memory.as_source` describes. None if no loss compares with it; then the first style sets
            the shape.
        style: The same, or a list of these. None if no loss compares with a style.
        style_weights: One share for each style; they are divided by their sum. None for equal shares.
        style_count: Number of styles that are used, from the first on; None for all.
        method: ``optimize``, ``feedforward`` or ``recolour``, as a name or a `Method`.
        name: Name of the run's folder below ``outputs/runs``.
        output: Path of an additional copy of the result, ``.jpg``, ``.png``, ``.tif``, ``.webp`` or ``.bmp``, relative
            to the folder of the command. None writes none; the run folder has ``stylized.png`` in any case.
        saving: Quality, bits and metadata of that copy.
        steps: Number of solver steps over all scales. Default 200.
        seed: Seed of noise and random weights.
        backbone: The network whose features are compared.
        losses: Components of the objective by name.
        optimizer: Settings of the optimiser.
        image: Sizes, colours and the start picture.
        regions: Regions of the content and of the styles, and the style that each one takes.
        parametrisation: The variables that the optimiser moves: pixels, or numbers that make them up.
        schedule: Phases or scales, and rules that end a run early.
        runtime: Device, precision, threads and determinism.
        tracking: Observers by name.
        evaluation: Whether and by which network the finished picture is scored.
        feedforward: The network of ``method=feedforward``. Besides it, that method reads only content, styles, sizes
            and colours.
        printed: Figures of a paper by name; a report shows them beside the measured ones.

    Raises:
        InputError: A value is out of range, or two values contradict each other.
    """

    content: Any = field(default=None, metadata=_KNOWN_BY_HASH)
    style: Any = field(default=None, metadata=_KNOWN_BY_HASH)
    style_weights: list[float] | None = None
    style_count: int | None = None
    method: Method = field(
        default=Method.optimize, metadata=role(old_values=(("optimize", "optimise"), ("feedforward", "library")))
    )
    name: str = field(
        default="stylized",
        metadata=role(in_fingerprint=False, in_run_name=False, is_axis=False, in_objective=False, takes="name"),
    )
    output: str | None = field(default=None, metadata=role(takes="name", **_OUTPUT))
    saving: Saving = field(default_factory=Saving, metadata=role(in_hparams=False, **_OUTPUT))
    steps: int = field(default=200, metadata=_OF_OPTIMIZATION)
    seed: int = field(default=0, metadata=_OF_OPTIMIZATION)
    backbone: Backbone = field(default_factory=VGG19Lite, metadata=role(method="optimize"))
    losses: dict[str, Loss] = field(
        default_factory=default_losses, metadata=role(method="optimize", groups=LOSS_GROUPS)
    )
    optimizer: Optimizer = field(default_factory=LBFGS, metadata=_OF_OPTIMIZATION)
    image: Canvas = field(default_factory=Canvas)
    regions: Regions = field(default_factory=Regions, metadata=role(method="optimize"))
    parametrisation: Parametrisation = field(default_factory=Parametrisation, metadata=_OF_OPTIMIZATION)
    schedule: Schedule = field(default_factory=Schedule, metadata=_OF_OPTIMIZATION)
    runtime: Runtime = field(default_factory=Runtime, metadata=role(in_fingerprint=False, in_objective=False))
    tracking: dict[str, Observer] = field(default_factory=standard_observers, metadata=WATCHING)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig, metadata=WATCHING)
    feedforward: Magenta = field(default_factory=Magenta, metadata=role(method="feedforward", old_name="library"))
    printed: dict[str, PublishedFigure] = field(
        default_factory=dict, metadata=role(in_fingerprint=False, in_objective=False, in_hparams=False)
    )

    def __post_init__(self) -> None:
        convert_fields(self, skip=("content", "style"))
        at_least("steps", self.steps, 1)
        at_least("seed", self.seed, 0)
        self._check_content()
        self._check_styles()
        self._check_style_count()
        self._check_style_weights()
        self._check_margin()
        self._check_style_scale()
        self._check_recolouring()
        self._check_phases()
        if self.schedule.keep_state and not self.optimizer.supports_warm_start:
            able = ", ".join(name for name, optimizer in OPTIMIZERS.items() if optimizer.supports_warm_start)
            raise InputError(
                f"schedule.keep_state=true: {type(self.optimizer).__name__} cannot use at one size what it learned at "
                f"another. Set it to false, or choose an optimizer= out of {able}."
            )

    def _check_phases(self) -> None:
        """Refuse phases that the losses, the optimiser or the variables do not bear."""
        if self.method is not Method.optimize:
            return
        for phase in self.schedule.plan():
            optimizer = phase.optimizer_of(self.optimizer)
            for name, loss in phase.losses_of(self.losses).items():
                period = redraw_period(loss) if loss.weight else None
                if period is not None and not optimizer.single_evaluation:
                    able = ", ".join(name for name, each in OPTIMIZERS.items() if each.single_evaluation)
                    raise InputError(
                        f"losses.{name}.redraw={period}: {type(optimizer).__name__} compares several evaluations and "
                        f"needs one draw for all. Set redraw to phase or never, or choose an optimizer= out of {able}."
                    )
        if self.schedule.keep_state and not self.parametrisation.is_pixels:
            raise InputError(
                "schedule.keep_state=true: the moments belong to the variables of one size, which "
                f"parametrisation={self.parametrisation.basis.name} does not enlarge. Set it to false, or choose "
                "parametrisation=pixels."
            )

    def _check_recolouring(self) -> None:
        """Refuse the colours of the content, or of a third picture, where those of the style are transferred.

        ``image.colour_from=style`` is what this method does in any case, and becomes None.
        """
        if self.method is not Method.recolour:
            return
        if self.image.colour is Colour.luminance:
            raise InputError(
                "image.colour=luminance: method=recolour would leave the content's own colours. Choose free, linear, "
                "histogram or chroma."
            )
        if self.image.colour_from == STYLE:
            self.image = replace(self.image, colour_from=None)
        if self.image.colour_from is not None:
            raise InputError(
                f"image.colour_from={str(self.image.colour_from)!r}: method=recolour takes the colours of style. Set "
                "style to this picture, or choose another method."
            )

    def _check_margin(self) -> None:
        """Set ``image.margin=auto`` to 0 where the network continues the picture at the opposite border."""
        if self.backbone.padding is not Padding.circular or self.image.margin == 0:
            return
        if self.image.margin != AUTO:
            raise InputError(
                f"image.margin={self.image.margin}: with backbone.padding=circular the picture continues at the "
                "opposite border and has no margin. Set image.margin=0."
            )
        self.image = replace(self.image, margin=0)

    def _check_content(self) -> None:
        content = str(self.content) if isinstance(self.content, int | float) else self.content
        source = as_source("content", content)
        if source is None and content is not None:
            raise wrong_type("content", content, "a path or sample:NAME")
        self.content = source

    def _check_styles(self) -> None:
        self.style = as_sources("style", self.style)
        if not all(isinstance(style, str | Picture) for style in self._given_styles):
            raise wrong_type("style", self.style, "a path, sample:NAME, or a list of these")

    def _check_style_weights(self) -> None:
        if self.style_weights is None:
            return
        if len(self.style_weights) != len(self._given_styles):
            raise InputError(
                f"style_weights={self.style_weights}: has {len(self.style_weights)} entries for "
                f"{len(self._given_styles)} style(s). Give one for each style, or null for equal shares."
            )
        if min(self.style_weights, default=0) < 0 or not 0 < sum(self.style_weights[: self.style_count]) < float("inf"):
            raise InputError(f"style_weights={self.style_weights}: must be 0 or more, and not all 0")

    def _check_style_scale(self) -> None:
        scales = self.image.style_scale
        if isinstance(scales, list) and self._given_styles and len(scales) != len(self._given_styles):
            raise InputError(
                f"image.style_scale={scales}: has {len(scales)} entries for {len(self._given_styles)} style(s). "
                "Give one for each style, or a number for all."
            )

    def _check_style_count(self) -> None:
        if self.style_count is None:
            return
        at_least("style_count", self.style_count, 1)
        if 0 < len(self._given_styles) < self.style_count:
            raise InputError(
                f"style_count={self.style_count}: style names {len(self._given_styles)}; give 'style=[a.jpg,b.jpg,…]'"
            )

    @property
    def _given_styles(self) -> list[str | Picture]:
        if self.style is None:
            return []
        return list(self.style) if isinstance(self.style, list) else [self.style]

    @property
    def styles(self) -> list[str | Picture]:
        """Styles that are used, each a path, a sample or a picture in memory; empty without styles."""
        return self._given_styles[: self.style_count]

    def with_source_texts(self) -> "Config":
        """Return a config that holds the source of each picture in memory in its place, as records show it."""
        content, style = source_text(self.content), source_text(self.style)
        image, regions = self.image.with_source_texts(), self.regions.with_source_texts()
        if (content, style, image, regions) == (self.content, self.style, self.image, self.regions):
            return self
        return replace(self, content=content, style=style, image=image, regions=regions)

    @property
    def shares(self) -> list[float]:
        """One share for each style that is used; they sum to 1."""
        weights = (self.style_weights or [1.0] * len(self._given_styles))[: self.style_count]
        return [weight / sum(weights) for weight in weights]

"""Variants of this program and of PyTorch that are measured."""

OURS_SIDE, PYTORCH_SIDE = "benchmarks.ours", "benchmarks.pytorch"
"""Modules of the two sides."""

GFLOP_PER_PIXEL = 2 * 2 * 361152 / 1e9
"""Operations per pixel of an evaluation on VGG-19 to conv5_1, forward and backward to the pixels, in 10⁹.

361152 multiplications per pixel and pass, each with an addition.
"""

PRECISIONS = ("float32", "bfloat16")
"""Names of precisions in the names of variants."""

FLOAT32, BFLOAT16, RECOMPUTE = "runtime.precision=float32", "runtime.precision=mixed_bfloat16", "runtime.recompute=true"

VARIANTS = {
    "nst_tf float32": (FLOAT32,),
    "nst_tf float32, recompute": (FLOAT32, RECOMPUTE),
    "nst_tf bfloat16": (BFLOAT16,),
    "nst_tf bfloat16, recompute": (BFLOAT16, RECOMPUTE),
    "PyTorch float32": None,
    "PyTorch bfloat16": None,
}
"""Variants of the same evaluation, with this program's overrides; None for PyTorch, whose precision ends the name."""

TIMED_VARIANTS = ("nst_tf float32", "nst_tf bfloat16", "PyTorch float32", "PyTorch bfloat16")
"""Variants whose seconds are measured."""

MEMORY_VARIANTS = (
    *("nst_tf float32", "nst_tf float32, recompute", "nst_tf bfloat16", "nst_tf bfloat16, recompute"),
    "PyTorch float32",
)
"""Variants whose memory is measured."""

STARTUP_SIZE = 64
"""Long side in pixels of the picture for which the start-up is measured."""

TARGET_VARIANTS = {"nst_tf float32": (FLOAT32,), "nst_tf bfloat16": (BFLOAT16,)}
"""Variants whose time to a peer's loss is measured, with the default start, optimiser and bounds of this program."""

TARGET_STEPS = 600
"""Largest number of steps in which they may reach the loss."""

PICTURE_VARIANTS = {
    "the default network vgg19_lite": (),
    "VGG-19 in float32": ("backbone=vgg19", FLOAT32),
    "VGG-19 in bfloat16": ("backbone=vgg19", BFLOAT16),
}
"""Variants of the command whose seconds for one picture are measured."""

DEFAULT_STEPS = 200
"""Steps of the command by default."""

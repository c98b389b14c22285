"""The objective of crowsonkb/style-transfer-pytorch in PyTorch, with its published settings."""

from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from benchmarks.pytorch import CAFFE_MEAN, CONTENT, STYLE, PeerObjective

CONTENT_WEIGHT, VARIATION_WEIGHT = 0.015, 2.0

LAYER_WEIGHTS = dict(zip(STYLE, (256 / 341, 64 / 341, 16 / 341, 4 / 341, 1 / 341), strict=True))
"""Weights of the style layers, whose sum is 1."""

FEATURE_SCALE = 1 / (255 * (0.229 + 0.224 + 0.225) / 3)
"""Factor from the scale of Keras's features to torchvision's, whose inputs are divided by a mean deviation of 0.226."""

EPSILON = 1e-4
"""Value added to every variance."""

ROOT_ITERATIONS = 12
"""Newton-Schulz iterations for the matrix root, as in the program. They end up to a fifth above the exact loss.

More iterations are no way to the exact one: 24 come within 2e-4 of it, and from 26 on, rounding errors grow in float32.
"""


class TraceOfRoot(torch.autograd.Function):
    """``tr A^½`` by the coupled Newton-Schulz iteration, which also gives ``A^-½`` for the gradient ``½ A^-½``."""

    @staticmethod
    def forward(ctx: Any, A: torch.Tensor, iterations: int) -> torch.Tensor:
        """Compute the trace of the root of one symmetric matrix ``(N, N)``."""
        size, eye = A.norm(), torch.eye(len(A), device=A.device)
        Y, Z = A / size, eye
        for _ in range(iterations):
            T = (3 * eye - Z @ Y) / 2
            Y, Z = Y @ T, T @ Z
        ctx.save_for_backward(Z / size.sqrt())
        return Y.trace() * size.sqrt()

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[torch.Tensor, None]:
        """Multiply the gradient ``½ A^-½`` by the upstream gradient."""
        return upstream * ctx.saved_tensors[0] / 2, None


def exact_trace_of_root(A: torch.Tensor) -> torch.Tensor:
    """Compute ``tr A^½`` of one symmetric matrix ``(N, N)`` from its eigenvalues in float64, as a float32 scalar."""
    return torch.linalg.eigvalsh(A.double()).clamp(min=0).sqrt().sum().float()


class Crowsonkb(PeerObjective):
    """The objective of crowsonkb/style-transfer-pytorch. Its variable is RGB in [0, 1].

    Attributes:
        root_iterations: Iterations for the matrix root; None for the exact root.
    """

    root_iterations: int | None = ROOT_ITERATIONS

    def variable(self, image: Any) -> torch.Tensor:
        """Convert RGB ``(1, H, W, 3)`` to the variable ``(1, 3, H, W)``."""
        return torch.from_numpy(image).permute(0, 3, 1, 2).to(self._device).contiguous()

    def rgb_gradient(self, gradient: torch.Tensor) -> Any:
        """Convert a gradient ``(1, 3, H, W)`` to ``(1, H, W, 3)``."""
        return gradient.cpu().permute(0, 2, 3, 1).numpy()

    def pixels(self, x: torch.Tensor) -> Any:
        """Convert the variable to 8-bit RGB, ``(H, W, 3)``, with clipping."""
        return super().pixels(x.flip(1) * 255 - torch.tensor(CAFFE_MEAN, device=x.device).view(1, 3, 1, 1))

    def clip(self, x: torch.Tensor) -> torch.Tensor:
        """Clip the variable to [0, 1]."""
        return x.clamp(0, 1)

    def converged_loss(self, file: Path) -> float:
        """Compute the loss of a saved picture with exact roots."""
        self.root_iterations = None
        try:
            return self.picture_loss(file)
        finally:
            self.root_iterations = ROOT_ITERATIONS

    def prepare_targets(self) -> None:
        """Compute the photograph's features, and means, traces and roots of the covariances of the painting."""
        self._content_target = self._taps(self.content)[CONTENT]
        taps = self._taps(self.style)
        self._style_targets = {layer: self._gaussian_target(*self._gaussian(taps[layer])) for layer in STYLE}

    def _taps(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        caffe = x.flip(1) * 255 - torch.tensor(CAFFE_MEAN, device=x.device).view(1, 3, 1, 1)
        return {name: FEATURE_SCALE * tap for name, tap in self.features(caffe).items() if name in (*STYLE, CONTENT)}

    @staticmethod
    def _gaussian(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        rows = x.flatten(2)[0]
        mean = rows.mean(1)
        covariance = rows @ rows.T / rows.shape[1] - mean[:, None] * mean
        return mean, covariance + EPSILON * torch.eye(len(mean), device=x.device)

    @staticmethod
    def _gaussian_target(
        mean: torch.Tensor, covariance: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        values, vectors = torch.linalg.eigh(covariance)
        return mean, covariance.trace(), vectors * values.clamp(min=0).sqrt() @ vectors.T

    def _distance(self, layer: str, x: torch.Tensor) -> torch.Tensor:
        """Compute ``W₂² / N`` between the Gaussians of a layer with N filters."""
        mean, trace, root = self._style_targets[layer]
        own_mean, covariance = self._gaussian(x)
        product = root @ covariance @ root
        if self.root_iterations is None:
            cross_trace = exact_trace_of_root(product)
        else:
            cross_trace = TraceOfRoot.apply(product, self.root_iterations)
        return ((own_mean - mean).square().sum() + covariance.trace() + trace - 2 * cross_trace) / len(mean)

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        """Compute ``0.015 · mean (F−P)² + Σ w W₂² / N + 2 · V``, where V is the nine-point total variation."""
        taps = self._taps(x)
        content = functional.mse_loss(taps[CONTENT], self._content_target)
        style = sum(weight * self._distance(layer, taps[layer]) for layer, weight in LAYER_WEIGHTS.items())
        return CONTENT_WEIGHT * content + style + VARIATION_WEIGHT * _nine_point_variation(x)


def _nine_point_variation(x: torch.Tensor) -> torch.Tensor:
    """Compute ``⅔ (mean Δv² + mean Δh²) + ⅙ (mean Δ╲² + mean Δ╱²)``, with replicated borders."""
    wide = functional.pad(x, (1, 1, 1, 1), "replicate")
    straight = [wide[:, :, 2:, 1:-1] - x, wide[:, :, 1:-1, 2:] - x]
    diagonal = [wide[:, :, 1:, 1:] - wide[:, :, :-1, :-1], wide[:, :, 1:, :-1] - wide[:, :, :-1, 1:]]
    return sum(2 / 3 * d.square().mean() for d in straight) + sum(1 / 6 * d.square().mean() for d in diagonal)

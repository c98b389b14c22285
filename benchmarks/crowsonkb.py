"""crowsonkb/style-transfer-pytorch's run, rendered in PyTorch from its published settings."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch.nn import functional

from benchmarks.pytorch import CAFFE_MEAN, CONTENT, STYLE, PeerObjective

CONTENT_WEIGHT, VARIATION_WEIGHT = 0.015, 2.0
LAYER_WEIGHTS = dict(zip(STYLE, (256 / 341, 64 / 341, 16 / 341, 4 / 341, 1 / 341), strict=True))
FEATURE_SCALE = 1 / (255 * (0.229 + 0.224 + 0.225) / 3)  # of Keras's weights to torchvision's units
EPSILON = 1e-4  # added to every variance
ROOT_ITERATIONS = 12
FIRST_SHARE, SCALES = 2, 5  # twice as many steps at the first of five sizes


class TraceOfRoot(torch.autograd.Function):
    """``tr A^½`` by Newton and Schulz's coupled iteration, which gives ``A^-½``, the gradient's double, along."""

    @staticmethod
    def forward(ctx: Any, A: torch.Tensor) -> torch.Tensor:
        """Of one symmetric matrix ``(N, N)``."""
        size, eye = A.norm(), torch.eye(len(A), device=A.device)
        Y, Z = A / size, eye
        for _ in range(ROOT_ITERATIONS):
            T = (3 * eye - Z @ Y) / 2
            Y, Z = Y @ T, T @ Z
        ctx.save_for_backward(Z / size.sqrt())
        return Y.trace() * size.sqrt()

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> torch.Tensor:
        """``½ A^-½``."""
        return upstream * ctx.saved_tensors[0] / 2


class Crowsonkb(PeerObjective):
    """The objective of crowsonkb/style-transfer-pytorch; its variable is RGB in [0, 1]."""

    def variable(self, image: Any) -> torch.Tensor:
        """``(1, H, W, 3)`` to ``(1, 3, H, W)``."""
        return torch.from_numpy(image).permute(0, 3, 1, 2).to(self._device).contiguous()

    def by_rgb(self, gradient: torch.Tensor) -> Any:
        """``(1, 3, H, W)`` to ``(1, H, W, 3)``."""
        return gradient.cpu().permute(0, 2, 3, 1).numpy()

    def pixels(self, x: torch.Tensor) -> Any:
        """The picture as it is saved, in 8 bits."""
        return super().pixels(x.flip(1) * 255 - torch.tensor(CAFFE_MEAN, device=x.device).view(1, 3, 1, 1))

    def prepare_targets(self) -> None:
        """Features of the photograph; means, covariances and their roots of the painting."""
        self._content_target = self._taps(self.content)[CONTENT]
        taps = self._taps(self.style)
        self._style_targets = {layer: self._settled(*self._gaussian(taps[layer])) for layer in STYLE}

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
    def _settled(mean: torch.Tensor, covariance: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        values, vectors = torch.linalg.eigh(covariance)
        return mean, covariance.trace(), vectors * values.clamp(min=0).sqrt() @ vectors.T

    def _distance(self, layer: str, x: torch.Tensor) -> torch.Tensor:
        """W₂² of the layer's Gaussians, a mean over filters."""
        mean, spread, root = self._style_targets[layer]
        own_mean, covariance = self._gaussian(x)
        between = TraceOfRoot.apply(root @ covariance @ root)
        return ((own_mean - mean).square().sum() + covariance.trace() + spread - 2 * between) / len(mean)

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        """0.015 · mean (F−P)² + Σ w W₂² / N + 2 · the mean squared slope over nine points."""
        taps = self._taps(x)
        content = functional.mse_loss(taps[CONTENT], self._content_target)
        style = sum(weight * self._distance(layer, taps[layer]) for layer, weight in LAYER_WEIGHTS.items())
        return CONTENT_WEIGHT * content + style + VARIATION_WEIGHT * _slope(x)


def _slope(x: torch.Tensor) -> torch.Tensor:
    """⅔ (mean Δv² + mean Δh²) + ⅙ (mean Δ╲² + mean Δ╱²), the border repeated outwards."""
    wide = functional.pad(x, (1, 1, 1, 1), "replicate")
    straight = [wide[:, :, 2:, 1:-1] - x, wide[:, :, 1:-1, 2:] - x]
    diagonal = [wide[:, :, 1:, 1:] - wide[:, :, :-1, :-1], wide[:, :, 1:, :-1] - wide[:, :, :-1, 1:]]
    return sum(2 / 3 * d.square().mean() for d in straight) + sum(1 / 6 * d.square().mean() for d in diagonal)


def crowsonkb(peer_inputs: Sequence[Path], steps: int, picture: Path) -> tuple[float, list[float]]:
    """The run to its end: Adam over sizes from the content, moments taken along, the mean of the iterates saved.

    Args:
        peer_inputs: Pictures and weights at each size, smallest first.
        steps: Of Adam, over all sizes.
        picture: Where its PNG goes.

    Returns:
        Seconds from the first step to the last, and the loss at each step.
    """
    shares = [FIRST_SHARE, *[1] * (len(peer_inputs) - 1)]
    objectives = [Crowsonkb(peer_inputs) for peer_inputs in peer_inputs]
    losses: list[float] = []
    image, moments = objectives[0].content, None
    start = time.perf_counter()
    for objective, share in zip(objectives, shares, strict=True):
        size = objective.content.shape[2:]
        image = functional.interpolate(image, size, mode="bicubic").clamp(0, 1)
        image, moments = _run_scale(objective, image, moments, max(1, steps * share // sum(shares)), losses)
    seconds = time.perf_counter() - start
    Image.fromarray(objectives[-1].pixels(image)).save(picture)
    return seconds, losses


def _run_scale(
    objective: Crowsonkb, start: torch.Tensor, moments: dict[str, Any] | None, steps: int, losses: list[float]
) -> tuple[torch.Tensor, dict[str, Any]]:
    """One size: the mean of its iterates, decay 0.99, and Adam's moments at its end."""
    x = start.clone().requires_grad_(True)
    adam = torch.optim.Adam([x], lr=0.02, betas=(0.9, 0.99))
    if moments is not None:
        size = start.shape[2:]
        resized = {
            "step": moments["step"],
            "exp_avg": functional.interpolate(moments["exp_avg"], size, mode="bicubic"),
            "exp_avg_sq": functional.interpolate(moments["exp_avg_sq"], size, mode="bilinear").relu(),
        }
        adam.state[x] = resized
    loss, mean = objective.evaluator(), torch.zeros_like(start)
    for _ in range(steps):
        adam.zero_grad()
        value = loss(x)
        value.backward()
        losses.append(value.item())
        adam.step()
        with torch.no_grad():
            x.clamp_(0, 1)
            mean = 0.99 * mean + 0.01 * x
    return mean / (1 - 0.99**steps), adam.state[x]

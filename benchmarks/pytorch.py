"""The PyTorch side of the benchmark: VGG-19, and the objective and run of neural-style-pt with its published settings.

Tensors are in channels-last order. PyTorch uses oneDNN on a CPU and compiles the loss on a GPU. The targets are
computed once, as in that program.
"""

import functools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from benchmarks.processes import time_calls
from nst_tf.system import memory

CAFFE_MEAN = (103.939, 116.779, 123.68)
"""Means of blue, green and red in 0..255, with which VGG-19 was trained."""

CONTENT, STYLE = "block4_conv2", tuple(f"block{block}_conv1" for block in range(1, 6))
CONTENT_WEIGHT, STYLE_WEIGHT, VARIATION_WEIGHT = 5.0, 100.0, 1e-3


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


class NeuralStyle(PeerObjective):
    """The objective of neural-style-pt."""

    def prepare_targets(self) -> None:
        """Compute the features of the photograph and the Gram matrices of the painting."""
        self._content_target = self.features(self.content)[CONTENT]
        self._style_targets = {layer: self._gram(x) for layer, x in self.features(self.style).items() if layer in STYLE}

    @staticmethod
    def _gram(x: torch.Tensor) -> torch.Tensor:
        rows = x.float().flatten(2)[0]
        return rows @ rows.T / rows.numel()

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        """Compute ``5 · mean (F−P)² + 100 · Σ mean (G−A)² + 1e-3 · Σ |Δ|``."""
        features = self.features(x)
        content = functional.mse_loss(features[CONTENT].float(), self._content_target.float())
        style = sum(functional.mse_loss(self._gram(features[layer]), A) for layer, A in self._style_targets.items())
        variation = x.diff(dim=2).abs().sum() + x.diff(dim=3).abs().sum()
        return CONTENT_WEIGHT * content + STYLE_WEIGHT * style + VARIATION_WEIGHT * variation


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


def run_neural_style(peer_inputs: Sequence[Path], steps: int, picture: Path) -> tuple[float, list[float]]:
    """Run neural-style-pt: L-BFGS of PyTorch from noise, with unit steps and 100 curvature pairs.

    Args:
        peer_inputs: One file of pictures and weights.
        steps: Number of evaluations of the objective.
        picture: The PNG file to write.

    Returns:
        Seconds from the start picture to the last evaluation, and the loss at each evaluation.
    """
    (pictures_and_weights,) = peer_inputs
    objective = NeuralStyle(pictures_and_weights)
    loss, losses = objective.compiled_loss(), []
    x = objective.start.clone().requires_grad_(True)
    optimizer = torch.optim.LBFGS(
        [x],
        lr=1,
        max_iter=steps,
        max_eval=steps,
        tolerance_grad=-1,
        tolerance_change=-1,
        history_size=100,
    )

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        value = loss(x)
        value.backward()
        losses.append(value.item())
        return value

    start = time.perf_counter()
    while len(losses) < steps:
        optimizer.step(closure)
    seconds = time.perf_counter() - start
    Image.fromarray(objective.pixels(x)).save(picture)
    return seconds, losses

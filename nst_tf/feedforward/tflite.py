"""Magenta's network as a pair of TFLite models."""

import importlib.util
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nst_tf.backbones.download import digest
from nst_tf.backbones.trial import try_file
from nst_tf.feedforward import tflite_trial
from nst_tf.feedforward.network import StyleNetwork
from nst_tf.images import resize
from nst_tf.util.errors import InputError, message_of

log = logging.getLogger(__name__)

KNOWN_FILES = frozenset(
    {
        "af6ad4b2e7aeba0675f32636082ab915ced5375229a3f8aff7e714c6213f5ed2",  # style to vector, 256 px, 8 bits
        "7a1550643cf034a4d813c0aa276976cd15da4141b4f1ec3631db1d0d9c8e2cd1",  # content and vector to picture, 384 px
    }
)
"""SHA-256 of Magenta's two models in 8 bits, which were tested with this program."""


def read_pair(paths: Sequence[Path], threads: int | None) -> StyleNetwork:
    """Load the two models of the network, one that computes the style vector and one that applies it.

    The models are recognised by their number of inputs: the first has one, the second has two.

    Args:
        paths: The two files, in any order.
        threads: Threads of the interpreter; None for its own choice.

    Raises:
        InputError: The interpreter is not installed, or the files are not such a pair.
    """
    models = sorted((_load(path, threads) for path in paths), key=lambda model: len(model.get_input_details()))
    shapes = [[tuple(entry["shape_signature"]) for entry in model.get_input_details()] for model in models]
    if [len(inputs) for inputs in shapes] != [1, 2] or not _take_pictures(*shapes):
        raise InputError(
            f"feedforward.weights: {', '.join(repr(str(path)) for path in paths)} must be a model from a style to a "
            "vector and a model from a content and a vector to a picture; choose Magenta's pair"
        )
    predict, transfer = models
    content, vector = sorted(
        transfer.get_input_details(), key=lambda entry: not _is_picture(tuple(entry["shape_signature"]))
    )
    fixed = tuple(int(side) for side in content["shape_signature"][1:3])
    size = (fixed[0], fixed[1]) if min(fixed) > 0 else None

    def apply_predict(style: np.ndarray) -> np.ndarray:
        return _run(predict, {predict.get_input_details()[0]["index"]: style})

    def apply_transfer(picture: np.ndarray, style_vector: np.ndarray) -> np.ndarray:
        def run(x: np.ndarray) -> np.ndarray:
            result = _run(transfer, {content["index"]: x, vector["index"]: style_vector})
            if not _is_picture(result.shape) or (size is not None and result.shape != x.shape):
                raise InputError("feedforward.weights: the TFLite models make no picture; choose Magenta's pair")
            return result

        return run(picture) if size is None else apply_at_fixed_size(picture, size, run)

    return StyleNetwork(apply_predict, apply_transfer, size)


def _take_pictures(predict: list[tuple[int, ...]], transfer: list[tuple[int, ...]]) -> bool:
    """Return whether inputs of these shapes are a style, and a content and a vector."""
    return _is_picture(predict[0]) and sum(map(_is_picture, transfer)) == 1


def _is_picture(shape: tuple[int, ...]) -> bool:
    return len(shape) == 4 and shape[-1] == 3


def apply_at_fixed_size(
    content: np.ndarray, size: tuple[int, int], network: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Apply a network of a fixed size to a content of another size, and keep the content's proportions.

    The content is scaled to fit and padded with its mirror image; the result is cropped and scaled back.

    Args:
        content: Picture ``(1, H, W, 3)`` in [0, 1].
        size: Height and width at which the network computes.
        network: Function from ``(1, *size, 3)`` to the same shape.

    Returns:
        Picture of the content's shape.
    """
    height, width = content.shape[1:3]
    scale = min(size[0] / height, size[1] / width)
    h, w = (max(1, min(limit, round(scale * side))) for side, limit in zip((height, width), size, strict=True))
    top, left = (size[0] - h) // 2, (size[1] - w) // 2
    margins = [(top, size[0] - h - top), (left, size[1] - w - left), (0, 0)]
    padded = np.pad(resize(content[0], h, w), margins, mode="symmetric")
    picture = network(padded[None])[0, top : top + h, left : left + w]
    return resize(picture, height, width)[None]


def _load(path: Path, threads: int | None) -> Any:
    if importlib.util.find_spec("ai_edge_litert") is None:
        raise InputError(f"feedforward.weights: '{path}' needs an interpreter: pip install 'nst-tf[tflite]'")
    sha256 = digest(path, "sha256")
    if sha256 not in KNOWN_FILES:
        _try(path, sha256)
    from ai_edge_litert.interpreter import Interpreter

    try:
        return Interpreter(model_path=str(path), num_threads=threads)
    except (ValueError, RuntimeError) as error:
        raise InputError(f"feedforward.weights: '{path}' is not a TFLite model; download it again") from error


def _try(path: Path, sha256: str) -> None:
    """Run a model that is not known once in another process, because a damaged one can end the process.

    Raises:
        InputError: The model cannot be run; the message says why.
    """
    log.info("%s is not one of Magenta's models in 8 bits (SHA-256 %s); it is tried first", path, sha256)
    reason = try_file(tflite_trial.__file__, path, f"feedforward.weights: '{path}'")
    if reason:
        raise InputError(f"feedforward.weights: '{path}' is not a TFLite model ({reason:.200}); download it again")


def _run(model: Any, values: dict[int, np.ndarray]) -> np.ndarray:
    """Run one forward pass.

    A model of fixed shape is not resized, because LiteRT accepts another shape and then computes partly at the old one.
    """
    try:
        for entry in model.get_input_details():
            if min(entry["shape_signature"]) < 0:
                model.resize_tensor_input(entry["index"], values[entry["index"]].shape)
        model.allocate_tensors()
        for index, value in values.items():
            model.set_tensor(index, value)
        model.invoke()
        return model.get_tensor(model.get_output_details()[0]["index"])
    except (ValueError, RuntimeError) as error:
        reason = message_of(error)
        raise InputError(
            f"feedforward.weights: the TFLite models do not fit the pictures ({reason:.200}); choose Magenta's pair"
        ) from error

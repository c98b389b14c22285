"""Magenta's network as a pair of TFLite models."""

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nst_tf.feedforward.network import StyleNetwork
from nst_tf.images import resize
from nst_tf.util.errors import InputError


def read_pair(paths: Sequence[Path], threads: int | None) -> StyleNetwork:
    """Load the model that makes a style vector and the one that applies it, told apart by how much they take.

    Args:
        paths: Their two files.
        threads: To compute with; None leaves the choice to the interpreter.

    Raises:
        InputError: There is no interpreter, or the files are no such pair.
    """
    models = sorted((_load(path, threads) for path in paths), key=lambda model: len(model.get_input_details()))
    shapes = [[tuple(entry["shape_signature"]) for entry in model.get_input_details()] for model in models]
    if [len(taken) for taken in shapes] != [1, 2] or sum(shape[-1] == 3 for shape in shapes[1]) != 1:
        raise InputError(
            f"feedforward.weights: {', '.join(repr(str(path)) for path in paths)} are not a model from a painting to a "
            "vector and one from a photograph and a vector to a picture"
        )
    predict, transfer = models
    content, vector = sorted(transfer.get_input_details(), key=lambda entry: entry["shape_signature"][-1] != 3)
    fixed = tuple(int(side) for side in content["shape_signature"][1:3])
    size = (fixed[0], fixed[1]) if min(fixed) > 0 else None

    def predicted(painting: np.ndarray) -> np.ndarray:
        return _run(predict, {predict.get_input_details()[0]["index"]: painting})

    def stylised(photograph: np.ndarray, style: np.ndarray) -> np.ndarray:
        def whole(x: np.ndarray) -> np.ndarray:
            return _run(transfer, {content["index"]: x, vector["index"]: style})

        return whole(photograph) if size is None else apply_at_fixed_size(photograph, size, whole)

    return StyleNetwork(predicted, stylised, size)


def apply_at_fixed_size(
    photograph: np.ndarray, size: tuple[int, int], stylised: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Apply a network of one size to a photograph of another, whose proportions stay.

    The photograph is scaled to fit, its mirror image fills what is left, and the picture is cut out and scaled back.

    Args:
        photograph: ``(1, H, W, 3)`` in [0, 1].
        size: Height and width of the network's photograph.
        stylised: ``(1, *size, 3)`` to the same.
    """
    height, width = photograph.shape[1:3]
    scale = min(size[0] / height, size[1] / width)
    h, w = (max(1, min(whole, round(scale * side))) for side, whole in zip((height, width), size, strict=True))
    top, left = (size[0] - h) // 2, (size[1] - w) // 2
    margins = [(top, size[0] - h - top), (left, size[1] - w - left), (0, 0)]
    padded = np.pad(resize(photograph[0], h, w), margins, mode="symmetric")
    picture = stylised(padded[None])[0, top : top + h, left : left + w]
    return resize(picture, height, width)[None]


def _load(path: Path, threads: int | None) -> Any:
    if importlib.util.find_spec("ai_edge_litert") is None:
        raise InputError(f"feedforward.weights: '{path}' needs an interpreter: pip install 'nst-tf[tflite]'")
    from ai_edge_litert.interpreter import Interpreter

    try:
        return Interpreter(model_path=str(path), num_threads=threads)
    except (ValueError, RuntimeError) as error:
        raise InputError(f"feedforward.weights: '{path}' is no TFLite model; download it again") from error


def _run(model: Any, values: dict[int, np.ndarray]) -> np.ndarray:
    """One pass. A model of fixed shape is not resized: LiteRT takes another, and computes part of it at the old one."""
    for entry in model.get_input_details():
        if min(entry["shape_signature"]) < 0:
            model.resize_tensor_input(entry["index"], values[entry["index"]].shape)
    model.allocate_tensors()
    for index, value in values.items():
        model.set_tensor(index, value)
    model.invoke()
    return model.get_tensor(model.get_output_details()[0]["index"])

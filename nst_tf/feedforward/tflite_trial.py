"""A program that loads TFLite models and runs each once on zeros, in a process of its own.

The interpreter does not check a model completely, so that a damaged file can end the process that loads it. Run as
``python tflite_trial.py FILE…``, without importing this package. It prints an error and exits with status 1 if a model
cannot be used.
"""

import sys
from typing import Any

import numpy as np

SIDE = 64
"""Pixels of a side that the model leaves open."""


def run_on_zeros(path: str) -> None:
    """Run a model once."""
    from ai_edge_litert.interpreter import Interpreter

    model = Interpreter(model_path=path, num_threads=1)
    for entry in model.get_input_details():
        if min(entry["shape_signature"], default=1) < 0:
            model.resize_tensor_input(entry["index"], [side if side > 0 else SIDE for side in entry["shape_signature"]])
    model.allocate_tensors()
    for entry in model.get_input_details():
        model.set_tensor(entry["index"], zeros(entry))
    model.invoke()
    for entry in model.get_output_details():
        model.get_tensor(entry["index"])


def zeros(entry: dict[str, Any]) -> np.ndarray:
    """Return zeros for an input of a model."""
    return np.zeros(entry["shape"], entry["dtype"])


if __name__ == "__main__":
    try:
        for file in sys.argv[1:]:
            run_on_zeros(file)
    except Exception as error:  # the interpreter raises errors of many types
        sys.exit(" ".join(str(error).split()) or type(error).__name__)

"""One evaluation on a GPU in each precision, beside the CPU in float32."""

import numpy as np
import pytest
import tensorflow as tf

from nst_tf.backbones import VGG19
from nst_tf.losses import ContentLoss, GramLoss, TotalVariationLoss
from nst_tf.optimization.objective import Objective
from nst_tf.system.runtime import Precision, Runtime
from nst_tf.util.compilation import compile_function

pytestmark = pytest.mark.gpu

LOSSES = {
    "content": ContentLoss(layers=["conv3_1"]),
    "style": GramLoss(layers=["conv1_1", "conv2_1", "conv3_1"], weight=10.0),
    "smooth": TotalVariationLoss(weight=0.1),
}
LAYERS = ["conv1_1", "conv2_1", "conv3_1"]

TOLERANCES = {
    "float32": (1e-5, 5e-3),
    "tf32": (1e-3, 1e-1),
    "mixed_bfloat16": (1e-2, 2.5e-1),
    "mixed_float16": (1e-3, 1e-1),
}
"""Allowed relative errors of the total and of the gradient (in the Euclidean norm) against float32 on the CPU.

The gradient jumps where a ReLU or a maximum switches, so that its error goes with the root of the rounding
error: the CPU has 0.12 in bfloat16 (8 bits), 0.042 in float16 (11 bits, as in TensorFloat-32), and by that rule 0.0015
in float32 (24 bits, summed in another order). The total has 4e-4, 2e-5 and 0.
"""


def picture(seed):
    return np.random.default_rng(seed).uniform(0, 1, (1, 48, 64, 3)).astype(np.float32)


def evaluation(runtime, jit_compile=False):
    """Return total, gradient and device of an evaluation at noise, compiled, with random weights."""
    with tf.device(runtime.prepare()):
        extractor = VGG19(weights="random").extractor(LAYERS, runtime.policy())
        objective = Objective.prepare(extractor, LOSSES, tf.constant(picture(1)), [tf.constant(picture(2))], [1.0])
        evaluate = compile_function(objective.evaluator(), jit_compile=jit_compile)
        result = evaluate(tf.constant(picture(3)), objective.inputs)
        return result.total.numpy()[0], result.gradient.numpy(), result.gradient.device


@pytest.fixture(scope="module")
def reference():
    total, gradient, _ = evaluation(Runtime(device="cpu", precision=Precision.float32))
    return total, gradient


@pytest.mark.parametrize("jit_compile", [False, True], ids=["one by one", "by XLA"])
@pytest.mark.parametrize("name", TOLERANCES)
def test_an_evaluation_equals_that_of_the_cpu_within_the_precision(name, jit_compile, device, device_name, reference):
    precision = Precision.float32 if name == "tf32" else Precision(name)
    runtime = Runtime(device=device, precision=precision, tf32=name != "float32")
    total, gradient, place = evaluation(runtime, jit_compile)
    expected_total, expected_gradient = reference
    assert place.endswith(device_name[1:])
    total_error = abs(total - expected_total) / expected_total
    gradient_error = np.linalg.norm(gradient - expected_gradient) / np.linalg.norm(expected_gradient)
    errors = f"relative error of the total {total_error:.1e}, of the gradient {gradient_error:.1e}"
    print(f"{name} on {device}, XLA {jit_compile}: {errors}")
    allowed = TOLERANCES[name]
    assert total_error <= allowed[0]
    assert gradient_error <= allowed[1]


@pytest.mark.parametrize("tf32", [True, False])
def test_the_setting_of_tensor_float_32_reaches_tensorflow(tf32, device):
    Runtime(device=device, tf32=tf32).prepare()
    assert tf.config.experimental.tensor_float_32_execution_enabled() == tf32

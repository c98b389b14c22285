"""Weights files of LPIPS with random numbers in the shapes of the published ones."""

import numpy as np
import pytest

from nst_tf.evaluation import lpips
from tests.backbones.pytorch_files import pytorch_file


def random_arrays(shapes, seed):
    """Return arrays in PyTorch's order of axes: He-normal kernels, and positive numbers for everything else."""
    generator = np.random.default_rng(seed)
    return {
        name: (
            generator.standard_normal(shape, dtype=np.float32) * np.float32(np.sqrt(2 / np.prod(shape[1:])))
            if len(shape) == 4 and shape[0] > 1
            else generator.uniform(0.1, 1, shape).astype(np.float32)
        )
        for name, shape in shapes.items()
    }


@pytest.fixture(scope="session")
def lpips_arrays():
    return random_arrays(lpips.NETWORK.shapes, 1), random_arrays(lpips.LINEAR.shapes, 2)


@pytest.fixture(scope="session")
def lpips_files(lpips_arrays, tmp_path_factory):
    """Paths of AlexNet's weights and of the linear weights."""
    folder = tmp_path_factory.mktemp("lpips")
    paths = folder / "alexnet.pth", folder / "linear.pth"
    for path, arrays in zip(paths, lpips_arrays, strict=True):
        path.write_bytes(pytorch_file(arrays))
    return tuple(map(str, paths))

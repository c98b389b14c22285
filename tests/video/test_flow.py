"""Optical flow: its methods on scenes whose flow is known, and .flo files."""

import importlib.util
import struct

import numpy as np
import pytest
import skimage.data

from nst_tf.images import resize, to_bytes
from nst_tf.util.errors import InputError
from nst_tf.video import Consistency, Flow
from nst_tf.video.flow import read_flo, write_flo
from nst_tf.video.scenes import SCENES

RNG = np.random.default_rng(0)
NEEDS_OPENCV = pytest.mark.skipif(importlib.util.find_spec("cv2") is None, reason="needs the extra video")


@pytest.mark.parametrize("scene", ["translation", "rotation", "zoom", "occlusion"])
@pytest.mark.parametrize("method", [pytest.param("dis", marks=NEEDS_OPENCV), "tvl1"])
def test_a_method_finds_the_known_flow(method, scene):
    scene = SCENES[scene](64, 80, 3)
    first, second = to_bytes(scene.picture(1)), to_bytes(scene.picture(2))
    error = np.linalg.norm(Flow(method=method).between(first, second) - scene.flow(1, 2), axis=-1)
    assert np.median(error[scene.visible(1, 2)]) < 0.25


@NEEDS_OPENCV
def test_the_flow_between_two_photographs_agrees_with_their_measured_disparity():
    """The stereo pair of scikit-image, at a third of its size: a point moves to the left by its disparity."""
    left, right, disparity = skimage.data.stereo_motorcycle()
    height, width = (side // 3 for side in disparity.shape)
    first, second = (to_bytes(resize(to_unit(picture), height, width)) for picture in (left, right))
    expected = disparity[1::3, 1::3][:height, :width] / 3
    is_known = np.isfinite(expected)
    flow = Flow().between(first, second)
    error = np.hypot(flow[..., 0] + expected, flow[..., 1])
    weights = Consistency(sigma=0).weights(flow, Flow().between(second, first))
    trusted, rejected = error[is_known & (weights == 1)], error[is_known & (weights == 0)]
    assert np.median(expected[is_known]) > 5
    assert np.median(trusted) < 0.5
    assert np.mean(rejected) > 2 * np.mean(trusted)
    assert 0.75 < np.mean(weights) < 0.95


def to_unit(picture):
    return picture.astype(np.float32) / 255


@NEEDS_OPENCV
def test_the_flow_is_the_same_at_every_call():
    scene = SCENES["rotation"](64, 80, 2)
    pair = to_bytes(scene.picture(0)), to_bytes(scene.picture(1))
    np.testing.assert_array_equal(Flow().between(*pair), Flow().between(*pair))


def test_a_flo_file_has_the_bytes_of_the_format(tmp_path):
    flow = RNG.normal(size=(3, 4, 2)).astype(np.float32)
    path = tmp_path / "a.flo"
    write_flo(path, flow)
    content = path.read_bytes()
    assert struct.unpack("<fii", content[:12]) == (202021.25, 4, 3)
    assert struct.unpack("<24f", content[12:]) == tuple(flow.ravel().tolist())
    np.testing.assert_array_equal(read_flo(path, (3, 4)), flow)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PNG", "is not a .flo file"),
        (b"PIEH" + struct.pack("<ii", 5, 3), "has 5x3 positions, and the frames have 4x3 pixels. Set image.size"),
        (b"PIEH" + struct.pack("<ii", 4, 3) + bytes(8), "has 20 bytes instead of 108"),
        (b"PIEH" + struct.pack("<ii", 4, 3) + struct.pack("<24f", *[float("nan")] * 24), "not finite"),
    ],
)
def test_a_broken_or_unfit_flo_file_is_refused_in_one_line(content, message, tmp_path):
    path = tmp_path / "a.flo"
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read_flo(path, (3, 4))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_files_and_folders_are_named(tmp_path):
    with pytest.raises(InputError, match="there is no file"):
        read_flo(tmp_path / "1_2.flo", (3, 4))
    with pytest.raises(InputError, match=r"^flow\.folder=nowhere: there is no such folder"):
        Flow(method="files", folder="nowhere").check()
    with pytest.raises(InputError, match=r"^flow\.method=files: needs flow\.folder"):
        Flow(method="files")
    with pytest.raises(InputError, match=r"^flow\.names=flow\.flo: must contain \{from\} and \{to\}"):
        Flow(names="flow.flo")


def test_names_of_another_program_are_data_not_a_program(tmp_path):
    flow = Flow(method="files", folder=str(tmp_path), names="forward_{from}_{to}.{0.__class__}.flo")
    assert flow.file(1, 2).name == "forward_1_2.{0.__class__}.flo"

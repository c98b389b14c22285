"""Masks of the first frame move with what they cover."""

import numpy as np
import pytest
from PIL import Image

from nst_tf.images import Regions, read_picture, write_picture
from nst_tf.images.reading import Limits
from nst_tf.video import Consistency, Flow
from nst_tf.video.folder import VideoFolder
from nst_tf.video.moving_masks import MovingMasks, fill_hidden, move_labels
from nst_tf.video.neighbours import Flows
from nst_tf.video.scenes import _apply, occlusion

SCENE = occlusion(48, 64, 4)


def square_of(number):
    """The square's mask in a frame, ``(H, W)`` bool."""
    return SCENE._in_square(_apply(SCENE.square(number), SCENE._points()))


@pytest.fixture
def masks(tmp_path):
    """Masks and labels of the square in the first frame, with the scene's known flow."""
    pixels = np.repeat(255 * square_of(0).astype(np.uint8)[..., None], 3, axis=2)
    Image.fromarray(pixels).save(tmp_path / "mask.png")
    Image.fromarray(np.where(pixels > 0, [255, 0, 0], [0, 0, 255]).astype(np.uint8)).save(tmp_path / "labels.png")
    folder = VideoFolder(tmp_path / "film")
    for number in range(1, 5):
        write_picture(folder.source_frame(number), SCENE.picture(number - 1))
    sources = {"masks": {"square": str(tmp_path / "mask.png")}, "labels": str(tmp_path / "labels.png")}
    regions = Regions(**sources).with_masks_read(Limits())
    return MovingMasks(regions, folder, Flows(Flow(method="exact"), Consistency(), folder, SCENE))


def test_the_first_frame_has_the_masks_of_the_settings(masks):
    assert masks.at(1) is masks.regions


def test_a_mask_and_a_label_map_follow_the_square(masks):
    moved = masks.at(4)
    expected = square_of(3)
    for picture in (moved.masks["square"], moved.labels):
        found = picture.pixels[..., 0] > 0.5  # the labels are red in the square and blue elsewhere
        assert (found & expected).sum() / (found | expected).sum() > 0.9
    assert {tuple(colour) for colour in np.unique(moved.labels.pixels.reshape(-1, 3), axis=0).tolist()} == {
        (1.0, 0.0, 0.0),
        (0.0, 0.0, 1.0),
    }


def test_a_mask_that_was_corrected_by_hand_is_used(masks):
    masks.at(2)
    path = masks.folder.path / "masks" / "masks.square" / "000002.png"
    write_picture(path, np.ones_like(read_picture(str(path)).pixels))
    assert masks.at(3).masks["square"].pixels.mean() == 1.0


def test_transparency_stays_that_of_each_frame(masks):
    regions = Regions(masks={"figure": "alpha"})
    assert MovingMasks(regions, masks.folder, masks.flows).at(3).masks == {"figure": "alpha"}


def test_what_comes_into_view_takes_the_value_of_what_moves_alike():
    flow = np.zeros((1, 6, 2), np.float32)
    flow[0, :2, 0] = 3.0  # a thing at the left moves, the background rests
    values = np.array([[[1.0], [1.0], [1.0], [1.0], [0.0], [0.0]]])
    hidden = np.array([[False, False, True, True, False, False]])
    assert fill_hidden(values, flow, hidden).ravel().tolist() == [1, 1, 0, 0, 0, 0]
    np.testing.assert_array_equal(fill_hidden(values, flow, ~hidden | True), values)


def test_labels_take_the_nearest_colour():
    picture = np.arange(12, dtype=np.float32).reshape(1, 4, 3)
    flow = np.zeros((1, 4, 2), np.float32)
    flow[..., 0] = [0.4, 0.6, -2.0, 5.0]
    np.testing.assert_array_equal(move_labels(picture, flow), picture[:, [0, 2, 0, 3]])

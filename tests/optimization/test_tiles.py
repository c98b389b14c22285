"""The division of a picture into tiles: what each window must contain, and which positions each tile owns."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from nst_tf.backbones import VGG19
from nst_tf.optimization.tiles import AxisGrid, AxisTiles, Grid, Tile, Tiling

CONV5_1 = AxisGrid(cell=16, reach=70)
"""The grid of VGG-19 up to conv5_1."""


def random_cases(count):
    rng = np.random.default_rng(0)
    for _ in range(count):
        grid = AxisGrid(cell=int(2 ** rng.integers(0, 5)), reach=int(rng.integers(0, 120)))
        yield int(rng.integers(16, 900)), int(rng.integers(1, 400)), grid


def test_the_margin_is_the_reach_in_whole_cells():
    grids = (AxisGrid(16, 70), AxisGrid(8, 38), AxisGrid(8, 30), AxisGrid(1, 1), AxisGrid(4, 0))
    assert [grid.margin for grid in grids] == [80, 40, 32, 1, 0]


def test_a_picture_of_1024_pixels_has_two_tiles_of_512():
    """Both windows have 512 + 80 pixels; one margin suffices at the border, of 80 pixels before and 70 after."""
    tiles = AxisTiles.plan(1024, 512, CONV5_1)
    assert tiles == AxisTiles(size=1024, window=592, starts=(0, 432), bounds=(0, 512, 1024))


def test_a_picture_that_fits_into_one_window_is_not_divided():
    assert AxisTiles.plan(200, 64, CONV5_1) == AxisTiles(200, 200, (0,), (0, 200))


def test_own_parts_cover_the_picture_once_and_windows_contain_their_surroundings():
    for size, own, grid in random_cases(3000):
        tiles = AxisTiles.plan(size, own, grid)
        assert (tiles.bounds[0], tiles.bounds[-1]) == (0, size)
        assert (tiles.starts[0], tiles.starts[-1] + tiles.window) == (0, size)
        for start, (low, high) in zip(tiles.starts, itertools.pairwise(tiles.bounds), strict=True):
            assert low < high
            assert start % grid.cell == low % grid.cell == 0
            assert low == 0 or low - start >= grid.reach
            assert high == size or (high % grid.cell == 0 and start + tiles.window - high >= grid.reach)


def test_windows_have_the_remainder_of_the_picture_so_that_poolings_drop_the_same_pixels():
    for size, own, grid in random_cases(500):
        assert AxisTiles.plan(size, own, grid).window % grid.cell == size % grid.cell


def test_no_window_is_larger_than_its_own_part_with_two_margins():
    for size, own, grid in random_cases(500):
        tiles = AxisTiles.plan(size, own, grid)
        assert tiles.window <= own + 2 * grid.margin + 2 * grid.cell


@pytest.fixture(scope="module")
def tiling():
    """A picture of 61x75 pixels in tiles of VGG-19 up to conv3_1: layers of 61x75, 30x37 and 15x18 positions."""
    extractor = VGG19(weights="random").extractor(["conv1_1", "conv2_1", "conv3_1"])
    return Tiling.plan(61, 75, 8, Grid.of(extractor))


LAYERS = {"conv1_1": (61, 75), "conv2_1": (30, 37), "conv3_1": (15, 18)}


def test_the_grid_of_a_network_has_its_largest_stride_and_reach(tiling):
    assert tiling.grid.axes == (AxisGrid(4, 10), AxisGrid(4, 10))
    assert {layer: tiling.layer_shape(layer) for layer in LAYERS} == LAYERS


def test_every_position_of_every_layer_is_owned_by_one_tile(tiling):
    assert tiling.count > 4
    for layer, shape in LAYERS.items():
        stride = tiling.grid.strides[layer][0]
        window = tf.zeros([1, *(side // stride for side in tiling.window), 1])
        owners = sum(
            tile.place_layer(tile.owned(layer, window), layer).numpy()
            for tile in (Tile(tiling, tf.constant(index)) for index in range(tiling.count))
        )
        np.testing.assert_array_equal(owners, np.ones([1, *shape, 1]))


def test_a_window_is_cut_out_and_put_back_at_its_place(tiling):
    image = np.random.default_rng(0).uniform(size=(1, 61, 75, 3)).astype(np.float32)
    tile = Tile(tiling, tf.constant(tiling.count - 1))
    placed = tile.place(tile.crop(tf.constant(image))).numpy()
    height, width = tiling.window
    np.testing.assert_array_equal(placed[:, -height:, -width:], image[:, -height:, -width:])
    assert not placed[:, :-height].any()
    assert not placed[:, :, :-width].any()

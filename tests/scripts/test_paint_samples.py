import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.distance import cdist

from nst_tf.images.samples import PAINTINGS

pytestmark = pytest.mark.slow

SCRIPTS = Path(__file__).parents[2] / "scripts"
SIZE = 96
NAMES = ("night_swirls", "harbour_mosaic", "wave_woodcut", "river_dots", "wedges")


@pytest.fixture(scope="module")
def script():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(SCRIPTS)
        yield importlib.import_module("paint_samples")
        for name in [name for name in sys.modules if name.partition(".")[0] in ("paint_samples", "painting")]:
            del sys.modules[name]


@pytest.fixture(scope="module")
def painted(script):
    return {name: paint(SIZE, 0) for name, paint in script.PAINTERS.items()}


def test_every_painter_has_its_painting_in_the_package(script):
    assert tuple(script.PAINTERS) == NAMES
    assert script.FOLDER == PAINTINGS
    assert {path.stem for path in PAINTINGS.glob("*.jpg")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_pixels_are_in_the_unit_range_and_varied_in_every_channel(painted, name):
    pixels = painted[name]
    assert pixels.shape == (SIZE, SIZE, 3)
    assert pixels.min() >= 0
    assert pixels.max() <= 1
    assert pixels.reshape(-1, 3).std(axis=0).min() > 0.1


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_reproduces_its_picture(script, painted, name):
    np.testing.assert_array_equal(script.PAINTERS[name](SIZE, 0), painted[name])


@pytest.mark.parametrize("name", NAMES)
def test_another_seed_gives_another_picture(script, painted, name):
    assert np.abs(script.PAINTERS[name](SIZE, 1) - painted[name]).mean() > 0.02


def test_the_paintings_differ_from_one_another(painted):
    pictures = list(painted.values())
    for number, one in enumerate(pictures):
        for other in pictures[:number]:
            assert np.abs(one - other).mean() > 0.1


def test_painting_does_not_change_numpys_global_generator(script):
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    script.PAINTERS["wedges"](32, 0)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_conversion_to_oklab_is_inverted_and_white_is_1_0_0(script):
    colours = importlib.import_module("painting.colours")
    rgb = np.random.default_rng(0).random((50, 3))
    np.testing.assert_allclose(colours.to_rgb(colours.to_lab(rgb)), rgb, atol=1e-6)
    # Ottosson gives (1, 0, 0) for white.
    np.testing.assert_allclose(colours.to_lab(np.ones(3)), [1, 0, 0], atol=1e-4)
    np.testing.assert_allclose(
        colours.ramp("#000000 #ff0000", np.array([-1.0, 2.0])), [[0, 0, 0], [1, 0, 0]], atol=1e-3
    )


def test_along_gives_the_direction_of_the_level_lines(script):
    fields = importlib.import_module("painting.fields")
    x, y = fields.grid(9)
    np.testing.assert_allclose(np.tan(fields.along(y)), 0, atol=1e-9)  # the level lines of y are horizontal
    np.testing.assert_allclose(np.abs(np.cos(fields.along(x))), 0, atol=1e-9)


def test_a_pixel_belongs_to_the_nearest_tile_of_its_object(script):
    tesserae = importlib.import_module("painting.tesserae")
    sites = np.random.default_rng(0).uniform(0, 16, (7, 2))
    rows, columns = np.indices((16, 16)) + 0.5
    pixels = np.stack([columns, rows], axis=-1).reshape(-1, 2)
    zeros, square = np.zeros((16, 16)), np.ones(7)
    owner = tesserae.nearest_tile(zeros, zeros, sites, square, 16.0)
    expected = cdist(pixels, sites, "chebyshev").argmin(axis=1).reshape(16, 16)
    np.testing.assert_array_equal(owner, expected)
    halves = (columns > 6).astype(int)
    owner = tesserae.nearest_tile(halves, zeros, sites, square, 16.0)
    np.testing.assert_array_equal((sites[:, 0] > 6)[owner], halves == 1)


def test_the_command_writes_a_jpeg_of_the_requested_size(script, tmp_path, capsys):
    assert script.main(["--out", str(tmp_path / "new"), "--size", "32", "--only", "wedges"]) == 0
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["wedges.jpg"]
    with Image.open(tmp_path / "new" / "wedges.jpg") as image:
        assert image.size == (32, 32)
        assert image.mode == "RGB"
    assert "wedges.jpg: 32 x 32 px" in capsys.readouterr().out


def test_the_quality_is_lowered_until_the_file_fits_the_limit(script, painted):
    pixels = painted["night_swirls"]
    free, tight = script.encode(pixels), script.encode(pixels, 9000)
    assert len(tight) <= 9000 < len(free)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--size", "huge"], "'huge'"),
        (["--size", "-5"], "--size"),
        (["--size", "31"], "from 32 to 4096"),
        (["--seed", "x"], "'x'"),
        (["--only", "nobody"], "night_swirls"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_bad_arguments_are_refused_in_one_line(script, capsys, arguments, named):
    with pytest.raises(SystemExit) as caught:
        script.main(arguments)
    assert caught.value.code == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert named in message


def test_an_output_folder_that_is_a_file_is_refused_in_one_line(script, tmp_path, capsys):
    blocked = tmp_path / "a"
    blocked.write_text("")
    with pytest.raises(SystemExit) as caught:
        script.main(["--out", str(blocked), "--size", "32", "--only", "wedges"])
    assert caught.value.code == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert repr(str(blocked)) in message

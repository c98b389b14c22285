"""Runs that transfer colours alone, and the record of a third picture whose colours are taken."""

import numpy as np
import pytest
from PIL import Image

from nst_tf import Config, stylize
from nst_tf.config.effects import overrides_without_effect
from nst_tf.config.inputs import input_record, with_pictures_read
from nst_tf.config.settings import fingerprint, flatten
from nst_tf.images import Canvas, Recolouring, read_picture
from nst_tf.util.errors import InputError


@pytest.fixture
def files(tmp_path):
    """Paths of three pictures of 48 by 40 pixels."""
    paths = [tmp_path / f"{name}.png" for name in ("content", "style", "third")]
    for seed, path in enumerate(paths):
        small = np.random.default_rng(seed).integers(60, 180, (5, 6, 3), np.uint8)
        Image.fromarray(small).resize((48, 40)).save(path)
    return paths


def test_a_recolouring_run_leaves_picture_and_record_without_network_and_losses(files, tmp_path):
    config = Config(content=files[0], style=files[1], method="recolour", image=Canvas(size=32))
    result = stylize(config, tmp_path / "run")
    record = result.record
    assert (record["status"], record["reason"], record["steps"]) == ("completed", "colours transferred", 1)
    assert (record["weights"], record["precision"], record["final"]) == (None, "float32", {"total": None})
    assert set(record["inputs"]) == {"content", "style:1"}
    assert not (tmp_path / "run" / "metrics.csv").exists()
    content, style = (read_picture(str(path)) for path in files[:2])
    expected = Recolouring(config.image, content, [style], [1.0]).picture()[0]
    np.testing.assert_allclose(np.asarray(result.picture) / 255, expected, atol=0.51 / 255)
    assert stylize(config, tmp_path / "run").record["seconds"] == record["seconds"]


@pytest.mark.parametrize("image", [{"colour": "luminance"}, {"colour": "linear", "colour_from": "sample:wedges"}])
def test_recolouring_refuses_other_colours_than_those_of_the_style(image):
    with pytest.raises(InputError, match="method=recolour"):
        Config(content="a.png", style="b.png", method="recolour", image=Canvas(**image))


def test_recolouring_names_settings_of_an_optimisation_as_without_effect():
    config = Config(content="a.png", style="b.png", method="recolour", seed=3)
    typed = ["seed=3", "image.start=noise", "losses.style.weight=2", "image.strength=0.5", "feedforward.weights=x"]
    assert overrides_without_effect(config, typed) == {"method=recolour": [typed[0], typed[1], typed[2], typed[4]]}


def test_a_third_picture_is_an_input_with_its_hash_and_decides_the_fingerprint(files):
    def of(**image):
        config = with_pictures_read(Config(content=files[0], style=files[1], image=Canvas(size=32, **image)))
        inputs = input_record(config)
        return inputs, fingerprint(config, [one["sha256"] for one in inputs.values()]), flatten(config)

    plain, other, _ = of(colour="linear")
    inputs, first, settings = of(colour="linear", colour_from=files[2])
    sha256 = read_picture(str(files[2])).sha256
    assert inputs == plain | {"colour_from": {"source": str(files[2]), "sha256": sha256, "path": str(files[2])}}
    assert settings["image.colour_from"] == str(files[2])
    Image.new("RGB", (20, 20), (9, 9, 9)).save(files[2])
    assert len({other, first, of(colour="linear", colour_from=files[2])[1]}) == 3

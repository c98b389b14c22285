"""Errors of the user give one line with value, key and remedy, exit code 2, and leave all files unchanged."""

import numpy as np
import pytest
from PIL import Image

from nst_tf.cli.main import exit_code
from nst_tf.losses import LOSSES


@pytest.fixture
def refused(in_server, command_line):
    """Runs a command line and gives its one line on stderr."""

    def run(*overrides):
        words = [*command_line.small, f"hydra.run.dir={command_line.folder / 'refused'}", *overrides]
        code, out, err = in_server("nst_tf.cli.main:main", words=words)
        assert code == 2, err
        assert len(out.splitlines()) <= 1, out  # a run that begins to read its inputs announces itself
        lines = err.splitlines()
        assert len(lines) == 1, err
        assert lines[0].startswith("error: ")
        return lines[0]

    return run


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["losses.style.wieght=3"], ["losses.style.wieght", "did you mean 'weight'"]),
        (["image=512"], ["image='512'", "standard"]),
        (["losses.content.weight=1e308"], ["losses.content", "1e+308", "3.4e+38"]),
        (["content=Van Gogh's (1).jpg"], ["Van Gogh's (1).jpg", "no such file", "type "]),
        (["bogus=1"], ["bogus", "content, style"]),
        (["+bogus=1"], ["bogus", "content, style"]),
        (["losses.styl.weight=3"], ["losses.styl", "did you mean 'style'"]),
        (
            ["+losses.extra={weight: 1}"],
            ["extra", "+schema/loss@losses.NAME", *LOSSES],
        ),
        (["losses.content.reference=style", "image.fit=height"], ["losses.content", "image.style_fit=content"]),
        (["schedule.step_shares=[.nan]"], ["schedule.step_shares", "nan"]),
        (["losses.style.weight=.inf"], ["losses.style", "inf"]),
        (["optimizer.lerning_rate=1"], ["did you mean 'learning_rate'"]),
        (["steps=abc"], ["steps", "'abc'", "integer"]),
        (["optimizer.learning_rate=-1"], ["optimizer.learning_rate=-1.0", "above 0"]),
        (["image.size=3"], ["image.size", "3", "16"]),
        (["backbone=vgg99"], ["backbone='vgg99'", "vgg16, vgg16_torch, vgg19, vgg19_average, vgg19_lite"]),
        (["experiment=gatys2061"], ["gatys2061", "gatys2016"]),
        (["backbone.pooling=median"], ["backbone.pooling", "median", "average"]),
        (["losses.style.reduction=avg"], ["losses.style.reduction", "avg", "gatys"]),
        (["losses.style.layers=[conv9_1]"], ["conv9_1", "vgg19", "conv1_1", "did you mean"]),
        (["losses.style.layer_weights=[1.0]"], ["1 entries for 2 layers"]),
        (["losses.style.layers=[conv1_1"], ["type 'losses.style.layers=[conv1_1]'"]),
        (["style_weights=[0.5,0.5]"], ["style_weights", "2 entries for 1 style"]),
        (["style=[sample:coffee,sample:cat]", "style_weights=[0,0]"], ["style_weights", "not all 0"]),
        (["losses.style.reference=style:2"], ["style:2", "1 style"]),
        (["content=nowhere.jpg"], ["nowhere.jpg", "content", "sample:"]),
        (["style=sample:monalisa"], ["monalisa", "astronaut"]),
        (["content=null"], ["content is missing", "content=PATH"]),
        (["style=null"], ["style is missing", "style=PATH"]),
        (["style=3"], ["style=3", "path"]),
        (["image.size=200000"], ["200000", "GiB", "image.size="]),
        (["backbone.weights=nowhere.h5"], ["nowhere.h5", "random"]),
        (["backbone.weights=embedded"], ["vgg19 has no such weights", "imagenet"]),
        (["backbone=vgg19_lite", "backbone.weights=imagenet"], ["vgg19_lite has no such weights", "embedded"]),
        (["runtime.device=gpu:7"], ["gpu:7", "cpu"]),
        (["runtime.device=tpu"], ["tpu", "auto"]),
        (["schedule.scales=[1.0,0.5]"], ["schedule.scales", "rise to 1.0"]),
        (["losses.style.weight=0", "losses.content.weight=0", "losses.total_variation.weight=0"], ["every loss"]),
        (["seed=-1"], ["seed", "-1"]),
        (["image.start=nowhere.png"], ["nowhere.png", "image.start"]),
        (["backbone.padding=reflect", "image.size=20", "losses.content.layers=[conv5_1]"], ["too small", "conv5_1"]),
    ],
    ids=lambda value: value[0] if isinstance(value, list) and "=" in value[0] else "",
)
def test_an_unusable_setting_is_one_line_and_writes_nothing(overrides, words, refused, tmp_path):
    line = refused(*overrides)
    assert all(word in line for word in words), line
    assert not (tmp_path / "refused").exists()


def test_a_broken_picture_is_named(refused, tmp_path):
    broken = tmp_path / "broken.png"
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(broken)
    broken.write_bytes(broken.read_bytes()[:60])
    assert "broken.png" in refused(f"content={broken}")


def test_weights_of_another_network_are_refused(refused, shared):
    weights = shared / "weights" / "vgg16_notop_block1to3.weights.h5"
    line = refused(f"backbone.weights={weights}")
    assert "vgg16_notop_block1to3.weights.h5" in line
    assert "vgg19" in line


def test_a_layer_that_the_weights_file_lacks_is_refused(refused, shared):
    weights = shared / "weights" / "vgg16_notop_block1to3.weights.h5"
    line = refused("backbone=vgg16", f"backbone.weights={weights}", "losses.content.layers=[conv4_2]")
    assert "block4_conv1" in line
    assert "missing_weights=random" in line


@pytest.mark.slow
def test_another_experiment_in_the_same_folder_is_refused_and_changes_nothing(command_line, refused, tmp_path):
    code, _, error = command_line("steps=2", "hydra.run.dir=refused")
    assert code == 0, error
    folder = tmp_path / "refused"
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    line = refused("steps=2", "losses.style.weight=7")
    assert "other settings" in line
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        ([], 0),
        (["completed", "converged", "diverged"], 0),
        (["completed", "failed"], 1),
        (["failed", "refused"], 2),
        (["completed", "interrupted"], 130),
    ],
)
def test_the_exit_code_is_that_of_the_worst_status(statuses, code):
    assert exit_code(statuses) == code

"""The primary config ``video``: its groups compose, and those of papers have the papers' numbers."""

import dataclasses
import functools

import pytest
from hydra import compose, initialize_config_dir

from nst_tf.cli.video import STANDARD, register_video, temporal_option
from nst_tf.config.composing import configs_folder, from_hydra, register_schemas
from nst_tf.config.tree import Config
from nst_tf.losses import ValueRange
from nst_tf.util.errors import InputError
from nst_tf.video import Flow, FlowMethod, Frames, FrameStart, Temporal, VideoConfig

OPTIONS = sorted(path.stem for path in (configs_folder() / "temporal").glob("*.yaml"))


@functools.cache
def composed(*overrides):
    register_schemas()
    register_video()
    with initialize_config_dir(str(configs_folder()), version_base="1.3"):
        return from_hydra(compose("video", overrides=["name=film", "video=clip.mp4", *overrides]))


def test_the_default_is_a_warped_start_with_a_short_term_loss():
    config = composed()
    assert isinstance(config, VideoConfig)
    assert (config.temporal.start, config.temporal.offsets, config.temporal.first_steps) == (
        FrameStart.warped,
        [1],
        150,
    )
    assert (config.steps, config.losses["temporal"].weight, config.flow.method) == (30, 300.0, FlowMethod.dis)
    assert list(config.tracking) == ["metrics", "checkpoints"]


def test_the_defaults_of_yaml_and_python_are_equal_outside_the_group_temporal():
    from_yaml, from_python = composed("temporal=independent"), VideoConfig(video="clip.mp4")
    for name in ("frames", "flow", "consistency"):
        assert getattr(from_yaml, name) == getattr(from_python, name)


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_of_temporal_composes(option):
    assert composed(f"temporal={option}").losses["temporal"].weight >= 0


def test_ruder2016_has_the_numbers_of_the_program():
    config = composed("experiment=ruder2016")
    weights = {name: loss.weight for name, loss in config.losses.items()}
    assert weights == {"content": 5.0, "style": 100.0, "total_variation": 1e-3, "temporal": 1000.0}
    assert config.losses["temporal"].value_range is ValueRange.byte
    assert config.temporal.scene_cut == 0
    assert config.temporal.root_weights  # the gradient of the program has √c
    assert (config.temporal.first_steps, config.steps) == (2000, 1000)
    assert (config.schedule.stop_change, config.schedule.stop_window) == (0.01, 50)
    assert (config.image.start, config.image.margin, config.optimizer.history) == ("noise", 0, 100)


def test_ruder2016_multipass_has_the_numbers_of_the_program():
    config = composed("experiment=ruder2016_multipass")
    temporal = config.temporal
    assert (temporal.passes, temporal.loss_from_pass, temporal.blend, config.steps) == (15, 8, 1.0, 100)
    assert (temporal.start, config.losses["temporal"].weight) == (FrameStart.image, 500.0)


def test_the_long_term_option_of_ruder2016_adds_its_offsets():
    config = composed("experiment=ruder2016", "temporal=ruder2016_long_term")
    assert (config.temporal.offsets, config.steps, config.losses["temporal"].weight) == ([1, 2, 4], 1000, 1000.0)


def test_an_experiment_without_an_option_of_its_name_takes_the_standard():
    assert temporal_option(None) == temporal_option("strotss") == STANDARD
    assert temporal_option("ruder2016") == "ruder2016"
    config = composed("experiment=neural_style")
    assert (config.steps, config.losses["temporal"].weight) == (30, 300.0)


def test_the_first_frame_may_begin_at_coarser_scales_that_are_large_enough():
    config = composed("temporal.first_scales=[0.25,0.5,1.0]", "temporal.first_steps=40")
    changes = config.temporal.first_frame(config, (64, 96))
    assert (changes["schedule"].scales, changes["steps"]) == ([0.5, 1.0], 40)
    assert config.temporal.first_frame(config, (128, 128))["schedule"].scales == [0.25, 0.5, 1.0]
    assert composed("temporal=independent").temporal.first_frame(config, (64, 64)) == {}
    assert config.frame_config(content="a.png").schedule.scales == [1.0]


def test_the_settings_of_a_frame_are_those_of_a_picture():
    frame = composed("steps=7", "output=film.mp4").frame_config(content="a.png")
    assert type(frame) is Config
    assert (frame.content, frame.steps, frame.output) == ("a.png", 7, None)
    assert {each.name for each in dataclasses.fields(Config)} < {each.name for each in dataclasses.fields(VideoConfig)}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (lambda: VideoConfig(video="a.mp4", content="a.png"), r"^content: the frames of video take its place"),
        (lambda: VideoConfig(video="a.mp4", output="film.avi"), r"^output=film\.avi: must end in \.mp4 or \.mkv"),
        (lambda: VideoConfig(video="a.mp4", flow=Flow(method="exact")), r"^flow\.method=exact: only a made-up scene"),
        (lambda: Temporal(offsets=[2, 1]), r"^temporal\.offsets=\[2, 1\]: must be rising"),
        (lambda: Temporal(offsets=[]), r"^temporal\.offsets=\[\]: must be rising"),
        (lambda: Temporal(passes=2, offsets=[1, 2]), r"^temporal\.offsets=\[1, 2\]: with temporal\.passes=2"),
        (lambda: Temporal(scene_cut=1), r"^temporal\.scene_cut=1\.0: must be at least 0 and below 1"),
        (lambda: Temporal(first_steps=0), r"^temporal\.first_steps=0: must be at least 1"),
        (lambda: Temporal(first_scales=[1.0, 0.5]), r"^temporal\.first_scales=\[1\.0, 0\.5\]: must be factors above 0"),
        (lambda: Temporal(first_scales=[]), r"^temporal\.first_scales=\[\]: must be factors above 0"),
        (lambda: Frames(rate=0), r"^frames\.rate=0"),
        (lambda: Frames(stride=0), r"^frames\.stride=0: must be at least 1"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_in_one_line(settings, message):
    with pytest.raises(InputError, match=message) as error:
        settings()
    assert "\n" not in str(error.value)

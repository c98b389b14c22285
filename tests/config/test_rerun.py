"""The texts in a picture lead back to the run that made it: settings, classes, inputs, weights."""

import dataclasses
import itertools
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nst_tf import stylize
from nst_tf.backbones import VGG16, VGG19
from nst_tf.config.composing import compose_config, expand_rerun
from nst_tf.config.recorded_text import COMPONENT_TABLES, CONFIG, RUN, VERSIONS, picture_text
from nst_tf.config.settings import to_yaml
from nst_tf.images import Canvas, read_picture, read_text, write_picture
from nst_tf.losses import GramLoss
from nst_tf.observers import Metrics, Observer
from nst_tf.optimizers import SGD, Adam
from nst_tf.system.runtime import Precision
from nst_tf.util.errors import InputError


@pytest.fixture
def written(tmp_path, pictures):
    """Writes a picture as a run of a config would, without running it."""

    def write(config, **record):
        sources = {"content": config.content, **{f"style:{n}": s for n, s in enumerate(config.styles, start=1)}}
        inputs = {
            role: {"source": source, "sha256": read_picture(source).sha256}
            for role, source in sources.items()
            if source
        }
        inputs |= record.pop("starts", {})
        record = {"inputs": inputs, "weights": None, "precision": "float32", "size_factor": 1.0} | record
        text = picture_text(to_yaml(config), {name: getattr(config, name) for name in COMPONENT_TABLES}, record)
        path = tmp_path / "made, by=this one.png"
        write_picture(path, np.zeros((20, 20, 3)), text=text)
        return path

    return write


def as_used(config):
    """A config as it is repeated: under another name, in the precision that `written` says."""
    config = dataclasses.replace(config, name="composed")
    config.runtime = dataclasses.replace(config.runtime, precision=Precision.float32)
    return config


EXPERIMENTS = [
    ["experiment=gatys2016"],
    ["experiment=crowsonkb"],
    ["experiment=malathi", "seed=7"],
    ["experiment=texture_synthesis", "content=null"],
    ["experiment=nguyen_le", "backbone=resnet50", "layers=stages4", "tracking=quiet"],
    ["loss=sliced_wasserstein", "optimizer=sgd", "+schema/loss@losses.grain=gram", "losses.grain.layers=[conv1_2]"],
    ["image.colour=luminance", "image.start=[content,noise]", "runtime.threads=1", "steps=3"],
    ["method=recolour"],
]


@pytest.mark.parametrize("overrides", EXPERIMENTS, ids=lambda overrides: overrides[0])
def test_a_picture_composes_to_the_config_that_made_it(overrides, written, pictures):
    config = compose_config(f"content={pictures[0]}", f"style={pictures[1]}", *overrides)
    assert compose_config(f"rerun={written(config)}") == as_used(config)


def test_a_picture_with_the_colours_of_a_third_one_composes_until_that_one_changes(written, pictures, tmp_path):
    third = tmp_path / "third.png"
    third.write_bytes(Path(pictures[1]).read_bytes())
    sources = f"content={pictures[0]}", f"style={pictures[1]}", "image.colour=linear", f"image.colour_from={third}"
    config = compose_config(*sources)
    recorded = {"colour_from": {"source": str(third), "sha256": read_picture(str(third)).sha256}}
    path = written(config, starts=recorded)
    assert compose_config(f"rerun={path}") == as_used(config)
    third.write_bytes(Path(pictures[0]).read_bytes())
    with pytest.raises(InputError, match=r"its image.colour_from '.*third.png' has changed since"):
        compose_config(f"rerun={path}")


def test_a_feedforward_picture_composes_to_the_config_that_made_it(written, pictures):
    config = compose_config("experiment=library_one_style", f"content={pictures[0]}", f"style={pictures[1]}")
    again = compose_config(f"rerun={written(config)}")
    assert again == dataclasses.replace(config, name="composed")


def test_typed_settings_override_those_of_the_picture(written, pictures):
    config = compose_config(
        f"content={pictures[0]}", f"style={pictures[1]}", "optimizer=sgd", "backbone=vgg19", "steps=3"
    )
    path = written(config)
    again = compose_config(f"rerun={path}", "steps=9", "losses.style.weight=5", "backbone.pooling=average")
    expected = as_used(dataclasses.replace(config, steps=9))
    expected.losses["style"] = dataclasses.replace(config.losses["style"], weight=5.0)
    expected.backbone = VGG19(pooling="average", seed=0)
    assert again == expected


def test_a_typed_group_replaces_the_group_of_the_picture(written, pictures):
    config = compose_config(f"content={pictures[0]}", f"style={pictures[1]}", "optimizer=sgd", "optimizer.momentum=0.5")
    path = written(config)
    assert compose_config(f"rerun={path}").optimizer == SGD(momentum=0.5)
    assert compose_config(f"rerun={path}", "optimizer=adam").optimizer == Adam()
    assert compose_config(f"rerun={path}", "backbone=vgg16").backbone == VGG16()
    assert compose_config(f"rerun={path}", "tracking=quiet").tracking == {"metrics": Metrics()}


def test_seeds_that_equal_the_run_seed_change_with_it(written, pictures):
    common = [f"content={pictures[0]}", f"style={pictures[1]}", "loss=sliced_wasserstein", "seed=4"]
    followed = compose_config(f"rerun={written(compose_config(*common))}", "seed=5")
    assert (followed.seed, followed.backbone.seed, followed.losses["style"].seed) == (5, 5, 5)
    fixed = compose_config(f"rerun={written(compose_config(*common, 'backbone.seed=9'))}", "seed=5")
    assert (fixed.seed, fixed.backbone.seed) == (5, 9)


@pytest.mark.parametrize("name", ["a${seed}.png", "it's [a], {b: c}.png", "\\${x}.png", "null", "1e3", "ü 画.png"])
def test_file_names_with_special_characters_are_read_back(name, written, pictures, small_config, tmp_path):
    path = tmp_path / name
    path.write_bytes(Path(pictures[0]).read_bytes())
    config = small_config(content=str(path))
    assert compose_config(f"rerun={written(config)}").content == str(path)


def test_a_picture_that_was_shrunk_to_fit_memory_keeps_its_size(written, small_config):
    path = written(small_config(image=Canvas(size=400, style_size=200, fit_memory=True)), size_factor=0.5)
    image = compose_config(f"rerun={path}").image
    assert (image.size, image.style_size, image.height) == (200, 100, None)


def test_the_precision_is_the_one_that_was_used(written, small_config):
    path = written(small_config(), precision="mixed_bfloat16")
    assert compose_config(f"rerun={path}").runtime.precision is Precision.mixed_bfloat16
    assert compose_config(f"rerun={path}", "runtime.precision=auto").runtime.precision is Precision.auto


def test_a_picture_that_has_moved_or_changed_is_one_line_with_the_remedy(written, small_config, pictures, tmp_path):
    content, style = tmp_path / "content.png", tmp_path / "style.png"
    for source, path in zip(pictures, (content, style), strict=True):
        path.write_bytes(Path(source).read_bytes())
    config = small_config(content=str(content), style=[str(style), pictures[1]])
    path = written(config)
    moved = content.rename(tmp_path / "moved.png")
    refuses(path, [], "content", "content.png", "cannot be read here", "content=NEWPATH")
    assert compose_config(f"rerun={path}", f"content={moved}").content == str(moved)
    moved.rename(content)
    Image.new("RGB", (20, 20)).save(style)
    refuses(path, [], "style", "style.png", "has changed since", "'style=[NEWPATH,…]'")
    again = compose_config(f"rerun={path}", f"style=[{style},{pictures[1]}]")
    assert again.styles == config.styles


def refuses(path, typed, *words):
    with pytest.raises(InputError) as error:
        compose_config(f"rerun={path}", *typed)
    line = str(error.value)
    assert line.startswith("rerun=")
    assert "\n" not in line
    assert all(word in line for word in words), line


def test_changed_weights_are_refused_until_they_are_typed(written, small_config, tmp_path):
    file = tmp_path / "weights.h5"
    file.write_bytes(b"some")
    config = small_config(backbone=VGG19(weights=str(file)))
    path = written(config, weights=config.backbone.identity())
    assert compose_config(f"rerun={path}") == as_used(config)
    file.write_bytes(b"others")
    refuses(path, [], "weights.h5", "have changed since", "backbone.weights=")
    assert compose_config(f"rerun={path}", f"backbone.weights={file}").backbone == config.backbone
    file.unlink()
    refuses(path, [], "weights.h5", "not found", "backbone.weights=NEWPATH")


def test_changed_feedforward_weights_are_refused(written, pictures, saved_model, tmp_path):
    typed = [f"content={pictures[0]}", f"style={pictures[1]}", f"feedforward.weights={saved_model}"]
    config = compose_config("experiment=library_one_style", *typed)
    path = written(config, weights=config.feedforward.identity())
    assert compose_config(f"rerun={path}").feedforward == config.feedforward
    path = written(config, weights=config.feedforward.identity() | {"sha256": "0"})
    refuses(path, [], "have changed since", "feedforward.weights=")


@pytest.mark.parametrize(
    "group", ["experiment=gatys2016", "sweep=pooling", "loss=gatys", "layers=gatys", "weights=gatys"]
)
def test_groups_that_set_several_settings_are_refused(group, written, small_config):
    refuses(written(small_config()), [group], group.partition("=")[0], "losses.style.weight=10")


def test_a_class_that_is_not_in_the_table_is_refused(written, small_config):
    class Unregistered(GramLoss):
        pass

    path = written(small_config(losses={"mine": Unregistered(layers=["conv1_1"])}))
    refuses(path, [], "losses.mine", "class that nst_tf does not contain", "gram")


def test_an_observer_that_is_not_in_the_table_can_be_replaced(written, small_config):
    class Unregistered(Observer):
        pass

    path = written(small_config(tracking={"mine": Unregistered()}))
    refuses(path, [], "tracking.mine")
    assert compose_config(f"rerun={path}", "tracking=quiet").tracking == {"metrics": Metrics()}


def test_a_newer_versions_picture_is_refused(written, small_config):
    path = written(small_config())
    text = read_text(path)
    write_picture(path, np.zeros((20, 20, 3)), text=text | {VERSIONS: "nst_tf 99.0.1\npython 3.11"})
    refuses(path, [], "nst_tf 99.0.1", "newer")


@pytest.mark.parametrize(
    "damage", [{RUN: "{"}, {RUN: "[]"}, {CONFIG: "- a"}, {CONFIG: "a: ["}, {CONFIG: "a: b"}, {RUN: "{}"}]
)
def test_damaged_text_is_refused_in_one_line(damage, written, small_config):
    path = written(small_config())
    write_picture(path, np.zeros((20, 20, 3)), text=read_text(path) | damage)
    refuses(path, [], "damaged")


def with_text(path, keyword, edit):
    """Replace one text of a picture by what ``edit`` makes of it."""
    text = read_text(path)
    write_picture(path, np.zeros((20, 20, 3)), text=text | {keyword: edit(text[keyword])})
    return path


HYDRA = """
hydra:
  callbacks: {{x: {{_target_: nst_tf.util.files.write_text, path: {victim}, text: written}}}}
  run: {{dir: {victim}}}
"""


@pytest.mark.parametrize(
    ("appended", "words"),
    [
        (HYDRA, "'hydra' is no setting of a run"),
        ("hydra.run.dir: {victim}", "'hydra.run.dir' is no setting of a run"),
        ("defaults: [{{override /hydra/job_logging: none}}]", "'defaults' is no setting of a run"),
        ("_target_: nst_tf.util.files.write_text", "'_target_' is no setting of a run"),
        ("steps@_global_: 3", "is no setting of a run"),
        ("unknown: 1", "'unknown' is no setting of a run"),
        ("seed: !!python/object/apply:os.system [ls]", "it is not YAML"),
        ("a: &a [x]\nb: *a", "anchors"),
        ("seed: 2020-01-01", "no plain data (date)"),
        ("7: 1", "no plain data"),
        ("printed: {{_target_: {{value: 1}}}}", "'_target_' is no name of a loss"),
        ("printed: {{'a@hydra.run': {{value: 1}}}}", "is no name of a loss"),
        ("style_count: many", "style_count is no integer"),
    ],
)
def test_a_text_that_sets_more_than_a_run_has_is_refused_and_executes_nothing(
    appended, words, written, small_config, tmp_path
):
    victim = tmp_path / "victim"
    path = written(small_config())
    refuses(with_text(path, CONFIG, lambda text: text + appended.format(victim=victim)), [], "damaged", words)
    assert not victim.exists()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "  learning_rate: 0.02",
            "  learning_rate: 0.02\n  _target_: os.system",
            "its optimizer has settings that Adam",
        ),
        ("  learning_rate: 0.02", "  learning_rate: -1", "optimizer.learning_rate"),
        ("  learning_rate: 0.02", "  learning_rate: [1]", "optimizer.learning_rate"),
        ("optimizer:", "optimizer: 3\nmistaken:", "is no setting of a run"),
        ("  pooling: max", "  pooling: ???", "missing value"),
        ("  style:\n    weight: 10.0", "  _target_:\n    weight: 10.0", "the classes of losses do not belong"),
    ],
)
def test_a_value_that_its_class_does_not_take_is_refused(old, new, words, written, small_config):
    def edit(text):
        assert text.count(old) == 1
        return text.replace(old, new)

    refuses(with_text(written(small_config()), CONFIG, edit), [], words)


def test_a_text_of_great_size_or_depth_is_refused_at_once(written, small_config):
    path = written(small_config())
    deep, long = "style: " + "[" * 1000, "name: " + "x" * 2**20
    refuses(with_text(path, CONFIG, lambda _: deep), [], "damaged")
    refuses(with_text(path, CONFIG, lambda _: long), [], "at most 1048576 are read")
    bomb = "a: &a [x,x]\n" + "".join(f"{b}: &{b} [*{a},*{a}]\n" for a, b in itertools.pairwise("abcdefghijklmnop"))
    refuses(with_text(path, CONFIG, lambda _: bomb), [], "anchors")
    refuses(with_text(path, RUN, lambda _: '{"a":' * 9000), [], "damaged")


def test_settings_that_disagree_with_the_recorded_hashes_are_refused(written, small_config, pictures, tmp_path):
    start = tmp_path / "start.png"
    start.write_bytes(Path(pictures[1]).read_bytes())
    known, other = '"content": {"source"', '"extra": {"source": "a", "sha256": "b"}, '
    edits = {
        "content": (CONFIG, pictures[0], "/etc/hostname"),
        "style": (CONFIG, pictures[1], pictures[0]),
        "start": (CONFIG, "start: content", f"start: {start}"),
        "weights": (CONFIG, "weights: random", "weights: /etc/hostname"),
        "extra": (RUN, known, other + known),
    }
    for role, (keyword, old, new) in edits.items():
        config = small_config()
        path = written(config, weights=config.backbone.identity())
        assert read_text(path)[keyword].count(old) == 1
        edited = with_text(path, keyword, lambda text, old=old, new=new: text.replace(old, new))
        refuses(edited, [], role, "of which a hash was recorded")


@pytest.mark.parametrize(
    "edit",
    [
        lambda run: run | {"kinds": run["kinds"] | {"losses": "gram"}},
        lambda run: run | {"kinds": run["kinds"] | {"optimizer": {"a": "adam"}}},
        lambda run: run | {"kinds": run["kinds"] | {"optimizer": 3}},
        lambda run: run | {"precision": "hydra"},
        lambda run: run | {"size_factor": 0},
        lambda run: run | {"size_factor": "1"},
        lambda run: run | {"inputs": {"content": {"source": 3, "sha256": ""}}},
        lambda run: run | {"inputs": ["content"]},
        lambda run: run | {"weights": {"weights": "random"}},
        lambda run: run | {"status": 3},
    ],
)
def test_facts_of_a_wrong_type_are_refused(edit, written, small_config):
    path = written(small_config())
    refuses(with_text(path, RUN, lambda text: json.dumps(edit(json.loads(text)))), [], "damaged")


def test_a_version_of_endless_digits_is_no_newer_version_of_another_kind(written, small_config):
    path = with_text(written(small_config()), VERSIONS, lambda _: "nst_tf " + "9" * 5000)
    refuses(path, [], "newer than this one")


@pytest.mark.timeout(20)
def test_a_pipe_or_a_device_is_no_picture(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "pipe.png", "/dev/zero"):
        with pytest.raises(InputError, match="is not a regular file; give a PNG file"):
            compose_config(f"rerun={path}")


def test_pictures_of_another_kind_are_refused(tmp_path, pictures):
    refuses(pictures[0], [], "does not say how it was made")
    refuses(tmp_path, [], "no stylized.png in that folder")
    Image.new("RGB", (20, 20)).save(tmp_path / "a.jpg")
    for path, words in {tmp_path / "a.jpg": "Not a readable PNG", tmp_path / "none.png": "No such picture"}.items():
        with pytest.raises(InputError, match=words):
            compose_config(f"rerun={path}")


def test_several_pictures_are_refused(written, small_config):
    path = written(small_config())
    for typed in ([f"rerun={path}", f"rerun={path}"], ["rerun=a.png,b.png"], ["rerun=3"]):
        with pytest.raises(InputError, match="give one picture or run folder"):
            expand_rerun(typed)
    assert expand_rerun(["rerun=null", "-m"]) == (["rerun=null", "-m"], "")


@pytest.mark.slow
def test_a_run_folder_stands_for_its_picture(small_config, tmp_path):
    config = small_config(image=Canvas(size=32, start="noise"), seed=3)
    result = stylize(config, tmp_path / "run")
    again = stylize(compose_config(f"rerun={tmp_path / 'run'}"), tmp_path / "again")
    assert again.record["fingerprint"] == result.record["fingerprint"]
    pixels = [read_picture(str(folder.picture)).pixels for folder in (result.folder, again.folder)]
    np.testing.assert_array_equal(*pixels)


def test_the_picture_of_an_interrupted_run_gives_a_warning(written, small_config, caplog):
    path = written(small_config(), status="interrupted", steps=2)
    assert compose_config(f"rerun={path}").steps == 4
    expected = "the recorded run was interrupted at step 2. This run starts at step 0 and takes all its steps."
    assert caplog.messages == [f"rerun={path}: {expected}"]


def test_a_start_picture_that_has_changed_is_named(written, small_config, pictures, tmp_path):
    start = tmp_path / "start.png"
    start.write_bytes(Path(pictures[1]).read_bytes())
    config = small_config(image=Canvas(size=32, start=str(start)))
    path = written(config, starts={"start:1": {"source": str(start), "sha256": read_picture(str(start)).sha256}})
    assert compose_config(f"rerun={path}").image == config.image
    Image.new("RGB", (20, 20)).save(start)
    refuses(path, [], "start.png", "has changed since", "image.start=NEWPATH")
    assert compose_config(f"rerun={path}", "image.start=noise").image.start == "noise"


def test_the_text_says_how_the_run_ended(small_config, tmp_path):
    stylize(small_config(), tmp_path / "run")
    run = json.loads(read_text(tmp_path / "run" / "stylized.png")[RUN])
    assert (run["status"], run["steps"], run["kinds"]["losses"]) == (
        "completed",
        4,
        {"content": "content", "style": "gram", "total_variation": "total_variation"},
    )

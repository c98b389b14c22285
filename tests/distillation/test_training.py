"""A whole training: its run folder, its progress, and its continuation after an interruption."""

import contextlib
import csv
import json
import signal

import numpy as np
import pytest
import tensorflow as tf

from nst_tf.api import distill
from nst_tf.backbones import VGG19Lite, hdf5
from nst_tf.distillation.building import build_trainer, export, exported_size, read_training_pictures
from nst_tf.distillation.matching import apply_head, feature_error
from nst_tf.distillation.student import FEATURE_SCALE, TAPS, Student
from nst_tf.distillation.trainer import Trainer
from nst_tf.observers import OBSERVERS
from nst_tf.runs.events import Finished
from nst_tf.runs.folder import TEXT_RESERVE
from nst_tf.util.errors import InputError


def rows(folder):
    with (folder / "metrics.csv").open() as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory, small):
    """A finished training with every observer: folder, result and settings."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    settings = small(
        steps=6,
        half_stylised=2,
        advance_every=2,
        direction=0.1,
        tracking={name: kind(every=2) for name, kind in OBSERVERS.items() if name != "progress"},
    )
    return folder, distill(settings, folder), settings


@pytest.mark.slow
def test_a_training_leaves_weights_a_record_and_the_observers_files(trained):
    folder, result, _ = trained
    assert result.status == "completed"
    record = json.loads((folder / "run.json").read_text())
    assert record == result.record
    assert (record["steps"], record["inputs"]) == (6, {"photographs": 3, "paintings": 1})
    assert (record["weights"]["name"], record["precision"]) == ("vgg19", "float32")
    assert list(folder.glob("events*"))
    shown = [path.name for path in sorted((folder / "snapshots").iterdir())]
    assert shown == [f"step_{n:06d}.png" for n in (2, 4, 6)]
    names = list(rows(folder)[0])
    assert names[4:6] == ["features", "features/raw"]
    assert names[-2:] == ["direction", "direction/raw"]


@pytest.mark.slow
def test_the_exported_weights_load_as_vgg19_lite(trained):
    folder, result, _ = trained
    extractor = VGG19Lite(weights=str(folder / "vgg19_lite.weights.h5")).extractor(["conv1_2", "conv5_1"])
    features = extractor(tf.random.uniform((1, 32, 32, 3), seed=1))
    assert all(np.isfinite(x.numpy()).all() for x in features.values())
    assert VGG19Lite(weights=str(result.folder.weights)).identity()["sha256"] == result.record["sha256"]


@pytest.mark.slow
def test_the_total_is_the_sum_of_the_weighted_terms(trained):
    folder, _, settings = trained
    for row in rows(folder):
        assert row["total"] == pytest.approx(row["features"] + row["gram"] + row["direction"], rel=1e-5)
        assert row["features/raw"] == pytest.approx(np.mean([row[f"features/{tap}"] for tap in TAPS]), rel=1e-5)
        assert row["gram"] == pytest.approx(settings.gram * row["gram/raw"], rel=1e-5)


@pytest.mark.slow
def test_a_finished_training_is_not_repeated(trained):
    folder, _, settings = trained
    assert distill(settings, folder).reason.startswith("already done")


@pytest.mark.slow
def test_a_training_of_other_settings_is_refused_in_the_same_folder(trained, small):
    folder, _, _ = trained
    with pytest.raises(InputError, match="holds a run of other settings"):
        distill(small(seed=1), folder)


@pytest.mark.slow
def test_training_lowers_the_feature_error(small):
    """The mean error over the layers, on crops of the training pictures, falls by at least a tenth."""
    settings = small(steps=100, half_stylised=0, learning_rate=5e-4, gram=0.0)
    pictures = read_training_pictures(settings)
    trainer = build_trainer(settings, pictures, [1])
    teacher = settings.teacher.extractor(TAPS)
    x = tf.constant(pictures.photographs.draw(12, np.random.default_rng(77)))

    def error():
        narrow, wide = trainer.student(x), teacher(x)
        F = {tap: apply_head(narrow[tap], trainer.student.heads[tap].value) for tap in TAPS}
        return np.mean([feature_error(F[tap], wide[tap] / FEATURE_SCALE) for tap in TAPS])

    before = error()
    *_, last = trainer.run()
    assert isinstance(last, Finished)
    assert error() < 0.9 * before


@pytest.fixture
def at_step_3(monkeypatch):
    """Context manager that calls a function before the fourth step of a training."""
    advance = Trainer._advance

    @contextlib.contextmanager
    def patched(function):
        def call_and_advance(self):
            if self.step == 3:
                function()
            advance(self)

        with monkeypatch.context() as patch:
            patch.setattr(Trainer, "_advance", call_and_advance)
            yield

    return patched


@pytest.fixture(scope="module")
def uninterrupted(small, tmp_path_factory):
    """Result of a short training without interruption."""
    return distill(small(), tmp_path_factory.mktemp("uninterrupted") / "run")


def kill():
    raise RuntimeError("killed")


def assert_same_training(one, other):
    """Check that weights and metrics are equal bit for bit."""
    assert one.record["sha256"] == other.record["sha256"]
    tables = [[row | {"seconds": 0} for row in rows(result.folder.path)] for result in (one, other)]
    assert tables[0] == tables[1]


@pytest.mark.slow
def test_a_killed_training_resumes_bit_for_bit(small, uninterrupted, tmp_path, at_step_3):
    with at_step_3(kill), pytest.raises(RuntimeError, match="killed"):
        distill(small(), tmp_path / "run")
    assert_same_training(distill(small(), tmp_path / "run"), uninterrupted)


@pytest.mark.slow
def test_an_interrupted_training_leaves_weights_and_resumes_bit_for_bit(small, uninterrupted, tmp_path, at_step_3):
    with at_step_3(lambda: signal.raise_signal(signal.SIGINT)):
        stopped = distill(small(), tmp_path / "run")
    assert (stopped.status, stopped.record["steps"]) == ("interrupted", 3)
    assert stopped.folder.weights.exists()
    assert_same_training(distill(small(), tmp_path / "run"), uninterrupted)


@pytest.mark.slow
def test_a_checkpoint_with_a_missing_array_is_refused_with_its_name(small, tmp_path, at_step_3):
    with at_step_3(kill), pytest.raises(RuntimeError, match="killed"):
        distill(small(), tmp_path / "run")
    path = tmp_path / "run" / "checkpoints" / "latest.npz"
    np.savez(path, **{name: array for name, array in np.load(path).items() if name != "averages/2"})
    with pytest.raises(InputError, match=r"checkpoint does not fit this run \('averages/2'\): delete it"):
        distill(small(), tmp_path / "run")


@pytest.mark.slow
def test_exported_taps_give_the_distances_of_the_heads(small, tmp_path):
    """Distances of features and Gram matrices agree in the heads' and in the exported channels."""
    settings = small()
    pictures = read_training_pictures(settings)
    student = build_trainer(settings, pictures, [1]).student
    export(student, tmp_path / "lite.weights.h5")
    generator = np.random.default_rng(3)
    pair = [tf.constant(pictures.photographs.draw(1, generator)) for _ in range(2)]
    lite = VGG19Lite(weights=str(tmp_path / "lite.weights.h5")).extractor(TAPS)
    for tap in TAPS:
        head = FEATURE_SCALE * student.heads[tap].numpy()
        wide = [student(x)[tap].numpy() @ head[:-1] + head[-1] for x in pair]
        folded = [lite(x)[tap].numpy() for x in pair]
        for kept, expected in zip(distances(*folded), distances(*wide), strict=True):
            np.testing.assert_allclose(kept, expected, rtol=0.02)  # float16


def distances(a, b):
    A, B = (x.reshape(-1, x.shape[-1]).astype(np.float64) for x in (a, b))
    return np.linalg.norm(A - B), np.linalg.norm(A.T @ A - B.T @ B)


def test_exported_weights_fit_into_the_space_reserved_for_them(tmp_path):
    student = Student(dict.fromkeys(TAPS, 400), "float32")
    export(student, tmp_path / "lite.weights.h5")
    size = (tmp_path / "lite.weights.h5").stat().st_size
    assert 0.5 * exported_size(student) < size < exported_size(student) + TEXT_RESERVE


def test_equal_weights_give_equal_files(small, tmp_path):
    student = Student(dict.fromkeys(TAPS, 400), "float32")
    for name in ("a", "b"):
        hdf5.write(tmp_path / name, student.weights())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["photographs={empty}"], "no picture in it"),
        (["photographs={photographs}", "teacher.weights=/nowhere.h5"], "Weights file '/nowhere.h5' not found"),
        (["photographs={photographs}", "teacher=vgg16"], "backbone@teacher=NAME"),
        (["photographs={photographs}", "steps=0"], "steps=0: must be at least 1"),
        (["photographs={photographs}", "backbone@teacher=vgg16", "teacher.weights=random"], "Unknown layer 'conv3_4'"),
        ([], "photographs is missing"),
    ],
)
def test_bad_input_is_refused_in_one_line_and_leaves_no_folder(arguments, message, photographs, tmp_path, in_server):
    (tmp_path / "empty").mkdir()
    filled = ["steps=1"] + [text.format(empty=tmp_path / "empty", photographs=photographs) for text in arguments]
    code, _, error = in_server("nst_tf.cli.main:main", "distill", words=[*filled, f"hydra.run.dir={tmp_path}/run"])
    assert code == 2, error
    assert error.count("\n") == 1
    assert error.startswith("error: ")
    assert message in error
    assert not (tmp_path / "run").exists()

"""Fixtures of all tests: small pictures, a small experiment, and real weights and photographs where available."""

import contextlib
import gc
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from nst_tf import Config
from nst_tf.backbones import VGG19
from nst_tf.config.settings import recorded_settings
from nst_tf.images import Canvas, read_picture, write_picture
from nst_tf.losses import ContentLoss, GramLoss, TotalVariationLoss
from nst_tf.observers import OBSERVERS, Metrics, ordered_observers
from nst_tf.optimization.cache import RunCache
from nst_tf.optimizers import Adam
from nst_tf.runs.events import Finished, Iterate, Progressed
from nst_tf.runs.folder import RunFolder
from nst_tf.runs.record import first_record
from nst_tf.runs.session import Session, run_lock
from nst_tf.system.measurement import CACHE_VARIABLE, MEASURE_VARIABLE
from nst_tf.system.runtime import Precision, Runtime
from nst_tf.util.lazy import tf
from tests.command_line import CommandLine
from tests.forked_scripts import ForkedScripts


@pytest.fixture(scope="session", autouse=True)
def no_measurements(tmp_path_factory):
    """Keep all tests, and the commands that they start, from timing convolutions and from the user's cache folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(MEASURE_VARIABLE, "0")
        patch.setenv(CACHE_VARIABLE, str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def fast_collections_and_composition():
    """Leave TensorFlow's modules out of garbage collections, and let PyYAML parse configs in C if it can."""
    gc.collect()
    gc.freeze()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml, "SafeLoader", getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        yield


SERVER = """
import contextlib, importlib, io, json, os, sys
for line in sys.stdin:
    function, arguments, words, folder = json.loads(line)
    module, _, name = function.partition(":")
    sys.argv = ["command", *words]
    os.chdir(folder)
    out, error = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        try:
            code = getattr(importlib.import_module(module), name)(*arguments)
        except SystemExit as end:
            code = end.code
    print(json.dumps([code, out.getvalue(), error.getvalue()]), flush=True)
"""


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """One process that runs many commands, so that TensorFlow is imported once; a line of JSON asks and answers."""
    folder, pipe = tmp_path_factory.mktemp("server"), subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", SERVER], cwd=folder, stdin=pipe, stdout=pipe, text=True) as process:
        yield process


@pytest.fixture(scope="session")
def forked_scripts():
    """Starts Python scripts in processes of their own that need not import TensorFlow."""
    scripts = ForkedScripts()
    yield scripts
    scripts.close()


@pytest.fixture(scope="session")
def command_lines(pictures, forked_scripts):
    """Function that returns the command line in a given folder, for fixtures of a wider scope."""
    return lambda folder: CommandLine(folder, pictures, forked_scripts.start)


@pytest.fixture
def command_line(tmp_path, command_lines):
    return command_lines(tmp_path)


@pytest.fixture
def in_server(server, tmp_path):
    """Function that calls ``module:function`` in the server with a command line, in ``tmp_path``.

    It returns exit code, stdout and stderr.
    """

    def run(function, *arguments, words=()):
        server.stdin.write(json.dumps([function, arguments, [str(word) for word in words], str(tmp_path)]) + "\n")
        server.stdin.flush()
        return json.loads(server.stdout.readline())

    return run


class SharedCache(RunCache):
    """A cache that keeps every network and compiled step; targets are computed for each run."""

    def begin_run(self):
        self._objectives.clear()


@pytest.fixture(scope="module")
def shared_cache():
    return SharedCache(keeps=True)


@pytest.fixture
def compiled_once(shared_cache, monkeypatch):
    """Let all runs of a module that are given no cache share one, so that each form of a run is compiled once."""
    monkeypatch.setattr("nst_tf.api.RunCache", lambda: shared_cache)


@pytest.fixture(scope="session")
def shared():
    """The folder of real weights and photographs; tests that need it are skipped without it."""
    folder = os.environ.get("NST_TF_SHARED")
    if not folder or not Path(folder).is_dir():
        pytest.skip("needs real weights and photographs: set NST_TF_SHARED")
    return Path(folder)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """Paths of a content and a style picture of 40x32 pixels with some structure."""
    folder = tmp_path_factory.mktemp("pictures")
    rows, columns = np.mgrid[0:32, 0:40]
    content = np.stack([rows * 8, columns * 6, (rows + columns) * 3], axis=2)
    style = np.stack([128 + 100 * np.sin(rows), 128 + 100 * np.cos(columns / 2), 255 * ((rows // 4) % 2)], axis=2)
    for name, pixels in {"content": content, "style": style}.items():
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{name}.png")
    return str(folder / "content.png"), str(folder / "style.png")


class TinyStyliser:
    """A small network with Magenta's interface, in NumPy and in TensorFlow.

    A vector of the style picture s scales and shifts the content picture x: ``v = mean(s) A + mean(s²) B`` and
    ``picture = sigmoid(x · (v C) + v D)``. With ``coarse``, every fourth pixel of x stands for a square of 4x4 pixels,
    so that the sizes of the result are rounded up to multiples of four.
    """

    def __init__(self, seed=3):
        generator = np.random.default_rng(seed)
        shapes = [(3, 5), (3, 5), (5, 3), (5, 3)]
        self.matrices = [generator.normal(0, 2, shape).astype(np.float32) for shape in shapes]

    def predict(self, style, xp=np):
        first, second, *_ = self.matrices
        mean = np.mean if xp is np else tf.reduce_mean
        means, squares = (mean(x, (1, 2), keepdims=True) for x in (style, style * style))
        return means @ first + squares @ second

    def transfer(self, content, vector, coarse=False, xp=np):
        *_, scale, shift = self.matrices
        x = xp.repeat(xp.repeat(content[:, ::4, ::4], 4, axis=1), 4, axis=2) if coarse else content
        return 1 / (1 + xp.exp(-(x * (vector @ scale) + vector @ shift)))

    def save(self, folder):
        """Write a SavedModel with the signature of the one on TensorFlow Hub: two pictures to one, coarse."""
        module = tf.Module()
        module.kept = [tf.Variable(matrix) for matrix in self.matrices]
        inner = TinyStyliser()
        inner.matrices = module.kept
        picture = tf.TensorSpec((None, None, None, 3), tf.float32)

        @tf.function(input_signature=[picture, picture])
        def stylise(placeholder, placeholder_1):
            vector = tf.function(lambda style: inner.predict(style, tf))(placeholder_1)
            return [inner.transfer(placeholder, vector, True, tf)]

        tf.saved_model.save(module, str(folder), signatures=stylise)
        return folder


@pytest.fixture(scope="session")
def tiny_styliser():
    return TinyStyliser()


@pytest.fixture(scope="session")
def saved_model(tiny_styliser, tmp_path_factory):
    """Path of a SavedModel of the small network."""
    return tiny_styliser.save(tmp_path_factory.mktemp("library") / "saved_model")


@pytest.fixture
def small_config(pictures):
    """Function that returns the config of a run of about a second: random VGG-19 up to conv2_1, 32 pixels."""

    def build(**changes):
        content, style = pictures
        fields = {
            "content": content,
            "style": style,
            "steps": 4,
            "backbone": VGG19(weights="random"),
            "losses": {
                "content": ContentLoss(layers=["conv2_1"]),
                "style": GramLoss(layers=["conv1_1", "conv2_1"], weight=10.0),
                "total_variation": TotalVariationLoss(weight=0.1),
            },
            "optimizer": Adam(learning_rate=0.02),
            "image": Canvas(size=32, margin=0),
            "runtime": Runtime(precision=Precision.float32),
            "tracking": {name: kind(every=1) for name, kind in OBSERVERS.items() if name != "progress"},
        }
        return Config(**(fields | changes))

    return build


@pytest.fixture(scope="session")
def made_up_run(pictures):
    """Function that writes the folder of a run with invented losses, through the session and observers of a run."""

    def write(folder, overrides, totals=(4.0, 2.0, 1.0), status="completed", reason="", record=None, **changes):
        tracking = {"metrics": Metrics(every=1)}
        config = Config(content=pictures[0], style=pictures[1], tracking=tracking, **changes)
        names = {"content": pictures[0], "style:1": pictures[1]}
        inputs = {role: {"source": path, "sha256": read_picture(path).sha256} for role, path in names.items()}
        run = RunFolder(folder)
        settings = recorded_settings(config, overrides, [], None)
        observers = ordered_observers(config.tracking.values())
        session = Session(settings, observers, run, first_record(settings, "/CPU:0", inputs, None))
        session.begin(run.picture, 2304)
        iterates = [
            Iterate(n, len(totals), n + 1, 0.5 * n, total, 1.0, terms_of(total), picture_of(n), dict)
            for n, total in enumerate(totals)
        ]
        running = status == "running"
        end = Finished("interrupted" if running else status, reason or f"{len(totals)} steps", iterates[-1])
        observation = session.start_observing(list(terms_of(1.0)), None)
        session.observe(iter([*(Progressed(iterate) for iterate in iterates[:-1]), end]), observation)
        if running:  # a process holds the lock of the folder
            locks.enter_context(run_lock(run))
        else:
            write_picture(run.picture, end.iterate.picture())
            session.end(end, **({"height": 24, "width": 32, "peak_memory_mb": 500} | (record or {})))
        return run

    def terms_of(total):
        return {
            "content": total / 4,
            "content/raw": total / 4,
            "content/conv4_2": total / 4,
            "style": 0.75 * total,
            "style/raw": total / 100,
        }

    def picture_of(number):
        ramp = np.linspace(0, 1, 24 * 32 * 3, dtype=np.float32).reshape(24, 32, 3)
        return lambda: (ramp + 0.13 * number) % 1.0

    with contextlib.ExitStack() as locks:
        yield write

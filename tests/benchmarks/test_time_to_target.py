"""The race: who runs, with which target, what is recorded, and what a second command still has to do."""

import contextlib
import math

import pytest

from benchmarks import time_to_target
from benchmarks.benchmark import Benchmark, Pair
from benchmarks.ledger import Ledger
from benchmarks.peers import PEERS
from benchmarks.snapshots import PeerRun, Snapshot
from nst_tf.util.errors import InputError

PAIRS = (Pair("x/cat.png", "sample:night_swirls"), Pair("y/dog.jpg", "sample:wedges"))
SETTINGS = [setting.name for setting in PEERS["neural_style"].settings]
CONTESTANTS = [*SETTINGS, "nst_tf float32", "nst_tf bfloat16"]


class FakeSides:
    """Stands for the processes of both sides. A picture is a text file with its loss; the mirrored photograph's is 20.

    A run of L-BFGS in PyTorch saves the loss 10; Adam ends at 12. This program's snapshots have the losses 30, 20, 10,
    9.9, 9, in float32, and stop at 15 in bfloat16. All have taken half of their steps where they may stop.
    """

    def __init__(self, disagreements):
        self.calls, self._disagreements = [], disagreements

    @contextlib.contextmanager
    def worker_process(self):
        yield self.call

    def call(self, function, *arguments):
        name = function.rpartition(":")[2]
        self.calls.append((name, *arguments))
        return getattr(self, name)(*arguments)

    def write_peer_inputs(self, overrides, path):
        path.write_text(" ".join(overrides))

    def write_mirrored_content(self, overrides, path):
        path.write_text("20")

    def run_method(self, objective, inputs, method, steps, picture, every=0, target=-math.inf, most_seconds=math.inf):
        loss = 10.0 if method.solver == "lbfgs" else 12.0
        picture.write_text(str(loss))
        snapshots = [Snapshot(7.0, picture, loss)] if every else []
        return PeerRun(90.0, [(step, 1e3 / step) for step in range(1, steps + 1)], snapshots)

    def run_config(self, overrides, folder, every, stop_below=None):
        folder.mkdir()
        losses = [30, 20, 10, 9.9, 9] if "runtime.precision=float32" in overrides else [30, 20, 15]
        snapshots = [Snapshot(float(number), folder / f"{number}.png") for number in range(len(losses))]
        for snapshot, loss in zip(snapshots, losses, strict=True):
            snapshot.file.write_text(str(loss))
        steps = next(int(text.removeprefix("steps=")) for text in overrides if text.startswith("steps="))
        return PeerRun(9.0, [(steps // 2 if stop_below else steps, losses[-1])], snapshots)

    def converged_loss(self, objective, inputs, picture):
        return float(picture.read_text())

    def picture_losses(self, *arguments):
        if len(arguments) == 2:  # this program's side
            losses = [float(file.read_text()) for file in arguments[1]]
            return [loss * (1 + self._disagreements.get(loss, 0.0)) for loss in losses]
        losses, target = [], arguments[3]
        for file in arguments[2]:
            losses.append(float(file.read_text()))
            if target is not None and losses[-1] <= target:
                break
        return losses


@pytest.fixture
def race(tmp_path, monkeypatch):
    """Return a function that runs the race in one folder and returns its ledger and the calls.

    ``disagreements`` has the relative difference between both sides by the loss of a picture. The function's ``calls``
    are those of its last race, also where that failed.
    """

    def run(peers=("neural_style",), pairs=PAIRS[:1], disagreements=(), **settings):
        sides = FakeSides(dict(disagreements))
        run.calls = sides.calls
        for module in ("time_to_target", "benchmark"):
            monkeypatch.setattr(f"benchmarks.{module}.worker_process", sides.worker_process)
        ledger = Ledger(tmp_path / "figures.csv")
        time_to_target.measure_time_to_target(Benchmark(pairs, "random", tmp_path, ledger, peers=peers, **settings))
        return ledger, sides.calls

    return run


def _seconds(ledger, contestant, pair="cat + night_swirls", size=256):
    return ledger.values("target seconds", f"neural_style: {contestant}", size, pair)


def test_the_default_sets_the_target_and_the_others_run_until_they_reach_it(race):
    ledger, calls = race()
    runs = [call for call in calls if call[0] == "run_method"]
    assert [(call[3].start, call[3].solver.value, call[4], *call[6:]) for call in runs] == [
        ("noise", "lbfgs", 1000),
        ("content", "lbfgs", 1000, 5, 10.0, 90.0),
        ("content", "adam", 1000, 5, 10.0, 7.0),
    ]
    assert [_seconds(ledger, name) for name in CONTESTANTS] == [[90.0], [7.0], [math.inf], [2.0], [math.inf]]
    losses = [ledger.values("target loss", f"neural_style: {name}", 256, "cat + night_swirls") for name in CONTESTANTS]
    assert losses == [[10.0], [10.0], [12.0], [10.0], [15.0]]


def test_this_program_runs_a_little_below_the_target_on_the_same_pixels(race):
    _, calls = race()
    ours = [call for call in calls if call[0] == "run_config"]
    assert [call[4] for call in ours] == [9.7, 9.7, 0.0], "a run that ended too early is repeated with all steps"
    (inputs,) = [call for call in calls if call[0] == "write_peer_inputs"]
    for overrides in (inputs[1], ours[0][1]):
        assert {"content=x/cat.png", "style=sample:night_swirls", "image.size=256", "image.margin=0"} <= set(overrides)
        assert "loss=neural_style" in overrides
        assert "image.fit=exact" not in overrides


def test_a_second_command_runs_what_is_missing(race):
    first, _ = race()
    again, calls = race()
    assert calls == []
    assert again.entries == first.entries
    both, calls = race(pairs=PAIRS)
    assert len([call for call in calls if call[0] in ("run_method", "run_config")]) == 6
    assert _seconds(both, "nst_tf float32", "dog + wedges") == [2.0]
    sizes, calls = race(pairs=PAIRS, target_sizes=(256, 512))
    assert len([call for call in calls if call[0] in ("run_method", "run_config")]) == 12
    assert _seconds(sizes, "nst_tf float32", size=512) == [2.0]


def test_a_default_that_is_not_timed_sets_the_target_and_no_limit(race):
    ledger, calls = race(times_defaults=False)
    assert math.isnan(*_seconds(ledger, CONTESTANTS[0]))
    assert [call[6:] for call in calls if call[0] == "run_method"][1:] == [(5, 10.0, math.inf), (5, 10.0, 7.0)]
    _, calls = race()
    assert calls == [], "it is not run again"


def test_a_share_of_the_steps_holds_for_every_run(race):
    _, calls = race(step_share=0.02)
    assert [call[4] for call in calls if call[0] == "run_method"] == [20, 20, 20]
    assert all("steps=12" in call[1] for call in calls if call[0] == "run_config")


@pytest.mark.parametrize(("loss", "runs"), [(20, 0), (10, 1)])
def test_formulas_that_disagree_end_the_race(loss, runs, race, tmp_path):
    """They are compared at the mirrored photograph before the first run, and at every saved picture."""
    message = rf"loss {loss} by neural-style-pt's formula and {1.003 * loss:g} .* differ by more than 0.002"
    with pytest.raises(InputError, match=message):
        race(disagreements={loss: 0.003})
    assert len([call for call in race.calls if call[0] == "run_method"]) == runs
    assert not (tmp_path / "figures.csv").exists()


def test_the_curve_of_the_default_has_every_fiftieth_step(race):
    ledger, _ = race(step_share=0.12)
    curve = [entry for entry in ledger.entries if entry.measurement == "target curve"]
    assert [(entry.contestant, entry.value) for entry in curve] == [
        ("neural_style: L-BFGS from noise, 50", 20.0),
        ("neural_style: L-BFGS from noise, 100", 10.0),
    ]


def test_a_program_in_tensorflow_runs_on_this_programs_engine(race, tmp_path):
    """Its default writes its picture by `output`; the fake does not, so it is written here."""
    saved = tmp_path / "cat + night_swirls" / "tf_tutorial_256_Adam.png"
    saved.parent.mkdir()
    saved.write_text("10")
    ledger, calls = race(peers=("tf_tutorial",))
    runs = [call for call in calls if call[0] == "run_config"]
    assert len(runs) == 5
    assert {"experiment=tf_tutorial", f"output={saved}", "steps=1000"} <= set(runs[0][1])
    assert {"experiment=tf_tutorial", "optimizer.beta_1=0.9"} <= set(runs[1][1])
    names = [setting.name for setting in PEERS["tf_tutorial"].settings]
    seconds = [ledger.values("target seconds", f"tf_tutorial: {name}", 256, "cat + night_swirls") for name in names]
    assert seconds == [[9.0], [2.0]]

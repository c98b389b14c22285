"""A search by Optuna minimises the named scores, and the same command continues it."""

import json
import signal
import sqlite3
import time

import pytest

pytest.importorskip(
    "hydra_plugins.hydra_optuna_sweeper", reason="needs the extra `optuna`: pip install 'nst-tf[optuna]'"
)

SEARCH = [
    *("sweep=search_weights", "name=search", "steps=150", "tracking.checkpoints.every=5", "tracking.snapshots.every=0"),
    *("image.size=40", "losses.content.layers=[conv2_1]", "losses.style.layers=[conv1_1,conv2_1]"),
    *("losses.style.layer_weights=null", "tracking.tensorboard.every=0", "hydra.sweeper.n_trials=4"),
    "optimizer=adam",  # which takes all its steps, whatever the weight
]


@pytest.fixture
def command(command_line):
    """`vgg19_lite`, whose weights a judge can use."""
    command_line.small = command_line.small[:2]  # the pictures
    return command_line


def trials(folder):
    """Value and state of each trial in the study's database, as SQLite has them."""
    with sqlite3.connect(folder / "study.db") as database:
        states = dict(database.execute("SELECT trial_id, state FROM trials"))
        values = dict(database.execute("SELECT trial_id, value FROM trial_values"))
        weights = dict(database.execute("SELECT trial_id, param_value FROM trial_params"))
    return {number: (state, weights.get(number), values.get(number)) for number, state in states.items()}


def runs(folder):
    return {path.parent.name: json.loads(path.read_text()) for path in folder.glob("*/run.json")}


def test_a_killed_search_is_continued_by_the_same_command(command):
    folder = command.folder / "outputs" / "sweeps" / "search"
    process = command.start(*SEARCH)
    for _ in range(6000):
        if len(runs(folder)) == 3:
            break
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = runs(folder)
    finished = {name for name, record in before.items() if "scores" in record}
    assert len(finished) == 2

    code, out, error = command(*SEARCH)
    assert code == 0, error
    after = runs(folder)
    assert len(after) == 4
    assert all(record["status"] == "completed" for record in after.values())
    assert all(after[name] == before[name] for name in finished)
    assert out.count("completed: 150 steps\n") == 2  # the one that was cut short, and the fourth
    complete = {weight: value for state, weight, value in trials(folder).values() if state == "COMPLETE"}
    assert len(complete) == 4
    for weight, value in complete.items():
        (record,) = (record for name, record in after.items() if f"losses.style.weight={weight}" in name)
        assert value == pytest.approx(record["scores"]["content"] + record["scores"]["style_ratio"], rel=1e-9)
        assert "vgg19" in record["scores"]["judge"]
    assert (folder / "report" / "index.html").exists()

    code, out, error = command(*SEARCH)
    assert code == 0, error
    assert runs(folder) == after
    assert "completed" not in out


def test_a_search_without_any_score_ends_with_one_line(command):
    code, out, error = command(*SEARCH, "steps=1", "image.size=24", "hydra.sweeper.n_trials=2")
    assert code == 2
    assert out.count("completed: 1 step\n") == 2  # the second is tried although the first was too small for the judge
    assert "error: hydra.sweeper.minimise=['content', 'style_ratio']: no run of the search has that" in error
    assert "Traceback" not in error


def test_an_unknown_score_is_refused(command):
    code, out, error = command(*SEARCH, "hydra.sweeper.minimise=[beauty]")
    assert (code, out) == (2, "")
    assert "minimise=['beauty']: takes some of total, content" in error
    assert len(error.splitlines()) == 1


def test_scores_of_a_judge_need_evaluation(command):
    code, out, error = command(*SEARCH, "evaluation=off")
    assert (code, out) == (2, "")
    assert "scores need evaluation=on" in error

"""The film of a run, read with Pillow."""

import logging

import numpy as np
import pytest
from PIL import Image, ImageSequence

from nst_tf.observers import Film
from nst_tf.runs.events import Finished, Iterate, Scaled, Started
from nst_tf.runs.observer_list import ObserverList
from nst_tf.util.errors import InputError


def frames(run):
    """The frames of the film as arrays of RGB values in [0, 1], and their durations in milliseconds."""
    with Image.open(run.folder.film) as film:
        shown = [
            (np.asarray(frame.convert("RGB")) / 255, frame.info["duration"]) for frame in ImageSequence.Iterator(film)
        ]
    return [pixels for pixels, _ in shown], [duration for _, duration in shown]


def greys(run):
    return [float(pixels.mean()) for pixels in frames(run)[0]]


def test_the_film_shows_every_step_and_stays_at_the_last(hand_made_run):
    hand_made_run.run(Film(every=1, seconds=2))
    pixels, durations = frames(hand_made_run)
    assert [float(frame.mean()) for frame in pixels] == pytest.approx([step / 10 for step in range(11)], abs=0.01)
    assert durations == [200] * 10 + [2000]
    assert {frame.shape for frame in pixels} == {(16, 20, 3)}


@pytest.mark.parametrize("every", [1, 3, 10, 7000])
@pytest.mark.parametrize("count", [2, 3, 50])
@pytest.mark.parametrize("steps", [1, 2, 49, 50, 500, 1999])
def test_a_film_has_no_more_frames_than_allowed_at_multiples_of_every(every, count, steps):
    (period,) = Film(every=every, frames=count).periods(steps)
    shown = {*range(0, steps, period), steps}
    assert len(shown) <= count
    assert period % every == 0
    if period > every:  # a shorter period would give too many frames
        assert len({*range(0, steps, period - every), steps}) > count


def test_every_0_makes_no_film(hand_made_run):
    assert Film(every=0).periods(500) == []
    hand_made_run.run(Film(every=0))
    assert hand_made_run.files() == []


class TwoScales:
    """A run of four steps: two at 8x10 pixels, then two at 48x60."""

    def __init__(self, run):
        self.run = run

    def iterate(self, step):
        size = (8, 10) if step < 2 else (48, 60)
        nothing = {"step": np.array(step)}
        picture = np.full((*size, 3), step / 4, np.float32)
        return Iterate(step, 4, step, 0.0, 1.0, 1.0, {"content": 1.0}, lambda: picture, lambda: nothing)

    def film(self, settings):
        observer = self.run.start(settings)
        for step in range(5):
            if step == 2:
                observer.scaled(Scaled(2, 2, 48, 60))
            observer.progressed(self.iterate(step))
        observer.finished(Finished("completed", "4 steps", self.iterate(4)))


def test_frames_of_a_coarse_scale_are_enlarged_to_the_last_one(hand_made_run):
    TwoScales(hand_made_run).film(Film(every=1))
    assert {frame.shape for frame in frames(hand_made_run)[0]} == {(48, 60, 3)}
    assert greys(hand_made_run) == pytest.approx([0, 0.25, 0.5, 0.75, 1], abs=0.01)


def test_the_longer_side_is_limited(hand_made_run):
    TwoScales(hand_made_run).film(Film(every=1, size=30))
    assert {frame.shape for frame in frames(hand_made_run)[0]} == {(24, 30, 3)}


def test_the_film_of_a_killed_and_continued_run_is_whole(hand_made_runs):
    killed, whole = hand_made_runs
    observer = killed.start(Film(every=1))
    for step in range(9):
        observer.progressed(killed.iterate(step))
    assert not killed.folder.film.exists()
    killed.run(Film(every=1), resumed_at=5)
    whole.run(Film(every=1))
    assert killed.folder.film.read_bytes() == whole.folder.film.read_bytes()


def test_an_interrupted_run_has_the_film_so_far_and_the_continued_one_the_whole(hand_made_run):
    hand_made_run.run(Film(every=1), last=4, status="interrupted")
    assert greys(hand_made_run) == pytest.approx([0, 0.1, 0.2, 0.3, 0.4], abs=0.01)
    hand_made_run.run(Film(every=1), resumed_at=4)
    assert greys(hand_made_run) == pytest.approx([step / 10 for step in range(11)], abs=0.01)


def test_a_new_run_removes_the_frames_and_the_film_of_an_earlier_one(hand_made_run):
    hand_made_run.run(Film(every=1))
    hand_made_run.start(Film(every=1))
    assert hand_made_run.files() == []


def test_a_run_with_another_period_leaves_out_frames_between(hand_made_run):
    """A prolonged run has frames further apart; those of its shorter run are not all shown."""
    hand_made_run.run(Film(every=1), last=5, status="interrupted")
    hand_made_run.run(Film(every=1, frames=6), resumed_at=5)
    assert greys(hand_made_run) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1], abs=0.01)


def test_a_diverged_run_ends_with_its_saved_picture(hand_made_run):
    observer = hand_made_run.start(Film(every=1))
    for step in range(8):
        observer.progressed(hand_made_run.iterate(step))
    observer.finished(Finished("diverged", "the loss became NaN", hand_made_run.iterate(3)))
    assert greys(hand_made_run) == pytest.approx([0, 0.1, 0.2, 0.3], abs=0.01)


def test_transparent_places_stay_transparent(hand_made_run):
    half = np.concatenate([np.full((16, 10), 0.2), np.ones((16, 10))], axis=1)
    event = Started(hand_made_run.folder, 10, None, ["content"], "", {}, alpha=lambda height, width: half)
    observer = Film(every=5).start(event)
    for step in range(0, 11, 5):
        observer.progressed(hand_made_run.iterate(step))
    observer.finished(Finished("completed", "10 steps", hand_made_run.iterate(10)))
    with Image.open(hand_made_run.folder.film) as film:
        assert film.n_frames == 3
        film.seek(1)
        np.testing.assert_allclose(np.asarray(film.convert("RGBA"))[..., 3], 255 * half, atol=1)


def test_a_folder_that_cannot_be_written_costs_the_film_and_not_the_run(hand_made_run, caplog):
    caplog.set_level(logging.WARNING)
    hand_made_run.path.mkdir()
    hand_made_run.folder.frames.touch()
    event = Started(hand_made_run.folder, 10, None, ["content"], "", {})
    observers = ObserverList([Film(every=5)], event)
    observers.notify(Finished("completed", "10 steps", hand_made_run.iterate(10)))
    assert "Film" in observers.errors
    assert not hand_made_run.folder.film.exists()


@pytest.mark.parametrize(
    "settings", [{"frames": 1}, {"frames": 1001}, {"size": 8}, {"quality": 0}, {"quality": 101}, {"seconds": 0}]
)
def test_settings_out_of_range_are_refused(settings):
    ((key, value),) = settings.items()
    with pytest.raises(InputError, match=f"{key}={value}.*must be"):
        Film(**settings)

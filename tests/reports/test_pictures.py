"""The pictures of a report: copies, thumbnails, inputs and films in files, and the contact sheet."""

import errno
import os

import numpy as np
import pytest
from PIL import Image

from nst_tf.reports import contact_sheet
from nst_tf.reports.axes import build_layout
from nst_tf.reports.choosing import Choice
from nst_tf.reports.contact_sheet import draw_contact_sheet
from nst_tf.reports.pictures import THUMBNAIL_SIDE, Gallery
from nst_tf.reports.reading import find_runs


@pytest.fixture
def sweep(made_up_sweep):
    """Folder and runs of a sweep of two runs."""
    folder = made_up_sweep([["seed=0"], ["seed=1"]])
    return folder, find_runs([folder])


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), dtype=float)


def test_a_picture_is_linked_and_its_thumbnail_is_a_small_file(sweep, tmp_path):
    _, runs = sweep
    y, x = np.mgrid[0:300, 0:600]
    Image.fromarray(np.stack([x // 3, y // 2, (x + y) // 4], axis=2).astype(np.uint8)).save(runs[0].folder.picture)
    copy = Gallery(tmp_path).copy_run(runs[0], 0).result
    assert (copy.width, copy.height) == (600, 300)
    assert (tmp_path / copy.file).samefile(runs[0].folder.picture)
    small = pixels(tmp_path / copy.thumbnail)
    assert small.shape == (THUMBNAIL_SIDE // 2, THUMBNAIL_SIDE, 3)
    full = Image.fromarray(pixels(runs[0].folder.picture).astype(np.uint8)).resize(
        small.shape[1::-1], Image.Resampling.BOX
    )
    assert np.abs(small - np.asarray(full)).mean() < 2


def test_a_picture_is_copied_where_no_links_are_possible(sweep, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    copy = tmp_path / Gallery(tmp_path).copy_run(sweep[1][0], 0).result.file
    assert not copy.samefile(sweep[1][0].folder.picture)
    assert copy.read_bytes() == sweep[1][0].folder.picture.read_bytes()


def test_the_next_report_leaves_the_run_folders_as_they_are(sweep, tmp_path, monkeypatch):
    _, runs = sweep
    before = [run.folder.picture.read_bytes() for run in runs]
    Gallery(tmp_path).copy_run(runs[0], 0)
    monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError(errno.EPERM, "no links")))
    Gallery(tmp_path).copy_run(runs[1], 0)  # takes the name under which the other run's picture was linked
    assert [run.folder.picture.read_bytes() for run in runs] == before


def test_inputs_that_runs_share_are_written_once_and_read_once(sweep, tmp_path, monkeypatch):
    read = []
    original = Gallery._read_input
    monkeypatch.setattr(Gallery, "_read_input", lambda self, *key: read.append(key[0]) or original(self, *key))
    gallery = Gallery(tmp_path)
    first, second = (gallery.copy_run(run, number) for number, run in enumerate(sweep[1]))
    assert (first.content, first.styles) == (second.content, second.styles)
    assert len(read) == 2
    [painting] = first.styles
    assert painting.role == "style:1"
    assert pixels(tmp_path / painting.picture.file) == pytest.approx(pixels(painting.source), abs=40)
    assert (painting.picture.width, painting.picture.height) == (40, 32)
    assert [one.role for one in gallery.copy_shared_inputs(sweep[1])] == ["content", "style:1"]


def test_a_film_is_part_of_the_report_and_old_runs_have_none(sweep, tmp_path):
    _, runs = sweep
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("white", "black")]
    frames[0].save(runs[0].folder.film, save_all=True, append_images=frames[1:], duration=100)
    gallery = Gallery(tmp_path)
    film, none = (gallery.copy_run(run, number).film for number, run in enumerate(runs))
    assert none is None
    with Image.open(tmp_path / film) as image:
        assert image.n_frames == 2


@pytest.mark.timeout(30)
@pytest.mark.parametrize("put", [lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40)), os.mkfifo])
def test_a_broken_picture_and_a_pipe_are_left_out_with_a_warning(put, sweep, tmp_path, caplog):
    _, runs = sweep
    runs[0].folder.picture.unlink()
    put(runs[0].folder.picture)
    assert Gallery(tmp_path).copy_run(runs[0], 0).result is None
    assert "stylized.png" in caplog.text
    assert "leaves it out" in caplog.text


@pytest.fixture
def draw(tmp_path, monkeypatch):
    """Function that draws the contact sheet of a folder with at most so many pictures, and returns its grids."""

    def write(folder, most):
        monkeypatch.setattr(contact_sheet, "MAX_PICTURES", most)
        runs = find_runs([folder])
        gallery, layout = Gallery(tmp_path / "report"), build_layout(runs)
        thumbnails = [tmp_path / "report" / gallery.copy_run(run, n).result.thumbnail for n, run in enumerate(runs)]
        draw_contact_sheet(tmp_path / "sheet.png", runs, layout, thumbnails, Choice())
        assert pixels(tmp_path / "sheet.png").std() > 5
        return contact_sheet._blocks(layout, len(runs))

    return write


def test_the_contact_sheet_has_the_first_pictures_of_many_and_says_so(made_up_sweep, draw):
    points = [[f"losses.style.weight={w}", f"seed={s}", f"steps={n}"] for w in (1, 2) for s in (0, 1) for n in (3, 4)]
    blocks = draw(made_up_sweep(points, shared=["content=a.png"]), 6)
    assert [block.title for block in blocks] == ["The first 6 of 8 pictures · style.weight=1", "style.weight=2"]
    assert [len(block.rows) for block in blocks] == [2, 1]
    assert [number for block in blocks for cell in block.cells.values() for number in cell] == [0, 1, 2, 3, 4, 5]


def test_runs_without_a_grid_have_a_limit_on_the_contact_sheet_too(made_up_sweep, draw):
    blocks = draw(made_up_sweep([["seed=0"], ["seed=1"], ["seed=2"]]), 2)
    assert [block.title for block in blocks] == ["The first 2 of 3 pictures"]
    assert blocks[0].cells == {(0, 0): [0], (0, 1): [1]}

"""Which parameters vary, and where each run's picture goes."""

from itertools import product

import pytest

from nst_tf.reports.axes import Axis, build_layout, short
from nst_tf.reports.reading import find_runs


@pytest.fixture
def sheet_of(made_up_sweep):
    return lambda points, **kwargs: build_layout(find_runs([made_up_sweep(points, **kwargs)]))


def grid(**axes):
    return [[f"{key}={value}" for key, value in zip(axes, point, strict=True)] for point in product(*axes.values())]


def test_two_axes_are_rows_and_columns(sheet_of):
    sheet = sheet_of(grid(**{"losses.style.weight": ["1e2", "5", "20"], "optimizer": ["lbfgs", "adam"]}))
    assert sheet.across == Axis("losses.style.weight", "style.weight", ("5", "20", "1e2"))
    assert sheet.down == Axis("optimizer", "optimizer", ("lbfgs", "adam"))
    (facet,) = sheet.facets
    assert facet.point == {}
    expected = {("lbfgs", "1e2"): [0], ("adam", "1e2"): [1], ("lbfgs", "5"): [2], ("adam", "5"): [3]}
    assert facet.cells == expected | {("lbfgs", "20"): [4], ("adam", "20"): [5]}


def test_more_values_than_fit_across_go_down(sheet_of):
    sheet = sheet_of(grid(seed=range(7), backbone=["vgg16", "vgg19"]))
    assert (sheet.down.name, sheet.across.name) == ("seed", "backbone")


def test_a_third_axis_makes_facets(sheet_of):
    sheet = sheet_of(grid(backbone=["vgg16", "vgg19"], seed=[0, 1], steps=[5, 9]), shared=())
    assert [facet.point for facet in sheet.facets] == [{"backbone": "vgg16"}, {"backbone": "vgg19"}]
    assert sheet.facets[1].cells == {("0", "5"): [4], ("0", "9"): [5], ("1", "5"): [6], ("1", "9"): [7]}
    assert sheet.described(sheet.points[6]) == "backbone=vgg19, seed=1, steps=5"


def test_one_axis_alone_is_no_grid(sheet_of):
    sheet = sheet_of(grid(seed=[3, 1, 2]))
    assert not sheet.is_grid
    assert [axis.values for axis in sheet.axes] == [("1", "2", "3")]


def test_a_search_is_no_grid(sheet_of):
    sheet = sheet_of([[f"seed={n}", f"losses.style.weight={7 * n}"] for n in range(5)])
    assert (sheet.is_grid, sheet.facets) == (False, ())
    assert sheet.points[2] == {"seed": "2", "losses.style.weight": "14"}


def test_equal_numbers_agree_however_they_are_typed(sheet_of):
    sheet = sheet_of([["seed=0", "losses.style.weight=100"], ["seed=1", "losses.style.weight=1e2"]])
    assert [axis.name for axis in sheet.axes] == ["seed"]


def test_names_and_launchers_are_no_axes_and_the_silent_have_the_default(sheet_of):
    sheet = sheet_of([["name=a", "launcher=joblib"], ["name=b", "+losses.grain.weight=3", "tracking.metrics.every=1"]])
    assert sheet.axes == (Axis("losses.grain.weight", "grain.weight", ("default", "3")),)


def test_settings_make_a_name_while_they_are_few(sheet_of):
    few = sheet_of([["seed=0", "optimizer=adam"], ["seed=1", "optimizer=lbfgs"]])
    assert few.name(1, "1") == "seed=1, optimizer=lbfgs"
    many = sheet_of([[f"{key}={number}" for key in "abcde"] for number in range(2)])
    assert many.name(1, "1") == "run 1"


def test_repeated_settings_share_a_cell(sheet_of):
    points = grid(seed=[0, 1], optimizer=["lbfgs", "adam"])
    sheet = sheet_of([*points, ["seed=0", "optimizer=adam"]])
    assert sheet.facets[0].cells["0", "adam"] == [1, 4]


def test_titles_that_would_be_the_same_are_whole(sheet_of):
    sheet = sheet_of(grid(**{"a.style.weight": [1, 2], "b.style.weight": [1, 2]}))
    assert [axis.title for axis in sheet.axes] == ["a.style.weight", "b.style.weight"]


def test_runs_from_python_are_told_apart_by_their_configs(made_up_run, tmp_path):
    for seed in (0, 1):
        made_up_run(tmp_path / f"run{seed}", [], seed=seed, name=f"run{seed}")
    assert build_layout(find_runs([tmp_path])).axes == (Axis("seed", "seed", ("0", "1")),)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a/b/photo.jpg", "photo.jpg"),
        (r"sample\:coffee", "sample:coffee"),
        ("[conv1_1,conv2_1]", "[conv1_1,conv2_1]"),
        ("1e-3", "1e-3"),
    ],
)
def test_values_are_shown_short(value, shown):
    assert short(value) == shown

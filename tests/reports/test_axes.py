"""The layout of runs: the parameters that vary, and the place of each run's picture."""

from itertools import product

import pytest

from nst_tf.reports.axes import Axis, build_layout
from nst_tf.reports.reading import find_runs
from nst_tf.reports.short_names import short_names


@pytest.fixture
def layout_of(made_up_sweep):
    return lambda points, **kwargs: build_layout(find_runs([made_up_sweep(points, **kwargs)]))


def grid(**axes):
    return [[f"{key}={value}" for key, value in zip(axes, point, strict=True)] for point in product(*axes.values())]


def test_two_axes_become_rows_and_columns(layout_of):
    layout = layout_of(grid(**{"losses.style.weight": ["1e2", "5", "20"], "optimizer": ["lbfgs", "adam"]}))
    assert layout.columns == Axis("losses.style.weight", "style.weight", ("5", "20", "1e2"))
    assert layout.rows == Axis("optimizer", "optimizer", ("lbfgs", "adam"))
    (facet,) = layout.facets
    assert facet.point == {}
    expected = {("lbfgs", "1e2"): [0], ("adam", "1e2"): [1], ("lbfgs", "5"): [2], ("adam", "5"): [3]}
    assert facet.cells == expected | {("lbfgs", "20"): [4], ("adam", "20"): [5]}


def test_an_axis_with_too_many_values_for_the_columns_becomes_the_rows(layout_of):
    layout = layout_of(grid(seed=range(7), backbone=["vgg16", "vgg19"]))
    assert (layout.rows.name, layout.columns.name) == ("seed", "backbone")


def test_a_third_axis_makes_facets(layout_of):
    layout = layout_of(grid(backbone=["vgg16", "vgg19"], seed=[0, 1], steps=[5, 9]), shared=())
    assert [facet.point for facet in layout.facets] == [{"backbone": "vgg16"}, {"backbone": "vgg19"}]
    assert layout.facets[1].cells == {("0", "5"): [4], ("0", "9"): [5], ("1", "5"): [6], ("1", "9"): [7]}
    assert layout.describe(layout.points[6]) == "backbone=vgg19, seed=1, steps=5"


def test_one_axis_makes_no_grid(layout_of):
    layout = layout_of(grid(seed=[3, 1, 2]))
    assert not layout.is_grid
    assert [axis.values for axis in layout.axes] == [("1", "2", "3")]


def test_a_random_search_makes_no_grid(layout_of):
    layout = layout_of([[f"seed={n}", f"losses.style.weight={7 * n}"] for n in range(5)])
    assert (layout.is_grid, layout.facets) == (False, ())
    assert layout.points[2] == {"seed": "2", "losses.style.weight": "14"}


def test_equal_numbers_in_different_notation_are_one_value(layout_of):
    layout = layout_of([["seed=0", "losses.style.weight=100"], ["seed=1", "losses.style.weight=1e2"]])
    assert [axis.name for axis in layout.axes] == ["seed"]


def test_names_and_launchers_are_no_axes_and_runs_without_an_override_have_the_value_default(layout_of):
    layout = layout_of(
        [["name=a", "launcher=joblib"], ["name=b", "+losses.grain.weight=3", "tracking.metrics.every=1"]]
    )
    assert layout.axes == (Axis("losses.grain.weight", "grain.weight", ("default", "3")),)


def test_a_run_is_named_by_its_settings_if_there_are_at_most_four_axes(layout_of):
    few = layout_of([["seed=0", "optimizer=adam"], ["seed=1", "optimizer=lbfgs"]])
    assert few.run_name(1, "1") == "seed=1, optimizer=lbfgs"
    many = layout_of([[f"{key}={number}" for key in "abcde"] for number in range(2)])
    assert many.run_name(1, "1") == "run 1"


def test_runs_with_equal_settings_share_a_cell(layout_of):
    points = grid(seed=[0, 1], optimizer=["lbfgs", "adam"])
    layout = layout_of([*points, ["seed=0", "optimizer=adam"]])
    assert layout.facets[0].cells["0", "adam"] == [1, 4]


def test_axes_with_the_same_last_two_parts_are_titled_by_their_whole_keys(layout_of):
    layout = layout_of(grid(**{"a.style.weight": [1, 2], "b.style.weight": [1, 2]}))
    assert [axis.title for axis in layout.axes] == ["a.style.weight", "b.style.weight"]


def test_axes_of_runs_started_from_python_come_from_their_configs(made_up_run, tmp_path):
    for seed in (0, 1):
        made_up_run(tmp_path / f"run{seed}", [], seed=seed, name=f"run{seed}")
    assert build_layout(find_runs([tmp_path])).axes == (Axis("seed", "seed", ("0", "1")),)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("a/b/photo.jpg", "photo.jpg"),
        (r"sample\:coffee", "sample:coffee"),
        ("[conv1_1,conv2_1]", "[conv1_1, conv2_1]"),
        ("1e-3", "1e-3"),
        ("'photos/Bob\\'s.jpg'", "Bob's.jpg"),
        ('"photos/it is.jpg"', "it is.jpg"),
        ("'a, b.jpg'", "a, b.jpg"),
        ("[styles/star.png,styles/light.png]", "[star.png, light.png]"),
        ("['Van Gogh.jpg', 'x/a, b.jpg']", "[Van Gogh.jpg, a, b.jpg]"),
        ("星空.png", "星空.png"),
        ("[[a/b,c],[d]]", "[[a/b,c],[d]]"),
        ("", ""),
        ("'", "'"),
    ],
)
def test_a_short_name_has_no_quotes_escapes_and_folders(value, name):
    assert short_names([value]) == {value: name}


def test_paths_with_the_same_file_name_keep_the_folders_that_tell_them_apart():
    values = ["x/a/style.png", "x/b/style.png", "style.png", "/p/a/1/end.png", "/q/a/1/end.png", "c/star.png"]
    names = ["a/style.png", "b/style.png", "style.png", "p/a/1/end.png", "q/a/1/end.png", "star.png"]
    assert list(short_names(values).values()) == names
    lists = ["[a/x.png,a/y.png]", "[b/x.png,a/y.png]"]
    assert list(short_names(lists).values()) == ["[a/x.png, y.png]", "[b/x.png, y.png]"]


def test_headings_of_an_axis_tell_pictures_of_several_folders_apart(layout_of):
    layout = layout_of([["style='a/my style.png'"], ["style='b/my style.png'"]])
    assert layout.run_name(1, "1") == "style=b/my style.png"

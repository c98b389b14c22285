"""Styles and fonts of the figures: each axis has a feature of its own, and names have only letters of the fonts."""

from itertools import product

import pytest

from nst_tf.reports.axes import Axis, Layout
from nst_tf.reports.curves import thin
from nst_tf.reports.fonts import FAMILY, drawable, figure_fonts
from nst_tf.reports.line_styles import MAX_COLOURS, axis_colours, line_styles, style_axes


def layout_of(**counts):
    axes = tuple(Axis(name, name, tuple(map(str, range(count)))) for name, count in counts.items())
    points = tuple(
        dict(zip(counts, map(str, values), strict=True)) for values in product(*(range(n) for n in counts.values()))
    )
    grid = axes[-2:] if len(axes) > 1 else (None, None)
    return Layout(axes, points, *grid, ())


def test_every_run_of_a_study_with_four_axes_has_a_style_of_its_own():
    styles = line_styles(layout_of(optimizer=2, weight=3, start=2, seed=3))
    assert len(set(styles)) == 36


def test_an_axis_of_many_values_gets_the_colour_and_seeds_come_last():
    axes = style_axes(layout_of(weight=30, seed=40, start=2))
    assert axes == {"colour": 0, "dash": 2}  # no feature but the colour has 40 values


def test_colours_of_a_long_axis_lie_on_a_scale():
    colours = axis_colours(Axis("weight", "weight", tuple(map(str, range(100)))))
    assert (len(colours), len(set(colours))) == (100, MAX_COLOURS)
    assert (colours[0], colours[-1]) == ("#2f7ed8", "#cf4a4a")


def test_runs_without_axes_differ_in_colour_and_dashes():
    layout = Layout((), ({},) * 20, None, None, ())
    assert len(set(line_styles(layout))) == 20


@pytest.mark.parametrize(("count", "most"), [(5, 40), (1000, 40), (100_000, 60)])
def test_a_thinned_curve_keeps_its_first_and_last_row(count, most):
    import pandas

    rows = thin(pandas.DataFrame({"step": range(count)}), most).step.tolist()
    assert (rows[0], rows[-1]) == (0, count - 1)
    assert len(rows) <= most
    assert rows == sorted(set(rows))


def test_letters_that_no_font_has_become_their_codes(recwarn):
    from matplotlib.figure import Figure

    name = drawable("Ünal, 星.png", [FAMILY])
    assert name == "Ünal, [661F].png"
    with figure_fonts():
        figure = Figure()
        figure.text(0, 0, drawable("星空"))
        figure.canvas.draw()
    assert not recwarn.list

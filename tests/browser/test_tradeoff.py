"""The trade-off plot, the curves and the table of a study of sixty runs, as a reader uses them in a browser."""

import json

import pytest

from nst_tf.reports import write_report
from tests.reports.study_folders import write_study

pytestmark = pytest.mark.browser


@pytest.fixture(scope="session")
def report(made_up_run, tmp_path_factory):
    """The page of a study over weights, optimisers, starts and seeds."""
    folder = tmp_path_factory.mktemp("study")
    template = made_up_run(folder / "template" / "run", ["seed=0"]).path
    return write_report([write_study(folder / "study", template, 60)])


@pytest.fixture
def data(report):
    text = report.read_text(encoding="utf-8").partition('<script type="application/json" id="data">')[2]
    return json.loads(text.partition("</script>")[0])


def visible_plot(page, name):
    page.locator(f"#{name}").scroll_into_view_if_needed()
    page.wait_for_selector(f"#{name} .main-svg")
    return page.locator(f"#{name}")


def front_of(page):
    return page.locator("#tradeoff-front button").evaluate_all("all => all.map(button => Number(button.dataset.open))")


def marked(page):
    """Return the runs that the page was written with as the front."""
    rows = page.locator("table.values tbody tr.is-chosen button")
    return set(rows.evaluate_all("all => all.map(button => Number(button.dataset.open))"))


def measure(data, column):
    return next(one["values"] for one in data["measures"] if one["column"] == column)


def test_plotly_starts_when_the_first_plot_comes_near_the_window(opened):
    page = opened(viewport={"width": 1280, "height": 300})
    assert page.evaluate("typeof Plotly") == "undefined"
    visible_plot(page, "tradeoff-plot")
    assert page.evaluate("typeof Plotly") == "object"


def test_the_front_of_content_and_style_ratio_is_listed_as_the_report_marked_it(opened, data):
    page = opened()
    runs = front_of(page)
    assert set(runs) == marked(page)
    assert 5 <= len(runs) < 30
    content = measure(data, "judged/content")
    assert [content[run] for run in runs] == sorted(content[run] for run in runs)
    words = page.locator("#tradeoff-words").inner_text()
    assert words.startswith(f"{len(runs)} of 60 runs are on the Pareto front")
    assert "Colour: image.start. Symbols: style.weight. Size: optimizer." in words


def test_a_limit_names_the_best_run_that_keeps_it(opened, data):
    page = opened()
    content, ratio = measure(data, "judged/content"), measure(data, "judged/style_ratio")
    limit = sorted(content)[30]
    page.get_by_label("judged content at most").fill(str(limit))
    best = min((run for run in range(60) if content[run] <= limit), key=lambda run: ratio[run])
    words = page.locator("#tradeoff-words").inner_text()
    assert f"With a judged content of at most {limit}, run {best} (" in words
    assert page.locator("#tradeoff-front .is-chosen button").get_attribute("data-open") == str(best)
    page.get_by_label("judged content at most").fill("-1")
    assert "No run has a judged content of at most -1." in page.locator("#tradeoff-words").inner_text()


def test_any_two_measures_can_be_compared(opened, data):
    page = opened()
    page.get_by_role("combobox", name="Across").select_option(label="seconds")
    runs, seconds, ratio = front_of(page), measure(data, "seconds"), measure(data, "judged/style_ratio")
    no_better = [
        run
        for run in range(60)
        if not any(
            seconds[other] <= seconds[run]
            and ratio[other] <= ratio[run]
            and (seconds[other], ratio[other]) != (seconds[run], ratio[run])
            for other in range(60)
        )
    ]
    assert set(runs) == set(no_better)
    page.get_by_role("combobox", name="Up").select_option(label="losses.style.weight")
    assert "no end is the best one" in page.locator("#tradeoff-words").inner_text()
    assert front_of(page) == []


def test_the_run_under_the_pointer_is_shown_and_a_click_opens_it(opened):
    page = opened()
    plot = visible_plot(page, "tradeoff-plot")
    box = plot.locator(".points path").last.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    card = page.locator("#tradeoff-card")
    page.wait_for_function("() => document.querySelector('#tradeoff-card img')?.naturalWidth > 0")
    assert card.inner_text().startswith("run ")
    assert "style ratio" in card.inner_text()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_function("document.getElementById('viewer').open")


def test_a_picture_of_the_front_opens_by_keyboard(opened):
    page = opened()
    page.locator("#tradeoff-front button").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("#viewer").evaluate("dialog => dialog.open")


def test_every_axis_has_a_feature_of_the_curves_and_the_reader_can_exchange_them(opened):
    page = opened()
    visible_plot(page, "curves")
    note = page.locator("#curve-note")
    assert "Colour: image.start. Dashes: style.weight. Symbols: optimizer. Width: seed." in note.inner_text()
    page.get_by_role("combobox", name="Colour").select_option(label="optimizer")
    assert "Colour: optimizer." in note.inner_text()
    assert "Without a feature: image.start." in note.inner_text()
    assert page.get_by_role("combobox", name="Symbols").input_value() == ""


def test_equal_columns_are_folded_and_shown_on_request(opened):
    page = opened(viewport={"width": 1280, "height": 800})
    heading = page.get_by_role("columnheader", name="memory, MB")
    assert heading.count() == 0
    assert "memory, MB 500" in page.locator(".folded-columns").inner_text()
    page.get_by_label("Show these columns").check()
    assert heading.is_visible()
    groups, columns = (page.locator(f"table.values thead tr:nth-child({row}) th") for row in (1, 2))
    assert sum(groups.evaluate_all("cells => cells.map(cell => cell.colSpan)")) == columns.count()


def test_costs_are_visible_in_a_window_of_1280_pixels(opened):
    page = opened(viewport={"width": 1280, "height": 800})
    box = page.locator("#table").get_by_role("columnheader", name="seconds").bounding_box()
    assert box["x"] + box["width"] < 1280


@pytest.mark.parametrize("width", [390, 1280])
def test_the_sections_fit_their_window_and_have_names(width, opened):
    page = opened(viewport={"width": width, "height": 800})
    visible_plot(page, "tradeoff-plot")
    visible_plot(page, "curves")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    for name in ("Across", "Up", "Colour", "Dashes", "Symbols", "Width"):
        assert page.get_by_role("combobox", name=name).count() == 1
    assert page.get_by_role("region", name="Runs of the Pareto front").count() == 1

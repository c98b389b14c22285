"""The statistics over seeds on the page: tables, bands in the curves, and the pictures of all seeds."""

import numpy as np
import pytest

pytestmark = pytest.mark.browser


def traces(page):
    page.locator("#curves").scroll_into_view_if_needed()
    page.wait_for_selector("#curves .main-svg")
    return page.evaluate("document.getElementById('curves').data.map(({ x, y, fill }) => ({ x, y, fill }))")


def test_seeds_are_a_band_around_their_mean_until_the_box_is_cleared(opened):
    page = opened()
    low, high, mean, *single = traces(page)
    totals = np.array([[9.0, 3.0, 0.5], [9.0, 3.0, 10.0], [9.0, 3.0, 2.0]])  # the runs that completed, by seed
    deviation = totals.std(axis=0, ddof=1)
    assert mean["y"] == pytest.approx(totals.mean(axis=0), rel=1e-5)
    assert high["y"] == pytest.approx(totals.mean(axis=0) + deviation, rel=1e-5)
    assert low["y"] == pytest.approx(np.maximum(totals.mean(axis=0) - deviation, totals.mean(axis=0) / 100), rel=1e-4)
    assert (high["fill"], len(single)) == ("tonexty", 3)
    page.get_by_label("seeds as mean").uncheck()
    assert len(traces(page)) == 6


def test_the_pictures_of_all_seeds_open_in_the_viewer(opened):
    page = opened()
    page.get_by_text("Pictures of all seeds, side by side").click()
    pictures = page.locator("#statistics .seeds button")
    assert pictures.evaluate_all("all => all.map(button => button.dataset.open)") == ["0", "1", "2"]
    pictures.nth(1).click()
    assert page.locator("#viewer").evaluate("dialog => dialog.open")


@pytest.mark.parametrize("width", [1280, 390])
def test_the_tables_are_read_by_their_headings_and_scroll_within_the_window(width, opened):
    page = opened(viewport={"width": width, "height": 800})
    page.locator("#statistics details").evaluate_all("all => all.forEach(one => { one.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    row = page.get_by_role("region", name="Means over seeds").locator("tbody tr").first
    assert row.locator("th").inner_text() == "style.weight=1"
    assert row.locator("td").last.inner_text() == "3"

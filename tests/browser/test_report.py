"""The report's page in a browser: mouse, keyboard, dark theme and narrow windows."""

from itertools import pairwise

import pytest

pytestmark = pytest.mark.browser

CONTRAST = """
() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = ([r, g, b]) =>
    [r, g, b].map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
      .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const paper = (element) => {
    const colour = rgb(getComputedStyle(element).backgroundColor);
    return colour[3] === 255 || !element.parentElement ? colour : paper(element.parentElement);
  };
  const found = [];
  for (const element of document.querySelectorAll("body *:not(script, style, noscript, svg, svg *, option)")) {
    const text = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!text || element.closest("dialog:not([open]), .hidden, .skip") || !element.checkVisibility()) continue;
    const [a, b] = [luminance(rgb(getComputedStyle(element).color)), luminance(paper(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push(`${element.tagName}.${element.className} ${ratio.toFixed(2)}`);
  }
  return found;
}
"""


def column(page, number):
    return page.locator("table.values tbody tr").evaluate_all(
        f"rows => rows.map(row => row.cells[{number}].innerText.trim())"
    )


def plotted(page):
    page.locator("#curves").scroll_into_view_if_needed()
    page.wait_for_selector("#curves .main-svg")
    return page.evaluate(
        "() => { const p = document.getElementById('curves');"
        " return { type: p.layout.yaxis.type, x: p.data[0].x, y: p.data[0].y, title: p.layout.xaxis.title.text,"
        " lines: p.querySelectorAll('.scatterlayer .trace').length }; }"
    )


def test_a_heading_sorts_the_table_in_ascending_then_descending_order(opened):
    page = opened()
    heading = page.get_by_role("columnheader", name="total", exact=True)
    heading.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending"
    assert column(page, 0) == ["0 best", "4", "5", "2", "3", "1"]
    assert page.locator("#sorted").inner_text() == "Sorted by total, lowest first"
    page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"
    assert column(page, 0) == ["1", "3", "2", "5", "4", "0 best"]
    memory = page.get_by_role("button", name="memory, MB")
    for _ in range(2):
        memory.click()
        assert column(page, 0)[-1] == "4", "the empty cell is last both ways"
    assert page.locator("table.values [aria-sort]").count() == 1


def scroll_to_curves(page):
    """Wait until the curves are drawn, as they are once they come into view; the controls move then."""
    page.locator("#curves").scroll_into_view_if_needed()
    page.wait_for_selector("#curves .xtick text")


def test_the_curves_change_scale_axis_and_loss(opened):
    page = opened()
    scroll_to_curves(page)
    page.get_by_label("seeds as mean").uncheck()
    first = plotted(page)
    assert (first["type"], first["title"], first["lines"]) == ("log", "evaluations", 6)
    assert (first["x"], first["y"]) == ([1, 2, 3], [9.0, 3.0, 0.5])
    page.get_by_label("linear").check()
    page.get_by_label("seconds", exact=True).check()
    page.get_by_role("combobox", name="Loss").select_option("style/raw")
    second = plotted(page)
    assert (second["type"], second["title"]) == ("linear", "seconds of optimisation")
    assert second["x"] == [0.0, 0.5, 1.0]
    assert second["y"] == pytest.approx([0.09, 0.03, 0.005])
    page.get_by_label("steps", exact=True).focus()
    page.keyboard.press("ArrowRight")
    assert plotted(page)["x"] == [1, 2, 3]


def test_a_logarithmic_axis_has_labels_at_one_two_and_five(opened):
    page = opened()
    scroll_to_curves(page)
    page.get_by_label("seeds as mean").uncheck()
    labels = page.locator("#curves .ytick text")
    assert labels.evaluate_all("texts => texts.map(text => text.textContent)") == ["0.5", "1", "2", "5", "10"]
    boxes = [labels.nth(n).bounding_box() for n in range(5)]
    assert all(above["y"] + above["height"] < below["y"] for below, above in pairwise(boxes))


def test_the_theme_follows_the_system_until_the_switch_is_used_and_is_stored(opened):
    page = opened(color_scheme="dark")
    background = "getComputedStyle(document.body).backgroundColor"
    ink = "document.querySelector('#curves .xtick text').style.fill"
    switch = page.get_by_role("button", name="Dark")
    scroll_to_curves(page)
    assert (page.evaluate(background), switch.get_attribute("aria-pressed")) == ("rgb(22, 24, 27)", "true")
    dark_ink = page.evaluate(ink)
    switch.focus()
    page.keyboard.press("Space")
    assert (page.evaluate(background), switch.get_attribute("aria-pressed")) == ("rgb(253, 253, 251)", "false")
    assert page.evaluate(ink) != dark_ink
    page.reload()
    assert page.evaluate(background) == "rgb(253, 253, 251)"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_a_contrast_of_at_least_four_and_a_half(scheme, opened):
    page = opened(color_scheme=scheme)
    assert page.evaluate(CONTRAST) == []
    page.locator("#run-3 button").click()
    assert page.evaluate(CONTRAST) == []


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_is_as_wide_as_its_window(width, opened):
    page = opened(viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.locator("#run-0 button").click()
    assert page.locator("#viewer").evaluate("dialog => dialog.scrollWidth <= dialog.clientWidth")


def test_a_command_is_copied(opened):
    page = opened(permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy the command of run 2").click()
    page.wait_for_function("document.getElementById('copied').textContent === 'Copied'")
    command = "python scripts/stylize.py losses.style.weight=1 seed=2"
    assert page.evaluate("navigator.clipboard.readText()") == command


def test_headings_images_and_buttons_have_accessible_names(opened):
    page = opened()
    assert page.get_by_role("heading", level=1).inner_text() == "grid"
    names = [page.get_by_role("heading", level=2).nth(n).inner_text() for n in range(6)]
    assert names == ["Pictures", "Trade-off", "Losses", "Statistics over seeds and pairs", "Table", "Commands"]
    assert page.locator("img:not([alt])").count() == 0
    unnamed = "e => e.filter(b => !(b.innerText.trim() || b.ariaLabel || b.querySelector('img[alt]'))).length"
    assert page.locator("button").evaluate_all(unnamed) == 0
    assert page.get_by_role("img", name="Loss curves of 6 runs").count() == 1
    assert page.get_by_role("row").filter(has_text="diverged").count() == 2  # in the contact sheet and in the table
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.url.endswith("#pictures")

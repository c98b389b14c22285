"""The dialog that shows one run in full size, and the arrangement of the pictures, as a person uses them."""

import pytest
from PIL import Image

from nst_tf.reports import write_report

pytestmark = pytest.mark.browser


def is_open(page):
    return page.locator("#viewer").evaluate("dialog => dialog.open && dialog.matches(':modal')")


def title(page):
    return page.locator("#viewer-title").inner_text()


def box(page, layer):
    """Place and size of a picture in the viewer."""
    return page.locator(f"#viewer .{layer} img").bounding_box()


def fraction_at(page, layer, x, y):
    """The point of a picture, as fractions of its width and height, at a point of the window."""
    place = box(page, layer)
    return (x - place["x"]) / place["width"], (y - place["y"]) / place["height"]


def uncovered(page):
    """The left part of the stage that shows the comparison, as CSS."""
    return page.locator("#viewer .before").evaluate("layer => getComputedStyle(layer).clipPath")


def loaded_size(page, layer):
    image = page.locator(f"#viewer .{layer} img")
    page.wait_for_function("image => image.complete", arg=image.element_handle())
    return image.evaluate("image => [image.naturalWidth, image.naturalHeight]")


def rows_of(page, table):
    """The rows of a table in the viewer as lists of texts."""
    return page.locator(f"#viewer {table} tbody tr:not(.group)").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.innerText))"
    )


def test_the_viewer_opens_and_closes_by_keyboard_and_returns_the_focus(opened):
    page = opened()
    tile = page.locator("#run-0 button")
    tile.focus()
    page.keyboard.press("Enter")
    assert is_open(page)
    assert title(page) == "Run 0: style.weight=1, seed=0"
    assert page.locator("#viewer .stage").evaluate("stage => stage === document.activeElement")
    assert loaded_size(page, "after") == [32, 24]
    assert "style.weight=1" in page.locator("#viewer .after img").get_attribute("alt")
    page.keyboard.press("Escape")
    assert not is_open(page)
    assert tile.evaluate("button => button === document.activeElement")


def test_the_wipe_uncovers_the_photograph_by_mouse_and_by_keyboard(opened):
    page = opened()
    page.locator("#run-0 button").click()
    slider, stage = page.get_by_label("Wipe", exact=True), page.locator("#viewer .stage").bounding_box()
    assert uncovered(page) == "inset(0px 100% 0px 0px)"
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert uncovered(page) == "inset(0px 97% 0px 0px)"
    page.locator("#viewer .stage").focus()
    page.keyboard.press("]")
    assert slider.input_value() == "8"
    page.mouse.move(stage["x"] + stage["width"] / 2, stage["y"] + 20)
    page.mouse.down()
    page.mouse.move(stage["x"] + stage["width"] / 4, stage["y"] + 20, steps=4)
    page.mouse.up()
    assert slider.input_value() == "25"
    handle = page.locator("#viewer .handle").bounding_box()
    assert handle["x"] + handle["width"] / 2 - stage["x"] == pytest.approx(stage["width"] / 4, abs=2)
    assert loaded_size(page, "before") == [32, 24]


def test_next_and_previous_cycle_through_all_runs_by_button_and_key(opened):
    page = opened()
    page.locator("#run-0 button").click()
    page.get_by_role("button", name="Previous").click()
    assert title(page).startswith("Run 5")
    page.get_by_role("button", name="Previous").click()
    assert page.get_by_text("This run has no picture.").is_visible()
    assert not page.locator("#viewer .after").is_visible()
    page.get_by_role("button", name="Next").click()
    assert page.locator("#viewer .after").is_visible()
    page.keyboard.press("n")
    assert title(page).startswith("Run 0")
    page.locator("#viewer .stage").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    assert title(page).startswith("Run 1")
    page.get_by_role("button", name="Close").click()
    assert not is_open(page)


def test_a_control_for_each_parameter_chooses_the_run(opened):
    page = opened()
    page.locator("#run-0 button").click()
    seed, weight = page.get_by_role("slider", name="seed"), page.get_by_role("combobox", name="style.weight")
    seed.focus()
    page.keyboard.press("ArrowRight")
    assert title(page) == "Run 1: style.weight=1, seed=1"
    assert seed.get_attribute("aria-valuetext") == "1"
    weight.select_option("10")
    assert title(page).startswith("Run 4")
    seed.focus()
    page.keyboard.press("End")
    assert title(page) == "Run 5: style.weight=10, seed=2"
    page.keyboard.press("p")
    assert (seed.input_value(), weight.input_value()) == ("1", "1")


def test_zoom_position_wipe_and_comparison_stay_when_the_run_changes(opened):
    page = opened()
    page.locator("#run-0 button").click()
    page.get_by_label("Compare with").select_option("photograph")
    stage = page.locator("#viewer .stage")
    stage.focus()
    for key in ("+", "+", "+", "+", "Shift+ArrowLeft", "Shift+ArrowUp"):
        page.keyboard.press(key)
    wipe = page.get_by_label("Wipe", exact=True)
    assert wipe.input_value() == "50", "the choice of a comparison uncovers half of it"
    before = box(page, "after")
    page.keyboard.press("ArrowRight")
    assert title(page).startswith("Run 1")
    assert box(page, "after") == before == box(page, "before")
    assert wipe.input_value() == "50"
    page.keyboard.press("0")
    assert box(page, "after")["width"] < before["width"] / 1.8
    page.keyboard.press("Escape")
    page.locator("#run-2 button").click()
    assert wipe.input_value() == "50"


def test_the_wheel_zooms_at_the_pointer_and_a_drag_moves_both_pictures(opened):
    page = opened()
    page.locator("#run-0 button").click()
    page.get_by_label("side by side").check()
    place = page.locator("#viewer .after").bounding_box()
    x, y = place["x"] + 0.4 * place["width"], place["y"] + 0.45 * place["height"]
    width, point = box(page, "after")["width"], fraction_at(page, "after", x, y)
    page.mouse.move(x, y)
    for _ in range(4):
        page.mouse.wheel(0, -100)
    page.wait_for_function(f"document.querySelector('#viewer .after img').clientWidth > {2.3 * width}")
    assert fraction_at(page, "after", x, y) == pytest.approx(point, abs=0.02)
    first = {layer: box(page, layer) for layer in ("after", "before")}
    page.mouse.down()
    page.mouse.move(x + 30, y - 10, steps=3)
    page.mouse.up()
    for layer in ("after", "before"):
        moved = box(page, layer)
        assert (moved["x"] - first[layer]["x"], moved["y"] - first[layer]["y"]) == pytest.approx((30, -10), abs=1)
        assert moved["width"] == first["after"]["width"]


def test_full_size_shows_each_pixel_of_the_picture_as_one_of_the_screen(opened):
    page = opened(device_scale_factor=2)
    page.locator("#run-0 button").click()
    page.get_by_role("button", name="Full size").click()
    assert (box(page, "after")["width"], box(page, "after")["height"]) == pytest.approx((16, 12))
    assert page.locator("#viewer .zoom output").inner_text() == "100 %"
    page.get_by_role("button", name="Zoom in").click()
    assert page.locator("#viewer .zoom output").inner_text() == "125 %"
    rendering = "image => getComputedStyle(image).imageRendering"
    assert page.locator("#viewer .after img").evaluate(rendering) == "auto"
    page.get_by_role("button", name="Whole picture").click()
    assert page.locator("#viewer .after img").evaluate(rendering) == "pixelated"


def test_a_run_is_compared_with_the_painting_and_with_another_run(opened, report):
    page = opened()
    page.locator("#run-0 button").click()
    page.get_by_label("Compare with").select_option("input:style:1")
    painting = page.locator("#viewer .before img").get_attribute("src")
    with Image.open(report.parent / painting) as image:
        assert loaded_size(page, "before") == list(image.size)
    assert page.locator("#viewer .before .label").inner_text().startswith("painting ")
    page.get_by_role("button", name="Keep this run for comparison").click()
    page.keyboard.press("n")
    assert title(page).startswith("Run 1")
    assert page.locator("#viewer .before img").get_attribute("src") == "pictures/run_0.png"
    figures = {name: values for name, *values in rows_of(page, ".figures")}
    assert [float(text) for text in figures["total"]] == [10.0, 0.5]


def test_the_settings_in_which_two_runs_differ_are_listed(opened):
    page = opened()
    page.locator("#run-0 button").click()
    page.get_by_label("Compare with").select_option("run:5")
    assert rows_of(page, ".differences") == [["losses.style.weight", "1.0", "10.0"], ["seed", "0", "2"]]
    page.get_by_role("slider", name="seed").fill("2")
    assert rows_of(page, ".differences") == [["losses.style.weight", "1.0", "10.0"]]
    page.get_by_role("combobox", name="style.weight").select_option("10")
    assert "have equal settings" in page.locator("#viewer .differences").inner_text()
    page.get_by_label("Compare with").select_option("photograph")
    assert not page.locator("#viewer .differences table").is_visible()


def test_an_address_opens_one_run_and_one_comparison_and_follows_the_viewer(opened):
    page = opened(fragment="#run=3&with=5")
    assert is_open(page)
    assert title(page).startswith("Run 3")
    assert page.locator("#viewer .before .label").inner_text() == "run 5"
    assert uncovered(page) == "inset(0px 50% 0px 0px)"
    page.keyboard.press("n")
    page.keyboard.press("n")
    assert page.evaluate("location.hash") == "#run=5&with=5"
    page.get_by_label("Compare with").select_option("photograph")
    assert page.evaluate("location.hash") == "#run=5"
    page.evaluate("location.hash = '#run=1&with=input:style:1'")
    page.wait_for_function("document.getElementById('viewer-title').textContent.startsWith('Run 1')")
    assert page.locator("#viewer .before .label").inner_text().startswith("painting ")
    page.keyboard.press("Escape")
    page.wait_for_function("location.hash === ''")
    page.evaluate("location.hash = '#run=77'")
    page.wait_for_function("document.getElementById('address-error').textContent !== ''")
    assert not is_open(page)
    assert "'77', which is not in this report" in page.locator("#address-error").inner_text()


def test_an_unknown_comparison_in_the_address_is_named(opened):
    page = opened(fragment="#run=0&with=run:1")
    assert title(page).startswith("Run 0")
    assert "'run:1', which is not in this report" in page.locator("#viewer .hint").inner_text()
    assert page.locator("#viewer .before .label").inner_text() == "photograph"


def test_a_random_search_has_one_table_with_names_and_the_nearest_runs(opened, made_up_run, tmp_path):
    points = [(3, 0.1), (70, 0.2), (500, 0.4), (20, 0.3)]
    for number, (weight, rate) in enumerate(points):
        made_up_run(tmp_path / f"{number}_run", [f"losses.style.weight={weight}", f"optimizer.learning_rate={rate}"])
    page = opened(path=write_report([tmp_path]))
    assert page.locator(".flow figure").count() == 4
    page.get_by_role("combobox", name="Columns").select_option("style.weight")
    assert page.locator(".sheet").count() == 1
    ids = page.locator(".sheet tbody td").evaluate_all("cells => cells.map(cell => cell.querySelector('figure').id)")
    assert ids == ["run-0", "run-3", "run-1", "run-2"]
    assert page.locator("#run-3 .name").is_visible()
    page.locator("#run-0 button").click()
    page.get_by_role("slider", name="style.weight").fill("2")
    assert title(page).startswith("Run 1")
    assert "The nearest run is shown" in page.locator("#viewer .hint").inner_text()
    assert page.get_by_role("slider", name="optimizer.learning_rate").get_attribute("aria-valuetext") == "0.2"


def test_a_film_starts_on_a_click_and_ends_with_the_next_run(opened):
    page = opened()
    page.locator("#run-1 button").click()
    assert not page.get_by_role("button", name="Play the film").is_visible()
    page.keyboard.press("p")
    image = page.locator("#viewer .after img")
    assert image.get_attribute("src") == "pictures/run_0.png"
    page.get_by_role("button", name="Play the film").click()
    assert image.get_attribute("src") == "pictures/run_0.webp"
    assert loaded_size(page, "after") == [32, 24]
    page.get_by_role("button", name="Stop the film").click()
    assert image.get_attribute("src") == "pictures/run_0.png"
    page.get_by_role("button", name="Play the film").click()
    page.keyboard.press("n")
    page.keyboard.press("p")
    assert image.get_attribute("src") == "pictures/run_0.png"


def test_any_two_parameters_give_the_rows_and_columns(opened):
    page = opened()
    sheet = "document.querySelector('.sheet')"
    numbers = f"[...{sheet}.tBodies[0].rows].map(r => [...r.querySelectorAll('figure')].map(f => f.id))"
    headings = f"[...{sheet}.tHead.rows[1].cells].map(c => c.innerText)"
    assert page.evaluate(headings) == ["style.weight", "0", "1", "2"]
    page.get_by_role("combobox", name="Rows").select_option("seed")
    assert page.evaluate(headings) == ["seed", "1", "10"], "the two parameters are exchanged"
    assert page.evaluate(numbers) == [["run-0", "run-3"], ["run-1", "run-4"], ["run-2", "run-5"]]
    page.get_by_role("combobox", name="Columns").select_option("–")
    assert page.locator(".sheet").count() == 2, "the other parameter divides the runs into tables"
    assert page.locator(".sheet caption").all_inner_texts() == ["style.weight=1", "style.weight=10"]
    page.get_by_role("combobox", name="Rows").select_option("–")
    assert page.locator(".flow figure").count() == 6
    assert page.locator("#run-4 .name").inner_text() == "style.weight=10, seed=1"
    page.locator("#run-4 button").click()
    assert title(page).startswith("Run 4")


def test_the_viewer_fits_into_a_phone_and_is_operated_by_touch(opened):
    page = opened(viewport={"width": 390, "height": 844}, has_touch=True)
    page.locator("#run-0 button").tap()
    stage = page.locator("#viewer .stage").bounding_box()
    assert stage["x"] >= 0
    assert stage["x"] + stage["width"] <= 390
    assert page.locator("#viewer").evaluate("dialog => dialog.scrollWidth <= dialog.clientWidth")
    page.touchscreen.tap(stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2)
    assert page.get_by_label("Wipe", exact=True).input_value() == "50"
    page.get_by_label("side by side").check()
    above, below = (page.locator(f"#viewer .{layer}").bounding_box() for layer in ("before", "after"))
    assert above["y"] + above["height"] <= below["y"] + 1, "a narrow stage places the pictures one above the other"
    page.get_by_role("combobox", name="style.weight").select_option("10")
    assert title(page).startswith("Run 3")


def test_every_control_of_the_viewer_has_a_name(opened):
    page = opened()
    page.locator("#run-0 button").click()
    unnamed = "e => e.filter(c => !(c.labels?.length || c.innerText?.trim() || c.ariaLabel)).map(c => c.outerHTML)"
    assert page.locator("#viewer :is(button, select, input)").evaluate_all(unnamed) == []
    assert page.get_by_role("group", name="Zoom").count() == 1
    assert page.get_by_role("group", name="Arrangement").count() == 1

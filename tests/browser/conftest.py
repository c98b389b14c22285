"""A report in headless Chromium without a network; errors of the browser are collected."""

import importlib.util
import os
import shutil

import pytest
from PIL import Image

from nst_tf.losses import GramLoss
from nst_tf.reports import write_report

FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
]


@pytest.fixture(scope="session")
def chromium():
    """A running browser; without Chromium the test is skipped."""
    if importlib.util.find_spec("playwright") is None:
        pytest.skip("needs Playwright: pip install -r requirements-dev.txt")
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("needs Chromium: install it, or name it in CHROMIUM")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def report(made_up_run, tmp_path_factory):
    """The page of a sweep of 2x3 runs with scores; one run diverged, one is running and one has a film."""
    folder = tmp_path_factory.mktemp("browser") / "grid"
    ends = [{"totals": (9.0, 3.0, total)} for total in (0.5, 10.0, 2.0)]
    ends += [{"totals": (9.0, 4.0), "status": "diverged"}, {"status": "running"}, {"totals": (9.0, 1.5)}]
    for number, end in enumerate(ends):
        row, column = divmod(number, 3)
        overrides = [f"losses.style.weight={10**row}", f"seed={column}"]
        scores = {"style_ratio": 0.1 * (number + 1), "ssim": 0.5, "judge": "vgg19, imagenet"}
        losses = {"style": GramLoss(layers=["conv1_1"], weight=float(10**row))}
        changes = {"losses": losses, "seed": column}
        made_up_run(folder / f"{number}_run", overrides, record={"scores": scores}, **changes, **end)
    frames = [Image.new("RGB", (32, 24), colour) for colour in ("white", "red")]
    frames[0].save(folder / "0_run" / "film.webp", save_all=True, append_images=frames[1:], duration=100)
    return write_report([folder])


@pytest.fixture
def opened(chromium, report):
    """Return a function that opens a page; afterwards assert that there was no request to a network and no error."""
    contexts, errors = [], []

    def open_page(fragment="", path=report, **options):
        context = chromium.new_context(offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: errors.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: errors.append(f"error: {error}"))
        page.on(
            "request", lambda r: r.url.startswith(("file:", "data:", "blob:")) or errors.append(f"request: {r.url}")
        )
        page.on("requestfailed", lambda r: errors.append(f"missing: {r.url[:200]}"))
        page.goto(path.as_uri() + fragment)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []

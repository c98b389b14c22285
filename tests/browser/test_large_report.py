"""A report of a thousand runs opens quickly in a browser."""

import time

import pytest

from nst_tf.reports import write_report
from tests.reports.study_folders import write_study

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="session")
def report(made_up_run, tmp_path_factory):
    """The page of a study of 1000 runs."""
    folder = tmp_path_factory.mktemp("large")
    template = made_up_run(folder / "template" / "run", ["seed=0"]).path
    return write_report([write_study(folder / "study", template, 1000)])


def test_a_page_of_a_thousand_runs_opens_within_three_seconds(chromium, report):
    context = chromium.new_context(offline=True, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    pictures = []
    page.on("request", lambda request: pictures.append(request.url) if "/pictures/" in request.url else None)
    times = []
    for _ in range(3):
        begin = time.monotonic()
        page.goto(report.as_uri())
        times.append(time.monotonic() - begin)
    assert min(times) < 3
    assert len(pictures) < 3 * 300, "pictures are loaded as they come into view"
    for name in ("tradeoff-plot", "curves"):
        page.locator(f"#{name}").scroll_into_view_if_needed()
        page.wait_for_selector(f"#{name} .main-svg")
    assert page.locator("table.values tbody tr").count() == 1000
    context.close()

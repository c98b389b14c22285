"""Reports of many runs: every run is on the page, and page, memory and time stay within bounds."""

import json
import subprocess
import sys

import pytest

from nst_tf.reports import write_report
from tests.reports.study_folders import ROWS, write_study

MEGABYTE = 2**20


@pytest.fixture(scope="module")
def template(made_up_run, tmp_path_factory):
    return made_up_run(tmp_path_factory.mktemp("template") / "run", ["seed=0"]).path


@pytest.mark.slow
def test_a_report_of_forty_runs_has_every_run_and_embeds_no_picture(template, read_page, tmp_path):
    report = write_report([write_study(tmp_path / "study", template, 40)])
    page = read_page(report)
    data = json.loads(page.find("script", id="data")[0]["text"])
    curves = json.loads(page.find("script", id="curve-data")[0]["text"])
    assert len(data["runs"]) == len(curves) == len(page.find("figure", _class="tile")) == 40
    assert len(page.find("th", scope="row")) >= 40
    assert not any((e.get("src") or "").startswith("data:") for e in page.find("img"))
    assert all(e["loading"] == "lazy" for e in page.find("img") if "run_" in (e.get("src") or ""))
    assert [len(axis["values"]) for axis in data["axes"]] == [5, 2, 2, 2]
    assert data["styles"]["axes"] == {"colour": 2, "dash": 0, "symbol": 1, "width": 3}
    assert len(curves[0]["columns"]["total"]) == ROWS
    assert {data["measures"][n]["column"] for n in data["tradeoff"]} == {"judged/content", "judged/style_ratio"}


@pytest.mark.slow
def test_a_report_of_a_thousand_runs_takes_a_minute_and_has_a_small_page(template, tmp_path):
    folder = write_study(tmp_path / "study", template, 1000)
    code = (
        "import resource; from nst_tf.reports import write_report; from nst_tf.system.memory import peak_resident_mb; "
        f"write_report([{str(folder)!r}]); "
        "used = resource.getrusage(resource.RUSAGE_SELF); print(used.ru_utime + used.ru_stime, peak_resident_mb())"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    seconds, mebibytes = map(float, done.stdout.split())
    assert seconds < 60  # of one core
    assert mebibytes < 1024
    report = folder / "report"
    assert (report / "index.html").stat().st_size < 20 * MEGABYTE
    assert len(list((report / "pictures").glob("run_*.png"))) == 1000

"""Values, comparisons, findings and the page, of predictions with a known answer."""

import csv
import json
import math
from dataclasses import replace

import numpy as np
import pytest

from fmcgan.downstream.arms import AUGMENTED, NOTHING, ONLY_GENERATED, REPEATED, TOPPED_UP, ratio_arm
from fmcgan.downstream.findings import caveat, findings
from fmcgan.downstream.measurement import Measured, Predictions
from fmcgan.downstream.page import Page, write_page
from fmcgan.downstream.protocol import RealSize
from fmcgan.downstream.results import summarize
from tests.downstream.drawn import INFO, PROTOCOL

SMALL, LARGE, TAIL = RealSize(100), RealSize(1000), RealSize(200, 10)
FIVE = ratio_arm(5)
LABELS = np.arange(400) % 4
N_RIGHT = {
    SMALL: {NOTHING: 200, AUGMENTED: 200, FIVE: 280, ONLY_GENERATED: 120},
    LARGE: {NOTHING: 320, AUGMENTED: 321, FIVE: 320, ONLY_GENERATED: 300},
    TAIL: {NOTHING: 160, AUGMENTED: 160, REPEATED: 240, TOPPED_UP: 200},
}


def predicted(n_right: int) -> Predictions:
    """The first images are right, of each of three seeds one more or fewer; the confidence is 0.5 throughout."""
    hits = np.stack([np.arange(400) < n_right + change for change in (-1, 0, 1)])
    return Predictions(hits, np.full(hits.shape, 0.5))


@pytest.fixture(scope="module")
def results():
    by_size = {size: {arm: predicted(n) for arm, n in arms.items()} for size, arms in N_RIGHT.items()}
    counts = {SMALL: [25] * 4, LARGE: [250] * 4, TAIL: [110, 60, 20, 10]}
    return summarize(Measured(LABELS, by_size, counts), 4)


def the(results, size, arm, against=NOTHING):
    (found,) = [each for each in results.against(against, size) if each.arm == arm]
    return found


def test_values_are_the_shares_of_right_images(results):
    assert results.arm(SMALL, FIVE).accuracy.mean == pytest.approx(0.7)
    assert results.arm(SMALL, FIVE).by_class == pytest.approx([0.7] * 4, abs=0.01)
    assert results.arm(SMALL, NOTHING).calibration_error.mean == pytest.approx(0, abs=0.01)
    assert results.arm(SMALL, FIVE).calibration_error.mean == pytest.approx(0.2, abs=0.001)
    assert (results.n_seeds, results.n_test) == (3, 400)


def test_differences_are_paired(results):
    found = the(results, SMALL, FIVE)
    assert found.accuracy.mean == pytest.approx(0.2)
    assert found.accuracy.low > 0.15  # every seed has the same difference
    assert [each.mean for each in found.by_class] == pytest.approx([0.2] * 4)
    assert found.calibration_error.mean == pytest.approx(0.2, abs=0.005)
    assert the(results, SMALL, FIVE, AUGMENTED).accuracy == found.accuracy


def test_verdicts(results):
    verdicts = {(each.size, each.arm, each.against): each.verdict for each in results.comparisons}
    assert verdicts[SMALL, FIVE, NOTHING] == "helps"
    assert verdicts[SMALL, ONLY_GENERATED, NOTHING] == "hurts"
    assert verdicts[LARGE, FIVE, NOTHING] == verdicts[LARGE, AUGMENTED, NOTHING] == "nothing can be said"
    assert verdicts[TAIL, TOPPED_UP, NOTHING] == "helps"
    assert verdicts[TAIL, TOPPED_UP, REPEATED] == "worse"
    assert verdicts[SMALL, FIVE, AUGMENTED] == "better"
    assert len(verdicts) == 5 + 5 + 4


def test_rare_classes_are_those_below_the_mean(results):
    assert the(results, SMALL, FIVE).rare is None
    hits = np.zeros((2, 400), dtype=bool)
    better = hits.copy()
    better[:, np.isin(LABELS, [2, 3])] = True  # the classes of 20 and of 10 images
    confidence = np.full(hits.shape, 0.5)
    by_arm = {NOTHING: Predictions(hits, confidence), TOPPED_UP: Predictions(better, confidence)}
    found = summarize(Measured(LABELS, {TAIL: by_arm}, {TAIL: [110, 60, 20, 10]}), 4)
    assert the(found, TAIL, TOPPED_UP).rare.mean == 1
    assert the(found, TAIL, TOPPED_UP).accuracy.mean == 0.5


def test_the_number_of_real_images_that_are_as_good(results):
    """Accuracy 0.5 at 100 and 0.8 at 1000: 0.7 is two thirds of the way, on a logarithmic scale."""
    assert results.equal_size(results.arm(SMALL, FIVE)) == pytest.approx(100 * 10 ** (2 / 3))
    assert results.equal_size(results.arm(SMALL, ONLY_GENERATED)) == 0
    assert results.equal_size(results.arm(LARGE, AUGMENTED)) == math.inf
    assert results.equal_size(results.arm(TAIL, TOPPED_UP)) is None


def test_findings_say_what_the_intervals_say(results):
    stated = findings(results, INFO)
    assert "help the classifier in 1 of 2 cases" in stated[0]
    assert "hurt it in 0; of 1 nothing" in stated[0]
    (small,) = [each for each in stated if each.startswith("n = 100: accuracy 50.0 %")]
    helps, _, rest = small.partition("Helps: ")[2].partition("Hurts: ")
    assert helps.startswith("m = 5n (+20.0 points [")
    hurts, _, unknown = rest.partition("Nothing can be said of ")
    assert hurts.startswith("only generated (-20.0 points [")
    assert unknown.startswith("classical augmentation (+0.0 points [")
    (tail,) = [each for each in stated if each.startswith("n = 200, long tail 10 : 1, compared")]
    assert "Worse: rare classes topped up (-10.0 points [" in tail


def test_the_caveat_names_the_sets_of_which_the_generator_saw_more():
    assert caveat([True, True], [SMALL, LARGE]) == ""
    some = caveat([False, True], [SMALL, LARGE])
    assert "n = 100" in some
    assert "n = 1,000" not in some
    assert "not known" in caveat([None, None], [SMALL, LARGE])
    assert "12 of the samples are test images" in caveat([True, True], [SMALL, LARGE], leaked=12)


@pytest.fixture
def page(results):
    info = replace(INFO, class_names=("<script>alert(1)</script>", "b_b", "$x$", "=1+1"))
    stated = findings(results, info)
    protocol = replace(PROTOCOL, sizes=(100, 1000))
    skipped = {"n = 1,000, m = 9n": "not enough samples of <b>"}
    return Page(
        "a file <x>; blobs", protocol, "a training", info, results, stated, "It saw more.", skipped, {"seed": "7"}
    )


def test_the_files_hold_all_values(page, results, tmp_path):
    files = write_page(tmp_path, page)
    assert {path.name for path in tmp_path.iterdir()} == set(files)
    record = json.loads((tmp_path / "usefulness.json").read_text(encoding="utf-8"))
    assert len(record["arms"]) == len(results.arms)
    assert len(record["comparisons"]) == len(results.comparisons)
    first = record["comparisons"][1]
    assert (first["n"], first["arm"], first["against"], first["verdict"]) == (100, FIVE.name, "nothing", "helps")
    assert first["accuracy"] == results.comparisons[1].accuracy._asdict()
    assert record["findings"] == page.findings
    with (tmp_path / "help_comparisons.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["verdict"] for row in rows] == [each.verdict for each in results.comparisons if each.size != TAIL]
    assert float(rows[1]["accuracy_low"]) == results.comparisons[1].accuracy.low


def test_the_page_stands_alone_and_escapes_names(page, tmp_path):
    write_page(tmp_path, page)
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script>alert(1)" not in html
    assert "of <b>" not in html
    assert ' src="http' not in html
    assert "It saw more." in html
    for part in ("help", "accuracy", "long_tail", "classes", "protocol"):
        assert f'<section id="{part}"' in html


def test_a_measurement_of_one_set_has_a_page(tmp_path):
    by_arm = {arm: predicted(n) for arm, n in N_RIGHT[TAIL].items()}
    results = summarize(Measured(LABELS, {TAIL: by_arm}, {TAIL: [110, 60, 20, 10]}), 4)
    stated = findings(results, INFO)
    write_page(tmp_path, Page("s", PROTOCOL, "t", INFO, results, stated, "", {}, {}))
    assert not list(tmp_path.glob("help_*"))
    assert (tmp_path / "long_tail_classes.png").is_file()


def test_a_phone_scrolls_the_page_one_way_only(page, tmp_path, chromium):
    write_page(tmp_path, page)
    chromium.get((tmp_path / "report.html").as_uri())
    metrics = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        for details in chromium.find_elements("css selector", "details"):
            chromium.execute_script("arguments[0].open = true", details)
        widths = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        assert chromium.execute_script(widths) == [360, 360]
        assert [each.text for each in chromium.find_elements("css selector", ".findings li p")] == list(page.findings)
        assert [each for each in chromium.get_log("browser") if each["level"] == "SEVERE"] == []
    finally:
        chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

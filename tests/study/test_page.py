import json
import math
import shutil
from pathlib import Path

import pytest

from fmcgan.comparison.statistics import Protocol, spread
from study import budget, page, results_store
from study.arms import ARMS, SCORES, TABLES
from study.page import clear_winner


@pytest.fixture
def written(tmp_path, write_run, record):
    """The page of all columns of a base and three arms, and the JSON beside it."""
    for seed, fd, agreement in ((1, 2.0, 0.90), (2, 2.2, 0.90), (10, 2.4, 0.90)):
        write_run("study-base", seed, FD=fd, agreement=agreement, density=0.8)
    for seed, fd, agreement in ((1, 1.5, 0.80), (2, 1.6, 0.81), (3, 1.7, 0.82)):  # 0.6 ahead of 0.2 + 0.1
        write_run("study-hinge", seed, FD=fd, agreement=agreement, density=1.1)
    for seed, fd in ((1, 1.9), (2, 2.0), (3, 2.1)):  # 0.2 ahead of 0.2 + 0.1
        write_run("study-r3", seed, images_seen=600 + seed, FD=fd)
    write_run("recipe_b", 1, FD=0.1)  # one seed
    write_run("recipe_b", 2)  # unfinished
    for seed in (1, 2):
        write_run("study-wgan_gp", seed, FD=0.1)
    write_run("study-wgan_gp", 3)  # unfinished: perhaps diverged
    (tmp_path / "runs" / "study-lecam" / "seed_1").mkdir(parents=True)  # not even a configuration
    path = tmp_path / "study.md"
    path.write_text("before\n<!-- arms:begin -->\nold\n<!-- arms:end -->\nafter\n")
    budget.write_speed(path, "study/base", record, 600, turns=[850.0], precision="bf16-mixed", batch_size=64)
    page.write(path, tmp_path / "runs")
    return details(path), json.loads((tmp_path / "study.json").read_text(encoding="utf-8"))


def details(path):
    return page.details_page(path).read_text(encoding="utf-8")


def cells(text, arm):
    (line,) = [line for line in text.splitlines() if line.startswith("|") and arm in line]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_what_stands_before_the_scores(written):
    text, _ = written
    assert cells(text, "what is changed")[:10] == [
        *("group", "arm", "what is changed", "seeds", "images seen", "images/s", "G parameters", "D parameters"),
        *("FD ↓", "FD by class"),
    ]
    base = cells(text, "`study/base`")
    assert base[:2] == ["base", "`study/base`"]
    assert base[3:8] == ["3 (1, 2, 10)", "600", "850.0", "1,234,567", "89"]
    assert cells(text, "`study/hinge`")[0] == "losses and penalties"
    assert cells(text, "`study/hinge`")[2:6] == ["Hinge loss with the default's R1.", "3 (1, 2, 3)", "600", "—"]
    assert cells(text, "`study/r3`")[4] == "601 to 603"


def test_scores_are_marked_against_the_base_by_both_spreads_summed(written):
    text, _ = written
    fd, agreement, density = 8, 10, 13
    base, hinge, r3, recipe = (cells(text, f"`{arm}`") for arm in ("study/base", "study/hinge", "study/r3", "recipe_b"))
    assert base[fd] == "2.200 ± 0.200"
    assert hinge[fd] == "**1.600 ± 0.100**"
    assert r3[fd] == "2.000 ± 0.100"
    assert recipe[fd] == "0.1000"  # far ahead, but one seed
    assert cells(text, "`study/wgan_gp`")[fd] == "0.1000 ± 0.0000"  # far ahead, but a seed is missing
    assert hinge[agreement] == "*0.8100 ± 0.0100*"
    assert hinge[density] == "**1.100 ± 0.000**"  # 0.1 above real data, the base 0.2 below
    assert r3[agreement] == "—"


def test_real_data_stand_in_the_last_row(written):
    text, _ = written
    last = [line for line in text.splitlines() if line.startswith("|")][-1]
    assert cells(last, "real data")[8:14] == ["0.02500", "—", "0.9000", "—", "—", "1.000"]


def test_the_page_has_a_short_table_with_the_same_marks(written, tmp_path):
    text = (tmp_path / "study.md").read_text(encoding="utf-8")
    assert cells(text, "what is changed") == [
        *("group", "arm", "what is changed", "FD ↓", "agreement ↑", "recall", "coverage")
    ]
    hinge = cells(text, "`study/hinge`")
    assert hinge[0] == "losses and penalties"
    assert hinge[2:] == ["Hinge loss with the default's R1.", "**1.600 ± 0.100**", "*0.8100 ± 0.0100*", "—", "—"]
    assert cells(text, "real data")[3:] == ["0.02500", "0.9000", "—", "—"]


def test_the_rest_of_the_page_stays_and_missing_runs_are_listed(written, tmp_path):
    full, values = written
    text = (tmp_path / "study.md").read_text(encoding="utf-8")
    assert text.startswith("before\n<!-- arms:begin -->\n| group |")
    assert text.endswith("<!-- arms:end -->\nafter\n")
    assert "Unfinished: `study/wgan_gp` seed 3, `recipe_b` seed 2." in text
    (missing,) = [line for line in text.splitlines() if line.startswith("Not run: ")]
    assert missing.count("`") == 2 * (len(ARMS) - 5)
    assert "`study/lecam`" in missing
    assert "*CPU Example, 2 threads; avx512-bf16; Fashion-MNIST; Python 3.12.1" in full
    assert "600 seconds" in full
    assert len(values["runs"]) == 12
    first = values["runs"][0]
    scores = first.pop("scores")
    parameters = {"generator": 1234567, "discriminator": 89}
    facts = {"arm": "study/base", "seed": 1, "images_seen": 600, "parameters": parameters}
    assert first == facts | {"seconds": 60.0, "made": None}
    assert scores == {
        "fd_classifier_10k_test": {"value": 2.0, "floor": 0.025, "better": "lower", "n": 9},
        "label_agreement_classifier_10k": {"value": 0.9, "floor": 0.9, "better": "higher", "n": 9},
        "density_k5_classifier_10k_test": {"value": 0.8, "floor": 1.0, "better": "real", "n": 9},
    }
    assert values["speed"]["arms"]["study/base"]["turns"] == [850.0]


def test_the_table_outlives_the_run_folders(written, tmp_path, write_run):
    text, values = written
    shutil.rmtree(tmp_path / "runs")
    page.write(tmp_path / "study.md", tmp_path / "runs")
    again = details(tmp_path / "study.md")
    assert json.loads((tmp_path / "study.json").read_text(encoding="utf-8")) == values
    assert [line for line in again.splitlines() if line.startswith("|") and "wgan_gp" not in line] == [
        line for line in text.splitlines() if line.startswith("|") and "wgan_gp" not in line
    ]
    assert "Unfinished" not in (tmp_path / "study.md").read_text(
        encoding="utf-8"
    )  # an unfinished run is known only by its folder
    write_run("study-hinge", 3, FD=3.2)  # trained again: replaces the stored run
    page.write(tmp_path / "study.md", tmp_path / "runs")
    hinge = cells(details(tmp_path / "study.md"), "`study/hinge`")
    assert hinge[3] == "3 (1, 2, 3)"
    assert hinge[8] == "2.100 ± 0.954"  # 1.5, 1.6, 3.2


def test_a_failed_run_is_listed_and_its_arm_gets_no_marks(written, tmp_path):
    shutil.rmtree(tmp_path / "runs")
    path, values = tmp_path / "study.md", tmp_path / "study.json"
    page.write(path, tmp_path / "runs")
    assert cells(details(path), "`study/hinge`")[8].startswith("**")
    results_store.add_failure(values, {"arm": "study/hinge", "seed": 4, "why": "loss/generator is nan"})
    results_store.add_failure(values, {"arm": "study/lecam", "seed": 1, "why": "no space left"})
    page.write(path, tmp_path / "runs")
    text = path.read_text(encoding="utf-8")
    assert cells(details(path), "`study/hinge`")[8] == "1.600 ± 0.100"
    assert "Failed: `study/hinge` seed 4 (loss/generator is nan), `study/lecam` seed 1 (no space left)." in text
    (missing,) = [line for line in text.splitlines() if line.startswith("Not run: ")]
    assert "`study/lecam`" not in missing


def test_two_seeds_are_not_enough_for_marks(tmp_path, write_run):
    for arm, seeds, fd in (("study-base", (1, 2, 3), 2.0), ("study-hinge", (1, 2), 1.0), ("study-r3", (1, 2, 3), 1.0)):
        for seed in seeds:
            write_run(arm, seed, FD=fd)
    page.write(tmp_path / "study.md", tmp_path / "runs")
    text = details(tmp_path / "study.md")
    assert cells(text, "`study/hinge`")[8] == "1.000 ± 0.000"
    assert cells(text, "`study/r3`")[8] == "**1.000 ± 0.000**"
    shutil.rmtree(tmp_path / "runs" / "study-base" / "seed_3")
    (tmp_path / "study.json").unlink()
    page.write(tmp_path / "study.md", tmp_path / "runs")
    assert cells(details(tmp_path / "study.md"), "`study/r3`")[8] == "1.000 ± 0.000"


def test_arms_of_small_data_are_marked_against_the_first_of_their_size(tmp_path, write_run):
    for n, fds in {500: (5.0, 3.0), 2000: (2.0, 4.0)}.items():
        for arm, fd in zip(("study-base", "study-ada"), fds, strict=True):
            for seed in (1, 2, 3):
                write_run(f"{arm}-data.subset.n_{n}", seed, FD=fd + seed / 10)
    page.write(tmp_path / "small.md", tmp_path / "runs", TABLES["small_data"], tmp_path / "study.md")
    text = details(tmp_path / "small.md")
    assert cells(text, "`study/ada data.subset.n=500`")[8] == "**3.200 ± 0.100**"
    assert cells(text, "`study/ada data.subset.n=2000`")[8] == "*4.200 ± 0.100*"
    assert cells(text, "`study/base data.subset.n=2000`")[:2] == ["2,000 images", "`study/base data.subset.n=2000`"]
    assert "40 seconds" in text


def test_trainings_are_counted_by_date_and_hardware():
    made = {"date": "2026-01-02T03:04:05+00:00", "hardware": "CPU Example, 1 threads", "commit": None, "torch": "2.9"}
    dates = (made, made | {"date": "2026-01-04T00:00:00+00:00"}, made | {"torch": "3.0"}, None)
    assert page.trained([{"made": each} for each in dates] + [{}]) == [
        "Trainings: 2 on CPU Example, 1 threads, torch 2.9 (2026-01-02 to 2026-01-04); "
        "1 on CPU Example, 1 threads, torch 3.0 (2026-01-02); 2 without a record of date and hardware."
    ]
    assert page.trained([]) == []


def test_the_table_of_the_document_is_made_of_the_values_beside_it(tmp_path):
    """A table changed by hand or not written again fails here."""
    docs = Path(__file__).resolve().parents[2] / "docs"
    for table in TABLES.values():
        for name in (f"{table.page}.md", f"{table.page}_details.md", f"{table.page}.json"):
            shutil.copy(docs / name, tmp_path / name)
        page.write(tmp_path / f"{table.page}.md", tmp_path / "no_runs", table, tmp_path / "study.md")
        for name in (f"{table.page}.md", f"{table.page}_details.md", f"{table.page}.json"):
            assert (tmp_path / name).read_text(encoding="utf-8") == (docs / name).read_text(encoding="utf-8")


def test_without_any_run_there_is_no_table(tmp_path):
    block = page.write(tmp_path / "study.md", tmp_path / "runs")
    assert "|" not in block
    assert "Not run: `study/base`" in block


def test_the_document_has_its_block_and_the_scores_are_explained():
    docs = Path(__file__).resolve().parents[2] / "docs"
    assert "<!-- arms:begin -->" in (docs / "study.md").read_text(encoding="utf-8")
    metrics = (docs / "metrics.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in metrics for name in SCORES.values())


@pytest.mark.parametrize(
    ("groups", "better", "winner"),
    [
        ([[1.0, 1.2], [2.0, 2.2]], "lower", 0),
        ([[1.0, 1.2], [2.0, 2.2]], "higher", 1),
        ([[1.0, 2.0], [2.0, 3.0]], "lower", None),  # gap 1 < 2 * 0.707
        ([[1.0], [2.0]], "lower", None),  # no spread is known
        ([[1.0, 1.0], [2.0, 2.0], [math.nan]], "lower", 0),  # a group without a value does not take part
        ([[1.0, math.nan], [2.0, 2.0]], "lower", None),
        ([[9.0, 9.1], [2.0, 2.1], [5.0, 5.1]], "lower", 1),
        ([[1.0, 1.1]], "lower", None),
    ],
)
def test_clear_winner(groups, better, winner):
    assert clear_winner([spread(values) for values in groups], Protocol(better, (), ())) == winner


@pytest.mark.parametrize(
    ("groups", "winner"),
    [
        ([[0.2, 0.21], [0.45, 0.46]], 1),  # 0.295 against 0.045 away from 0.5
        ([[0.8, 0.81], [0.45, 0.46]], 1),
        ([[0.56, 0.57], [0.45, 0.46]], 1),  # 0.065 against 0.045: ahead by 0.02, more than 2 * 0.0071
        ([[0.44, 0.45], [0.55, 0.56]], None),  # equally far, however different
        ([[0.1, 0.9], [0.7, 0.71]], None),  # the mean is right by chance: its spread is wide
    ],
)
def test_clear_winner_is_the_nearest_to_real(groups, winner):
    assert clear_winner([spread(values) for values in groups], Protocol("real", (), (0.5,))) == winner

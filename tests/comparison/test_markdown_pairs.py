import csv
import math

import pytest

from fmcgan.comparison.comparison import PAIR_COLUMNS, compare, write_pairs
from fmcgan.comparison.markdown_page import page
from fmcgan.comparison.results import gather


def entry(value, better="lower", floor=1.5):
    interval = None if value is None else [value - 0.1, value + 0.1]
    return {"value": value, "floor": floor, "better": better, "n": 10000, "interval": interval, "by_class": [None] * 10}


@pytest.fixture
def write_groups(write_run, tmp_path):
    """Writes one run for each group and seed; ``scores(group, seed)`` gives what stands in its result."""

    def write(groups, seeds, scores):
        for group in groups:
            for seed in seeds:
                folder = f"{group}{seed}"
                write_run(folder, [f"loss={group}"], [], (1000, 0.0), seed=seed, scores=scores(group, seed))
        return tmp_path / "runs"

    return write


@pytest.fixture
def two(write_groups):
    """Differences a - b: fd -3, -5, -4; ssim, whose real value is 0.5, 0.1 against 0.2, 0.21, 0.19 away."""
    fd = {"a": [10.0, 12.0, 11.0], "b": [13.0, 17.0, 15.0]}
    ssim = {"a": [0.4, 0.6, 0.4], "b": [0.7, 0.29, 0.31]}
    return write_groups(
        "ab",
        range(3),
        lambda loss, seed: {"fd": entry(fd[loss][seed]), "ssim": entry(ssim[loss][seed], "real", 0.5)},
    )


def page_of(runs):
    return page(gather([runs]), figures=[])


def csv_of(runs, folder):
    write_pairs(folder / "pairs.csv", gather([runs]))
    with (folder / "pairs.csv").open() as file:
        return list(csv.DictReader(file))


def rows_of(text, title):
    """The cells of the table below a heading, without its head."""
    section = text.split(f"### {title}\n")[1].split("\n#")[0]
    return [[cell.strip() for cell in line[2:-2].split(" | ")] for line in section.splitlines() if line[:1] == "|"][2:]


def test_page_says_what_the_pairs_show(two, tmp_path):
    text = page_of(two)
    assert "- **A**: `loss=a`\n- **B**: `loss=b`\n" in text
    assert rows_of(text, "Pairs at the end") == [
        # 4.302653 / sqrt(3) = 2.484
        [
            *("fd ↓", "A", "B", "-4.000 ± 1.000", "-6.484", "-1.516", "4.00"),
            "**A is significantly lower (better)**",
        ],
        # distances differ by -0.1, -0.11, -0.09: standard deviation 0.01, half-width 0.02484
        [
            *("ssim → real", "A", "B", "-0.1000 ± 0.0100", "-0.1248", "-0.0752", "10.00"),
            "**A is significantly nearer to real data (better)**",
        ],
    ]
    assert "2 tests, not corrected" in text
    assert "Metrics marked → real" in text
    assert text.count("The same numbers as at the end.") == 2  # one evaluation a run: the budgets change nothing
    assert "choice by the same numbers" not in text
    assert "- `ssim`: nearer to real data is better, measured on 10,000 images." in text


@pytest.mark.parametrize(("floor", "winner"), [(0.5, "a"), (0.1, "b"), (None, "")])
def test_main_table_marks_the_nearest_to_real(write_groups, floor, winner):
    ssim = {"a": [0.45, 0.46], "b": [0.2, 0.21]}
    text = page_of(write_groups("ab", [0, 1], lambda loss, seed: {"ssim": entry(ssim[loss][seed], "real", floor)}))
    table = text.split("## At the end")[1]
    head, _, *lines = [line for line in table.splitlines() if line.startswith("|")][:4]
    assert " ssim → real |" in head
    assert [line[8] for line in lines if "**" in line] == list(winner)  # | `loss=a` |


def test_csv_holds_all_digits(two, tmp_path):
    rows = csv_of(two, tmp_path)
    assert [(row["table"], row["score"]) for row in rows] == [
        (table, score) for table in ("end", "equal_images", "equal_time") for score in ("fd", "ssim")
    ]
    fd, ssim = rows[:2]
    assert (fd["a"], fd["b"], fd["seeds"], fd["pairs"], fd["better"]) == ("loss=a", "loss=b", "0 1 2", "3", "lower")
    assert [float(fd[key]) for key in ("mean_a", "mean_b", "difference", "std", "ratio")] == [
        11.0,
        15.0,
        -4.0,
        1.0,
        4.0,
    ]
    assert float(fd["low"]) == pytest.approx(-4 - 4.30265273 / math.sqrt(3), rel=1e-9)
    assert float(fd["high"]) == pytest.approx(-4 + 4.30265273 / math.sqrt(3), rel=1e-8)
    assert (fd["compared"], fd["larger_than_spread"], fd["ahead"]) == ("value", "yes", "loss=a")
    assert fd["verdict"] == "loss=a is significantly lower (better)"
    assert (ssim["compared"], ssim["better"], ssim["ahead"]) == ("distance to real", "real", "loss=a")
    assert float(ssim["difference"]) == pytest.approx(-0.1, rel=1e-12)
    assert float(ssim["mean_b"]) == pytest.approx(1.3 / 3, rel=1e-12)


def test_one_seed_leaves_cells_empty(write_groups, tmp_path):
    values = {"a": 5.0, "b": 3.0}
    runs = write_groups("ab", [0], lambda loss, _: {"fd": entry(values[loss]), "gap": entry(None, floor=None)})
    text = page_of(runs)
    assert rows_of(text, "Pairs at the end") == [
        ["fd ↓", "A", "B", "2.000", "—", "—", "—", "one pair only: no test"],
        ["gap ↓", "A", "B", "—", "—", "—", "—", "no common seed has both values"],
    ]
    assert "not corrected" not in text
    fd, gap = csv_of(runs, tmp_path)[:2]
    assert (fd["pairs"], fd["difference"], fd["ahead"]) == ("1", "2.0", "loss=b")
    assert [fd[key] for key in ("std", "low", "high", "ratio", "larger_than_spread")] == [""] * 5
    assert (gap["pairs"], gap["seeds"], gap["mean_a"], gap["difference"], gap["ahead"]) == ("0", "", "", "", "")


def test_equal_differences_and_missing_values_read_well(write_groups, tmp_path):
    def scores(loss, seed):
        gap = None if (loss, seed) == ("b", 2) else seed + (loss == "a") * (2.0 + 0.25 * seed)
        return {"same": entry(seed), "shift": entry(seed + (loss == "b") * 2.0, "higher"), "gap": entry(gap)}

    rows = rows_of(page_of(write_groups("ab", range(3), scores)), "Pairs at the end")
    assert rows[0][3:6] == ["2.125 ± 0.177 (2 of 3)", "0.537", "3.713"]  # 2, 2.25: 2.125 ± 12.7062 / 8
    assert rows[1][3:] == ["0.00 ± 0.00", "0.00", "0.00", "—", "equal in all 3 pairs"]
    assert rows[2][3:] == [
        *("-2.000 ± 0.000", "-2.000", "-2.000", "&#62; 1,000"),
        "**B is significantly higher (better)**",
    ]


@pytest.mark.parametrize(("groups", "shown", "stored"), [("abcd", 6, 6), ("abcde", 4, 10)])
def test_more_than_four_groups_are_set_against_the_best(write_groups, tmp_path, groups, shown, stored):
    runs = write_groups(groups, [0, 1], lambda loss, seed: {"fd": entry(abs(ord(loss) - ord("c")) + 0.1 * seed)})
    text = page_of(runs)
    pairs = [f"{row[1]} - {row[2]}" for row in rows_of(text, "Pairs at the end")]
    assert len(pairs) == shown
    assert (pairs == ["C - A", "C - B", "C - D", "C - E"]) == (shown == 4)
    assert ("choice by the same numbers" in text) == (shown == 4)
    assert len(csv_of(runs, tmp_path)) == 3 * stored


def test_budgets_have_pairs_of_their_own(write_run, tmp_path):
    for seed in (0, 1):
        write_run(f"a{seed}", ["x=a"], [(1000, 10.0, 7.0 + seed), (2000, 20.0, 1.0)], (2000, 1.0), seed, seconds=20.0)
        write_run(f"b{seed}", ["x=b"], [(1000, 20.0, 5.0)], (1000, 5.0), seed, seconds=20.0)
    text = page_of(tmp_path / "runs")
    assert rows_of(text, "Pairs at the end")[0][3] == "-4.000 ± 0.000"
    assert rows_of(text, "Pairs at equal images")[0][3] == "2.500 ± 0.707"
    assert text.split("### Pairs at equal time\n\n")[1].startswith("The same numbers as at the end.")


def test_budget_without_scores_is_said(write_run, tmp_path):
    write_run("a", ["x=a"], [], (1000, 7.0), seconds=20.0)
    write_run("b", ["x=b"], [], (500, 7.0), seconds=5.0, scores={})  # ends before a is evaluated
    text = page_of(tmp_path / "runs")
    assert [row[-1] for row in rows_of(text, "Pairs at the end")] == ["no common seed has both values"]
    for title in ("Pairs at equal images", "Pairs at equal time"):
        assert f"### {title}\n\nNo metric was measured within this budget.\n" in text


@pytest.mark.train
def test_compare_writes_both(two, tmp_path):
    assert "## Pairs of groups\n" in compare([two], tmp_path / "out").read_text(encoding="utf-8")
    assert (tmp_path / "out" / "pairs.csv").read_text(encoding="utf-8").count("\n") == 7


def test_one_group_has_no_section(write_run, tmp_path):
    write_run("0", [], [], (1000, 5.0))
    text = page_of(tmp_path / "runs")
    assert "Pairs of groups" not in text
    assert csv_of(tmp_path / "runs", tmp_path) == []
    assert (tmp_path / "pairs.csv").read_text(encoding="utf-8") == ",".join(PAIR_COLUMNS) + "\n"


def test_repeated_seed_is_explained(write_run, tmp_path):
    write_run("0", ["x=a"], [], (1000, 5.0))
    write_run("1", ["x=a"], [], (1000, 7.0))
    write_run("2", ["x=b"], [], (1000, 4.0))
    text = page_of(tmp_path / "runs")
    assert "a repeated seed counts once with the mean of its runs" in text
    assert rows_of(text, "Pairs at the end")[0][3] == "2.000"  # (5 + 7) / 2 - 4

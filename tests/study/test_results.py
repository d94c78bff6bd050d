import json
import shutil
from pathlib import Path

import pytest

from fmcgan.app.errors import UserError
from study import results
from study.results import SCORES


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "README.md"
    path.write_text("before\n<!-- recipes:begin -->\nold\n<!-- recipes:end -->\nafter\n")
    return path


@pytest.fixture
def evaluate():
    """Stands for the command: writes an evaluation whose values follow from the seed, and counts."""

    def evaluate(run):
        evaluate.asked.append(run.name)
        seed = json.loads((run / "result.json").read_text(encoding="utf-8"))["seed"]
        score = {"value": 0.1 * seed, "floor": 0.025, "better": "lower", "n": 9}
        (run / "evaluation.json").write_text(json.dumps({"scores": dict.fromkeys(SCORES.values(), score)}))

    evaluate.asked = []
    return evaluate


def cells(text, row):
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {row}")]
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def test_a_column_for_each_recipe_that_was_run(tmp_path, page, write_run, evaluate):
    for seed in (1, 2, 3):
        write_run("quick", seed, FD=1.0)
    write_run("best", 1, images_seen=3_000_000, FD=1.0)
    write_run("recipe_b", 1)  # begun only
    (tmp_path / "study").mkdir()
    (tmp_path / "runs" / "best").rename(tmp_path / "study" / "best")
    block = results.write(page, tmp_path / "results.json", [tmp_path / "runs", tmp_path / "study"], evaluate)
    assert page.read_text(encoding="utf-8") == f"before\n<!-- recipes:begin -->\n{block}\n<!-- recipes:end -->\nafter\n"
    assert cells(block, " |") == ["`quick`", "`best`", "real data"]
    assert cells(block, "seeds") == ["1, 2, 3", "1", ""]
    assert cells(block, "images seen") == ["600", "3,000,000", ""]
    assert cells(block, "parameters of G") == ["1,234,567", "1,234,567", ""]
    assert cells(block, "Fréchet distance ↓") == ["0.2000 ± 0.1000", "0.1000", "0.02500"]  # 0.1, 0.2, 0.3
    assert "Not run here yet: `recipe_a_vanilla`, `recipe_a_wgan_gp`, `recipe_b`, `minute`." in block


def test_what_is_evaluated_is_not_evaluated_again(tmp_path, page, write_run, evaluate):
    write_run("quick", 1, FD=1.0)
    write_run("quick", 2, FD=1.0)
    results.write(page, tmp_path / "results.json", [tmp_path / "runs"], evaluate)
    results.write(page, tmp_path / "results.json", [tmp_path / "runs"], evaluate)
    assert evaluate.asked == ["seed_1", "seed_2"]
    (tmp_path / "runs" / "quick" / "seed_2" / "evaluation.json").write_text(json.dumps({"scores": {}}))  # others
    results.write(page, tmp_path / "results.json", [tmp_path / "runs"], evaluate)
    assert evaluate.asked == ["seed_1", "seed_2", "seed_2"]


def test_the_table_outlives_the_run_folders(tmp_path, page, write_run, evaluate):
    values = tmp_path / "results.json"
    for seed in (1, 2):
        write_run("quick", seed, FD=1.0)
    results.write(page, values, [tmp_path / "runs"], evaluate)
    shutil.rmtree(tmp_path / "runs")
    write_run("quick", 5, FD=1.0)
    write_run("best", 1, FD=1.0)
    block = results.write(page, values, [tmp_path / "runs"], evaluate)
    assert evaluate.asked == ["seed_1", "seed_2", "seed_5", "seed_1"]
    assert cells(block, "seeds") == ["1, 2, 5", "1", ""]
    assert cells(block, "Fréchet distance ↓") == ["0.2667 ± 0.2082", "0.1000", "0.02500"]  # 0.1, 0.2, 0.5


def test_without_a_run_the_page_stays(tmp_path, page):
    before = page.read_text(encoding="utf-8")
    with pytest.raises(UserError, match=r"no finished run of recipe_a_vanilla, .* in"):
        results.write(page, tmp_path / "results.json", [tmp_path / "runs"])
    assert page.read_text(encoding="utf-8") == before


def test_minutes_are_those_of_the_fastest_run_that_knows_them_with_its_threads(tmp_path, page, write_run, evaluate):
    known = {"date": "2026-01-02T03:04:05+00:00", "packages": {"torch": "2.9"}}
    for seed, threads in ((1, 1), (2, 2)):
        write_run("quick", seed, FD=1.0)
        folder = tmp_path / "runs" / "quick" / f"seed_{seed}"
        result = json.loads((folder / "result.json").read_text(encoding="utf-8")) | {
            "training_seconds": 60.0 * 3 / threads
        }
        (folder / "result.json").write_text(json.dumps(result))
        hardware = {"hardware": f"CPU Example, {threads} threads"}
        (folder / "environment.json").write_text(json.dumps(known | hardware))
    write_run("quick", 3, FD=1.0)
    write_run("best", 1, FD=1.0)
    block = results.write(page, tmp_path / "results.json", [tmp_path / "runs"], evaluate)
    assert cells(block, "minutes of the fastest run (threads)") == ["1.5 (2)", "—", ""]


def test_the_tables_of_the_documents_are_made_of_the_values_in_docs(tmp_path):
    checkout = Path(__file__).resolve().parents[2]
    documents = {"README.md": checkout / "README.md"} | {
        name: checkout / "docs" / name for name in ("results.md", "results.json")
    }
    for name, path in documents.items():
        shutil.copy(path, tmp_path / name)
    page, values, readme = (tmp_path / name for name in ("results.md", "results.json", "README.md"))
    results.write(page, values, [tmp_path / "no_runs"], readme=readme)
    for name, path in documents.items():
        assert (tmp_path / name).read_text(encoding="utf-8") == path.read_text(encoding="utf-8")


def test_the_short_table_has_a_row_for_each_recipe_of_today(tmp_path, page, write_run, evaluate):
    readme = tmp_path / "short.md"
    readme.write_text("<!-- recipes:begin -->\n<!-- recipes:end -->\n")
    for seed in (1, 3):
        write_run("quick", seed, FD=1.0)
    write_run("recipe_b", 1, FD=1.0)
    results.write(page, tmp_path / "results.json", [tmp_path / "runs"], evaluate, readme)
    lines = readme.read_text(encoding="utf-8").splitlines()
    assert [line.split("|")[1].strip() for line in lines[1:-1]] == [
        "recipe",
        "---",
        "`experiment=quick`",
        "real images",
    ]
    assert cells("\n".join(lines), "`experiment=quick`")[1:3] == ["2", "0.2000 ± 0.1414"]  # 0.1 and 0.3
    assert cells("\n".join(lines), "real images")[2] == "0.02500"

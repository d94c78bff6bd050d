import json
from pathlib import Path

import pytest

from benchmarks import page
from benchmarks.__main__ import PARTS

MEASURED = {
    "rows": [{"network": "dcgan", "images/s": {"median": 413.0, "quartiles": [402.5, 420.0], "n": 5}}],
    "date": "2026-01-02T03:04:05+00:00",
    "command": "python -m benchmarks training",
    "git": {"commit": "0123456789abcdef", "changed": True},
    "hardware": "CPU Example, 2 threads",
    "instructions": {"torch": "AVX512", "processor": ["avx512_bf16"]},
    "data": "Fashion-MNIST",
    "python": "3.12.1",
    "packages": {"torch": "2.9", "lightning": "2.6.6", "fmcgan": "0.1.0"},
}


def test_only_the_block_is_replaced():
    text = "before\n<!-- a:begin -->\nold\n<!-- a:end -->\nbetween\n<!-- b:begin -->\nkept\n<!-- b:end -->\nafter\n"
    assert page.replace_block(text, "a", "new") == text.replace("old", "new")


def test_a_block_that_is_not_there_is_added_at_the_end():
    text = page.replace_block("# Page\n", "floor_cuda", "table")
    assert text == "# Page\n\n## floor_cuda\n\n<!-- floor_cuda:begin -->\ntable\n<!-- floor_cuda:end -->\n"
    assert page.replace_block(text, "floor_cuda", "new") == text.replace("table", "new")


def test_a_block_without_an_end_is_refused():
    with pytest.raises(ValueError, match="is not followed by"):
        page.replace_block("<!-- a:begin -->\nold\n", "a", "new")


def test_table_shows_medians_with_quartiles_and_what_is_missing():
    rows = [
        {"network": "mlp", "images/s": {"median": 1234.5, "quartiles": [1200.0, 1300.0], "n": 3}, "steps": 2000},
        {"network": "conv", "share %": 12.345},
    ]
    assert page.table(rows).splitlines() == [
        "| network | images/s | steps | share % |",
        "| --- | ---: | ---: | ---: |",
        "| mlp | 1,234 (1,200 to 1,300) | 2,000 | — |",
        "| conv | — | — | 12.35 |",
    ]


def test_page_and_values_are_written_and_other_parts_kept(tmp_path: Path):
    path = tmp_path / "performance.md"
    page.write(path, "training", MEASURED)
    page.write(path, "floor", MEASURED | {"rows": [{"share %": 50.0}]})
    page.write(path, "training", MEASURED | {"rows": [{"network": "mlp"}]})
    text, values = path.read_text(encoding="utf-8"), json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert "| mlp |" in text
    assert "dcgan" not in text
    assert "| 50.00 |" in text
    assert (
        "*CPU Example, 2 threads; avx512-bf16; Fashion-MNIST; Python 3.12.1, torch 2.9, lightning 2.6.6, fmcgan 0.1.0, "
        "commit 0123456789 with changes; 2026-01-02; `python -m benchmarks training`*"
    ) in text
    assert values["training"]["rows"] == [{"network": "mlp"}]
    assert values["floor"]["rows"] == [{"share %": 50.0}]


def test_every_part_has_its_place_in_the_document():
    text = (Path(__file__).resolve().parents[2] / "docs" / "performance.md").read_text(encoding="utf-8")
    for part in PARTS:
        assert f"<!-- {part}:begin -->" in text

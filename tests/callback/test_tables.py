"""CSV and JSON lines of a run hold the same rows at any time."""

import csv
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from fmcgan.app.run_files import read_metrics
from fmcgan.callback import metrics_logger
from fmcgan.callback.metrics_logger import EpochTable, MetricsTable

NAMES = st.sampled_from(["loss/generator", "score/fd", 'odd, "name"', "evaluation_share"])
ROWS = st.lists(st.dictionaries(NAMES, st.floats(-1e38, 1e38)), min_size=1, max_size=12)


def in_csv(folder):
    with (folder / "metrics.csv").open(encoding="utf-8", newline="") as file:
        return [{name: json.loads(value) for name, value in row.items() if value} for row in csv.DictReader(file)]


@settings(derandomize=True, max_examples=60, deadline=None)
@given(rows=ROWS, killed=st.integers(0, 12), cut=st.booleans())
def test_both_files_hold_the_same_rows_after_each_row_and_each_resumption(tmp_path_factory, rows, killed, cut):
    folder = tmp_path_factory.mktemp("run")
    rows = [{"images_seen": 32 * (number + 1), "epoch": 1.5, "seconds": 0.25, **row} for number, row in enumerate(rows)]
    table = MetricsTable(folder)
    for number, row in enumerate(rows):
        table.append(row)
        assert in_csv(folder) == read_metrics(folder / "metrics.jsonl") == rows[: number + 1]
    if cut:
        with (folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write('{"images_se')
    table = MetricsTable(folder)
    kept = rows[:killed]
    assert table.drop_after(32 * killed) == len(rows) - len(kept)
    for row in rows[killed:]:
        table.append(row)
    assert in_csv(folder) == read_metrics(folder / "metrics.jsonl") == rows


def test_a_row_costs_the_same_however_many_there_are(tmp_path, monkeypatch):
    """No file is read or written anew for a row without a new column."""
    table = MetricsTable(tmp_path)
    for number in range(3):
        table.append({"images_seen": number, "epoch": 1.0, "seconds": 2.0, "loss": 0.5})
    monkeypatch.setattr(metrics_logger.run_dir, "write_atomically", None)
    monkeypatch.setattr(metrics_logger, "read_metrics", None)
    for number in range(3, 2000):
        table.append({"images_seen": number, "epoch": 1.0, "seconds": 2.0, "loss": 0.5})
    monkeypatch.undo()
    assert len(in_csv(tmp_path)) == len(read_metrics(tmp_path / "metrics.jsonl")) == 2000


def test_an_epoch_that_is_repeated_replaces_its_row(tmp_path):
    for first in (1, 2, 4):
        table = EpochTable(tmp_path)
        for epoch in range(first, first + 3):
            table.write(epoch, {"loss/generator": first + epoch / 10}, minutes=epoch)
    with (tmp_path / "epochs.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4", "5", "6"]
    assert [row["generator_loss"] for row in rows] == ["1.1", "2.2", "2.3", "4.4", "4.5", "4.6"]
    assert rows[0]["discriminator_loss"] == ""

"""Tables of a run: ``metrics.jsonl``, ``metrics.csv`` and ``epochs.csv``."""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from fmcgan.app import run_dir
from fmcgan.app.run_files import read_epochs, read_metrics

_EPOCH_COLUMNS = {
    "generator_loss": "loss/generator",
    "discriminator_loss": "loss/discriminator",
    "generator_gradient_norm": "gradient_norm/generator",
    "discriminator_gradient_norm": "gradient_norm/discriminator",
}


class MetricsTable:
    """The metrics of a run folder as JSON lines and as CSV, with empty cells if a row lacks a column."""

    def __init__(self, folder: Path) -> None:
        self._lines = folder / run_dir.METRICS_JSONL
        self._csv = folder / run_dir.METRICS_CSV
        self._columns: list[str] = []

    def append(self, row: Mapping[str, float]) -> None:
        """Adds a row to both files; rewrites the CSV if the row has a new column."""
        run_dir.append_line(self._lines, json.dumps(row))
        if row.keys() <= set(self._columns):
            run_dir.append_line(self._csv, _csv_text([row], self._columns).rstrip("\n"))
        else:
            self._rewrite_csv(read_metrics(self._lines))

    def drop_after(self, images_seen: int) -> int:
        """Drops the rows after a number of images seen from both files; returns the number of dropped rows."""
        rows = read_metrics(self._lines)
        remaining = [row for row in rows if row["images_seen"] <= images_seen]
        if self._lines.exists():  # even without such rows: the last line may be truncated
            run_dir.write_atomically(self._lines, "".join(json.dumps(row) + "\n" for row in remaining))
            self._rewrite_csv(remaining)
        return len(rows) - len(remaining)

    def _rewrite_csv(self, rows: list[dict[str, float]]) -> None:
        self._columns = list(dict.fromkeys(name for row in rows for name in row))
        header = dict(zip(self._columns, self._columns, strict=True))
        run_dir.write_atomically(self._csv, _csv_text([header, *rows], self._columns) if rows else "")


class EpochTable:
    """The means of each epoch as CSV in a run folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / run_dir.EPOCHS_CSV
        self._last: int | None = None
        self._columns: list[str] = []

    def write(self, epoch: int, means: Mapping[str, float], minutes: float) -> None:
        """Adds one row; drops rows of this and later epochs, left by a killed session."""
        row = {"epoch": str(epoch)}
        row |= {column: f"{means[name]:.6g}" if name in means else "" for column, name in _EPOCH_COLUMNS.items()}
        row |= {"minutes": f"{minutes:.3f}"}
        if self._last is not None and epoch > self._last:
            run_dir.append_line(self._path, _csv_text([row], self._columns).rstrip("\n"))
        else:
            rows = [each for each in read_epochs(self._path) if int(each["epoch"]) < epoch] + [row]
            self._columns = list(row | {name: "" for each in rows for name in each})  # with those of older versions
            header = dict(zip(self._columns, self._columns, strict=True))
            run_dir.write_atomically(self._path, _csv_text([header, *rows], self._columns))
        self._last = epoch


def _csv_text(rows: Iterable[Mapping[str, object]], columns: Iterable[str]) -> str:
    content = io.StringIO()
    csv.DictWriter(content, list(columns), extrasaction="ignore", lineterminator="\n").writerows(rows)
    return content.getvalue()

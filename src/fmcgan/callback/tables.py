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
            run_dir.append_line(self._csv, _csv_text([row], self._columns, header=False).rstrip("\n"))
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
        run_dir.write_atomically(self._csv, _csv_text(rows, self._columns) if rows else "")


class EpochTable:
    """The means of each epoch as CSV in a run folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / run_dir.EPOCHS_CSV
        self._rows: list[dict[str, str]] | None = None

    def write(self, epoch: int, means: Mapping[str, float], minutes: float) -> None:
        """Adds one row; drops rows of this and later epochs, left by a killed session."""
        row = {"epoch": str(epoch)}
        row |= {column: f"{means[name]:.6g}" if name in means else "" for column, name in _EPOCH_COLUMNS.items()}
        row |= {"minutes": f"{minutes:.3f}"}
        earlier = read_epochs(self._path) if self._rows is None else self._rows
        self._rows = [each for each in earlier if int(each["epoch"]) < epoch] + [row]
        columns = list(row | {name: "" for each in self._rows for name in each})  # with those of older versions
        run_dir.write_atomically(self._path, _csv_text(self._rows, columns))


def _csv_text(rows: Iterable[Mapping[str, object]], columns: Iterable[str], header: bool = True) -> str:
    content = io.StringIO()
    writer = csv.DictWriter(content, list(columns), extrasaction="ignore", lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return content.getvalue()

"""CSV files of a comparison, with all digits; formulas are escaped for spreadsheets."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from fmcgan.app.escaping import spreadsheet_cell
from fmcgan.app.run_dir import write_atomically
from fmcgan.comparison.results import Comparison
from fmcgan.comparison.runs import Run
from fmcgan.comparison.statistics import Pairing, every_pair, spread

PAIR_COLUMNS = (
    *("table", "score", "better", "a", "b", "seeds", "pairs", "mean_a", "mean_b"),
    *("compared", "difference", "std", "low", "high", "ratio", "larger_than_spread", "ahead", "verdict"),
)


def write_groups(path: Path, comparison: Comparison) -> None:
    """Writes one row per group, with columns such as ``equal_time/score/NAME/mean``, ``.../std`` and ``.../n``.

    ``std`` is empty for one run.
    """
    rows = []
    for index, group in enumerate(comparison.groups):
        seeds = " ".join("?" if seed is None else str(seed) for seed in group.seeds)
        row: dict[str, object] = {"group": group.label, "runs": len(group.runs), "seeds": seeds}
        for table in comparison.tables:
            for key in table.keys:
                values = table.spreads(key)[index]
                std = values.std if values.n > 1 else math.nan
                row |= {f"{table.name}/{key}/mean": values.mean, f"{table.name}/{key}/std": std}
                row[f"{table.name}/{key}/n"] = values.n
        rows.append(row)
    _write(path, rows)


def write_runs(path: Path, comparison: Comparison) -> None:
    """Writes one row per run; unfinished runs come last, without group and values."""
    rows = []
    for index, group in enumerate(comparison.groups):
        for member, run in enumerate(group.runs):
            row = _about(run, comparison, group.label)
            for table in comparison.tables:
                row |= {f"{table.name}/{key}": table.runs[index][member].get(key) for key in table.keys}
            rows.append(row)
    rows += [_about(run, comparison, "") for run in comparison.others]
    _write(path, rows)


def write_pairs(path: Path, comparison: Comparison) -> None:
    """Writes one row for each pair of groups, each metric and each table.

    ``compared`` is ``value`` or ``distance to real``; ``mean_a`` and ``mean_b`` are means of the values over ``seeds``;
    ``larger_than_spread`` is ``yes`` for a significant difference. Statistics of fewer than two pairs are empty.
    """
    labels = [group.label for group in comparison.groups]
    pairings = [(table.name, pairing) for table in comparison.tables for pairing in every_pair(table)]
    _write(path, [{"table": name} | _pairing(pairing, labels) for name, pairing in pairings], PAIR_COLUMNS)


def _pairing(pairing: Pairing, labels: Sequence[str]) -> dict[str, object]:
    difference = pairing.difference
    is_tested = difference.n > 1
    low, high = difference.interval
    return {
        "score": pairing.metric,
        "better": pairing.protocol.better,
        "a": labels[pairing.first],
        "b": labels[pairing.second],
        "seeds": " ".join(map(str, pairing.seeds)),
        "pairs": difference.n,
        "mean_a": spread(a for a, _ in pairing.values).mean,
        "mean_b": spread(b for _, b in pairing.values).mean,
        "compared": "distance to real" if pairing.protocol.direction == "real" else "value",
        "difference": difference.mean,
        "std": difference.std if is_tested else None,
        "low": low,
        "high": high,
        "ratio": pairing.ratio,
        "larger_than_spread": ("yes" if pairing.is_significant else "no") if is_tested else None,
        "ahead": None if pairing.ahead is None else labels[pairing.ahead],
        "verdict": pairing.verdict(labels.__getitem__),
    }


def _about(run: Run, comparison: Comparison, group: str) -> dict[str, object]:
    return {
        "run": comparison.names[run.folder],
        "group": group,
        "overrides": " ".join(run.overrides),
        "seed": run.seed,
        "status": "finished" if run.finished else "not finished",
        "images_seen": run.images_seen,
        "minutes": run.seconds / 60,
    }


def _write(path: Path, rows: Sequence[Mapping[str, object]], columns: Sequence[str] = ()) -> None:
    """Writes a CSV; ``None`` and nan become empty cells."""
    columns = columns or list(dict.fromkeys(key for row in rows for key in row))
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    for cells in (columns, *([row.get(column) for column in columns] for row in rows)):
        known = (None if isinstance(value, float) and math.isnan(value) else value for value in cells)
        writer.writerow(map(spreadsheet_cell, known))
    write_atomically(path, content.getvalue())

"""A comparison as CSV, with all digits; text that a spreadsheet would run as a formula begins with an apostrophe."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fmcgan.app.escaping import spreadsheet_cell
from fmcgan.app.run_dir import write_atomically
from fmcgan.comparison.measurement import spread
from fmcgan.comparison.pairing import Pairing
from fmcgan.comparison.run import Run
from fmcgan.comparison.runs import Comparison

PAIR_COLUMNS = (
    *("table", "score", "better", "a", "b", "seeds", "pairs", "mean_a", "mean_b"),
    *("compared", "difference", "std", "low", "high", "ratio", "larger_than_spread", "ahead", "verdict"),
)


def write_groups(path: Path, comparison: Comparison) -> None:
    """Writes one row a group; columns such as ``equal_time/score/fd_classifier_10k_test/mean``, ``.../std``, ``.../n``.

    ``std`` is empty for one run.
    """
    rows = []
    for place, group in enumerate(comparison.groups):
        seeds = " ".join("?" if seed is None else str(seed) for seed in group.seeds)
        row: dict[str, Any] = {"group": group.label, "runs": len(group.runs), "seeds": seeds}
        for table in comparison.tables:
            for key in table.keys:
                values = table.spreads(key)[place]
                row[f"{table.name}/{key}/mean"] = _cell(values.mean)
                row[f"{table.name}/{key}/std"] = _cell(values.std) if values.n > 1 else ""
                row[f"{table.name}/{key}/n"] = values.n
        rows.append(row)
    _write(path, rows)


def write_runs(path: Path, comparison: Comparison) -> None:
    """Writes one row a run; those that did not finish stand last, without group and measurements."""
    rows = []
    for place, group in enumerate(comparison.groups):
        for member, run in enumerate(group.runs):
            row = _about(run, comparison, group.label)
            for table in comparison.tables:
                measured = table.runs[place][member]
                row |= {f"{table.name}/{key}": _cell(measured.get(key, math.nan)) for key in table.keys}
            rows.append(row)
    rows += [_about(run, comparison, "") for run in comparison.others]
    _write(path, rows)


def write_pairs(path: Path, comparison: Comparison) -> None:
    """Writes one row for each pair of groups, each score and each table.

    ``compared`` says whether the difference is one of ``value`` or of ``distance to real``; ``mean_a`` and ``mean_b``
    are means of the values over the ``seeds`` of the pairs. What less than two pairs cannot say is empty.
    """
    labels = [group.label for group in comparison.groups]
    rows = [
        {"table": table.name} | _pairing(pairing, labels)
        for table in comparison.tables
        for pairing in comparison.pairings(table)
    ]
    _write(path, rows, PAIR_COLUMNS)


def _pairing(pairing: Pairing, labels: Sequence[str]) -> dict[str, Any]:
    difference, (low, high) = pairing.difference, pairing.interval
    judged = difference.n > 1
    return {
        "score": pairing.score,
        "better": pairing.protocol.better,
        "a": labels[pairing.first],
        "b": labels[pairing.second],
        "seeds": " ".join(map(str, pairing.seeds)),
        "pairs": difference.n,
        "mean_a": _cell(spread(a for a, _ in pairing.values).mean),
        "mean_b": _cell(spread(b for _, b in pairing.values).mean),
        "compared": "distance to real" if pairing.protocol.direction == "real" else "value",
        "difference": _cell(difference.mean),
        "std": difference.std if judged else "",
        "low": _cell(low),
        "high": _cell(high),
        "ratio": "" if math.isnan(pairing.ratio) else pairing.ratio,
        "larger_than_spread": ("yes" if pairing.larger_than_spread else "no") if judged else "",
        "ahead": "" if pairing.ahead is None else labels[pairing.ahead],
        "verdict": pairing.verdict(labels),
    }


def _about(run: Run, comparison: Comparison, group: str) -> dict[str, Any]:
    return {
        "run": comparison.names[run.folder],
        "group": group,
        "overrides": " ".join(run.overrides),
        "seed": "" if run.seed is None else run.seed,
        "status": "finished" if run.finished else "not finished",
        "images_seen": run.images_seen,
        "minutes": run.seconds / 60,
    }


def _cell(value: float) -> float | str:
    return value if math.isfinite(value) else ""


def _write(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> None:
    content = io.StringIO()
    columns = columns or list(dict.fromkeys(key for row in rows for key in row))
    writer = csv.DictWriter(content, columns, lineterminator="\n")
    writer.writerow({column: spreadsheet_cell(column) for column in columns})
    writer.writerows({key: spreadsheet_cell(value) for key, value in row.items()} for row in rows)
    write_atomically(path, content.getvalue())

"""A comparison as CSV, with all digits."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fmcgan.report.gathering import Comparison
from fmcgan.report.run import Run
from fmcgan.run_folder import write_atomically


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


def _write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    content = io.StringIO()
    writer = csv.DictWriter(content, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(path, content.getvalue())

"""Compares runs at their end, at equal images and at equal time, and writes pages, tables and figures."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

from fmcgan.app import run_dir
from fmcgan.app.errors import UserError
from fmcgan.app.escaping import spreadsheet_cell
from fmcgan.comparison import overlay
from fmcgan.comparison.grouping import short_names
from fmcgan.comparison.html_page import SCORES_FIGURE, Samples, comparison_page
from fmcgan.comparison.markdown_page import SAMPLES_FIGURE, page
from fmcgan.comparison.results import Comparison, gather
from fmcgan.comparison.runs import Run
from fmcgan.comparison.statistics import Pairing, every_pair, spread
from fmcgan.figure.files import read_png, write_figure, write_png
from fmcgan.figure.grid import side_by_side

PAIR_COLUMNS = (
    *("table", "score", "better", "a", "b", "seeds", "pairs", "mean_a", "mean_b"),
    *("compared", "difference", "std", "low", "high", "ratio", "larger_than_spread", "ahead", "verdict"),
)


def compare(runs: Sequence[Path], output: Path) -> Path:
    """Compares groups of runs by tables and figures; runs of a group differ only in their seed.

    Args:
        runs: run folders, or folders above them such as that of a multirun.
        output: folder for ``comparison.md``, ``comparison.html`` (a single file), ``comparison.csv`` (one row per
            group), ``runs.csv`` (one row per run), ``pairs.csv`` (one row per pair of groups, metric and table),
            ``loss.png``, ``grad_norm.png``, and, if any run has metrics or samples, ``scores.png`` and
            ``samples.png``; of a search also ``search_history.png``, ``search_settings.png`` and, if there is one,
            ``search_importance.png`` and ``search_front.png``; charts also as SVG and PDF. It is created if missing.

    Returns:
        The path of ``comparison.md``.

    Raises:
        UserError: no run is found, a file is damaged, or no run is finished.
    """
    return write_comparison(gather(runs), output)


def write_comparison(comparison: Comparison, output: Path) -> Path:
    """Writes the files of `compare` and returns the path of ``comparison.md``."""
    output.mkdir(parents=True, exist_ok=True)
    samples = Samples([_last_grid(group.runs[0]) for group in comparison.groups], _real_grid(comparison))
    charts = _draw(comparison)
    for name, figure in charts.items():
        write_figure(figure, output / name)
    figures = _write_pictures(comparison, samples, output) + list(charts)
    write_groups(output / "comparison.csv", comparison)
    write_runs(output / "runs.csv", comparison)
    write_pairs(output / "pairs.csv", comparison)
    markdown = output / "comparison.md"
    run_dir.write_atomically(markdown, page(comparison, figures))
    run_dir.write_atomically(output / "comparison.html", comparison_page(comparison, charts, samples))
    return markdown


def _draw(comparison: Comparison) -> dict[str, Figure]:
    """Draws the curves, by the names of their files."""
    groups = [
        replace(group, label=name)
        for group, name in zip(comparison.groups, short_names(comparison.groups), strict=True)
    ]
    keys = {key for run in comparison.finished for row in run.evaluations for key in row if key.startswith("score/")}
    names = [key.removeprefix("score/") for key in sorted(keys)]
    scores = {SCORES_FIGURE: overlay.scores_figure(groups, names, comparison.end)} if names else {}
    return scores | {
        run_dir.LOSS_FIGURE: overlay.losses_figure(groups),
        run_dir.GRADIENT_NORM_FIGURE: overlay.gradient_norms_figure(groups),
    }


def _write_pictures(comparison: Comparison, samples: Samples, output: Path) -> list[str]:
    """Writes the figures of searches and the samples; returns the name of the latter, if there are any."""
    for picture in (picture for search in comparison.searches for picture in search.pictures):
        assert isinstance(picture.content, Figure)  # for the type checker
        write_figure(picture.content, output / f"{picture.name}.png")
    names = short_names(comparison.groups)
    grids = [
        (f"{name}, seed {group.runs[0].seed}", grid)
        for name, group, grid in zip(names, comparison.groups, samples.by_group, strict=True)
        if grid is not None
    ]
    if not grids:
        return []
    real = [("real images", samples.real)] if samples.real is not None else []
    write_png(side_by_side([*grids, *real]), output / SAMPLES_FIGURE)
    return [SAMPLES_FIGURE]


def _last_grid(run: Run) -> Image.Image | None:
    """Reads the last sample grid of a run, whose title names the epoch; None if there is none."""
    pictures = sorted((run.folder / run_dir.SAMPLES).glob("*.png"), key=lambda path: (len(path.name), path.name))
    return _read_grid(pictures[-1]) if pictures else None


def _real_grid(comparison: Comparison) -> Image.Image | None:
    """Reads the grid of real images of the first run that has one; runs of older versions have none."""
    paths = (run.folder / run_dir.REAL_IMAGES for run in comparison.finished)
    return next((_read_grid(path) for path in paths if path.is_file()), None)


def _read_grid(path: Path) -> Image.Image:
    try:
        return read_png(path)
    except UserError as error:
        raise UserError(f"{error}; remove it and compare again") from error


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
    _write_csv(path, rows)


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
    _write_csv(path, rows)


def write_pairs(path: Path, comparison: Comparison) -> None:
    """Writes one row for each pair of groups, each metric and each table.

    ``compared`` is ``value`` or ``distance to real``; ``mean_a`` and ``mean_b`` are means of the values over ``seeds``;
    ``larger_than_spread`` is ``yes`` for a significant difference. Statistics of fewer than two pairs are empty.
    """
    labels = [group.label for group in comparison.groups]
    pairings = [(table.name, pairing) for table in comparison.tables for pairing in every_pair(table)]
    _write_csv(path, [{"table": name} | _pairing(pairing, labels) for name, pairing in pairings], PAIR_COLUMNS)


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
        "status": run.status,
        "images_seen": run.images_seen,
        "minutes": run.seconds / 60,
    }


def _write_csv(path: Path, rows: Sequence[Mapping[str, object]], columns: Sequence[str] = ()) -> None:
    """Writes a CSV; ``None`` and nan become empty cells."""
    columns = columns or list(dict.fromkeys(key for row in rows for key in row))
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    for cells in (columns, *([row.get(column) for column in columns] for row in rows)):
        known = (None if isinstance(value, float) and math.isnan(value) else value for value in cells)
        writer.writerow(map(spreadsheet_cell, known))
    run_dir.write_atomically(path, content.getvalue())

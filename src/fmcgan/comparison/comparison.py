"""Compares runs at their end, at equal images and at equal time, and writes pages, tables and figures."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

from fmcgan.app import run_dir
from fmcgan.app.errors import UserError
from fmcgan.comparison import csv_files, html_page, overlay
from fmcgan.comparison.markdown_page import page
from fmcgan.comparison.results import Comparison, gather
from fmcgan.comparison.runs import Run, short_names
from fmcgan.figure.grid import side_by_side
from fmcgan.figure.png import read_png, write_png

PAGE = "comparison.md"
GROUPS_CSV = "comparison.csv"
RUNS_CSV = "runs.csv"
PAIRS_CSV = "pairs.csv"
SCORES_FIGURE = "scores.png"
SAMPLES_FIGURE = "samples.png"


def compare(runs: Sequence[Path], output: Path) -> Path:
    """Compares groups of runs by tables and figures; runs of a group differ only in their seed.

    Args:
        runs: run folders, or folders above them such as that of a multirun.
        output: folder for ``comparison.md`` (whose path is returned), ``comparison.html`` (a single file),
            ``comparison.csv`` (one row per group), ``runs.csv`` (one row per run), ``pairs.csv`` (one row per pair of
            groups, metric and table), ``loss.png``, ``grad_norm.png``, and, if any run has metrics or samples,
            ``scores.png`` and ``samples.png``. It is created if missing.

    Raises:
        UserError: no run is found, a file is damaged, or no run is finished.
    """
    comparison = gather(runs)
    output.mkdir(parents=True, exist_ok=True)
    figures = _draw(comparison, output)
    csv_files.write_groups(output / GROUPS_CSV, comparison)
    csv_files.write_runs(output / RUNS_CSV, comparison)
    csv_files.write_pairs(output / PAIRS_CSV, comparison)
    run_dir.write_atomically(output / PAGE, page(comparison, figures))
    run_dir.write_atomically(output / html_page.PAGE, html_page.comparison_page(comparison, output, figures))
    return output / PAGE


def _draw(comparison: Comparison, output: Path) -> list[str]:
    """Draws the figures and returns their names."""
    figures = [run_dir.LOSS_FIGURE, run_dir.GRADIENT_NORM_FIGURE]
    groups = [
        replace(group, label=name)
        for group, name in zip(comparison.groups, short_names(comparison.groups), strict=True)
    ]
    overlay.draw_losses(groups, output / run_dir.LOSS_FIGURE)
    overlay.draw_gradient_norms(groups, output / run_dir.GRADIENT_NORM_FIGURE)
    keys = {key for run in comparison.finished for row in run.evaluations for key in row if key.startswith("score/")}
    if keys:
        names = [key.removeprefix("score/") for key in sorted(keys)]
        overlay.draw_scores(groups, names, comparison.end, output / SCORES_FIGURE)
        figures.insert(0, SCORES_FIGURE)
    first = [(f"{group.label}, seed {group.runs[0].seed}", _last_grid(group.runs[0])) for group in groups]
    samples = [(title, grid) for title, grid in first if grid is not None]
    if samples:
        write_png(side_by_side(samples), output / SAMPLES_FIGURE)
        figures.append(SAMPLES_FIGURE)
    return figures


def _last_grid(run: Run) -> Image.Image | None:
    """Reads the last sample grid of a run, whose title names the epoch; None if there is none."""
    pictures = sorted((run.folder / run_dir.SAMPLES).glob("*.png"), key=lambda path: (len(path.name), path.name))
    if not pictures:
        return None
    try:
        return read_png(pictures[-1])
    except UserError as error:
        raise UserError(f"{error}; remove it and compare again") from error

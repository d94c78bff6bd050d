"""The home page of a run: samples, curves, metrics, links to what exists and commands that make the rest."""

import logging
import os
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from matplotlib.figure import Figure
from PIL import Image

from fmcgan.analysis.scores import class_panel
from fmcgan.analysis.section import Column, Table
from fmcgan.app import run_dir
from fmcgan.app.errors import UserError
from fmcgan.app.overrides import quoted, recipe, shell_command
from fmcgan.app.run_files import (
    Record,
    read_config,
    read_environment,
    read_evaluation,
    read_metrics,
    read_overrides,
    read_result,
)
from fmcgan.data.garments import info_of
from fmcgan.figure.chart import Chart, chart
from fmcgan.figure.confusions import agreement_figure
from fmcgan.figure.dots import class_dots_figure
from fmcgan.figure.files import FORMATS
from fmcgan.figure.run_curves import gradient_norm_figure, loss_figure
from fmcgan.figure.timelapse import evenly
from fmcgan.metric.results import BETTER
from fmcgan.report.evaluation_figures import AGREEMENT_FIGURE, BY_CLASS_FIGURE
from fmcgan.report.html import Cell, render_template, short

log = logging.getLogger(__name__)

MOST_FRAMES = 60  # of the film
_GRID = re.compile(r"epoch_(\d{1,9})\.png", re.ASCII)
_PAGES = {
    "analysis/report.html": "analysis: findings, figures and tables",
    "evaluation.md": "evaluation: metrics, baselines and classes",
    "comparison/comparison.html": "comparison",
}
_FILES = {
    run_dir.RESULT: "result: all metrics with their protocols",
    run_dir.EPOCHS_CSV: "means of each epoch",
    run_dir.METRICS_CSV: "all curves",
    run_dir.CONFIG: "configuration",
    run_dir.ENVIRONMENT: "versions, hardware and command",
    run_dir.TRAIN_LOG: "log",
}


@dataclass(frozen=True)
class Shown:
    """A picture in the run folder: its link and its size in CSS pixels."""

    link: str
    width: int
    height: int
    about: str


@dataclass(frozen=True)
class DrawnChart:
    """A chart, what it shows, and its files in the run folder: links and kinds."""

    chart: Chart
    about: str
    files: Sequence[tuple[str, str]]


def update_home(folder: Path) -> None:
    """Writes the home page of a run folder; logs one line if that fails, since the results are complete without."""
    try:
        write_home(folder)
    except Exception as error:
        log.warning("%s was not written: %s", folder / run_dir.HOME, " ".join(str(error).split()) or repr(error))


def refresh_home(run: Path | None, results: Path) -> None:
    """Updates the home page of a run if new results lie in its folder; does nothing in a folder of something else."""
    if run is not None and (run / run_dir.CONFIG).is_file() and results.resolve().is_relative_to(run.resolve()):
        update_home(run)


def write_home(folder: Path) -> Path:
    """Writes ``index.html`` into a run folder, with relative links to the files there, and returns its path.

    Raises:
        UserError: the folder cannot be written.
    """
    result = _read(read_result, folder / run_dir.RESULT)
    evaluation = _read(read_evaluation, folder / run_dir.EVALUATION)
    grids = evenly(sorted((int(found[1]), path) for path, found in _grids(folder)), MOST_FRAMES)
    frames = [(_link(folder, path), f"epoch {epoch}") for epoch, path in grids]
    page = render_template(
        "home.html.j2",
        name=run_dir.run_name(folder),
        facts=facts(folder, result),
        finished=bool(result) and result.get("status") == "finished",
        samples=_shown(folder, grids[-1][1], "Grid of samples, one class per row.") if grids else None,
        frames=frames if len(frames) > 1 else [],
        scores=_score_tables(result, evaluation),
        figures=_evaluation_charts(folder, evaluation) if evaluation else [],
        curves=_curves(folder),
        pages=[(quote(name), about) for name, about in _PAGES.items() if (folder / name).is_file()],
        files=[(quote(name), name, about) for name, about in _FILES.items() if (folder / name).is_file()],
        commands=commands(folder),
    )
    home = folder / run_dir.HOME
    run_dir.write_atomically(home, page)
    return home


def facts(folder: Path, result: Record | None) -> dict[str, str]:
    """Describes a run by title: recipe, data set, length, hardware, date."""
    environment = _read(read_environment, folder / run_dir.ENVIRONMENT) or {}
    found = {"recipe": recipe_of(folder)}
    if result:
        minutes = result["training_seconds"] / 60
        dataset = result.get("dataset") or {}
        found |= {
            "seed": "" if result.get("seed") is None else str(result["seed"]),
            "data set": f"{dataset['name']}, {len(dataset['class_names'])} classes" if dataset else "",
            "trained on": f"{result['images_seen']:,} images in {minutes:.{0 if minutes >= 100 else 1}f} minutes",
            "hardware": result.get("hardware", ""),
        }
    found |= {"started": str(environment.get("date") or "").replace("T", " ").removesuffix("+00:00")}
    return {title: text for title, text in found.items() if text}


def recipe_of(folder: Path) -> str:
    """Returns the recipe of a run, as typed; ``default`` if nothing was."""
    return " ".join(recipe(_read(read_overrides, folder / run_dir.HYDRA_OVERRIDES) or [])) or "default"


def commands(folder: Path) -> list[tuple[str, str]]:
    """Returns the commands that continue from a run, each with what it does; those of existing pages come last."""
    run = f"run={quoted(os.path.relpath(folder))}"
    made = {
        "analyze": ("compares with real images: findings, figures, report.html", "analysis/report.html"),
        "evaluate": ("measures all metrics with intervals, beside baselines", "evaluation.md"),
    }
    listed = [(shell_command("fmcgan.generate", run), "draws images into samples.png")]
    listed += [
        (shell_command(f"fmcgan.{name}", run), about)
        for name, (about, page) in sorted(made.items(), key=lambda each: (folder / each[1][1]).is_file())
    ]
    listed.append((shell_command("fmcgan.export", run, "format=html"), "makes a page that generates images"))
    listed.append((f"tensorboard --logdir {shlex.quote(os.path.relpath(folder))}", "shows all curves"))
    return listed


def _score_tables(result: Record | None, evaluation: Record | None) -> list[Table]:
    tables = []
    if result and result["scores"]:
        caption = "At the end of the training, on fresh samples."
        tables.append(_score_table("end", caption, result["scores"]))
    best = (result or {}).get("best")
    if result and best and best["scores"] and best["images_seen"] != result["images_seen"]:
        caption = f"Of the best checkpoint (checkpoints/best.ckpt), after {best['images_seen']:,} images."
        tables.append(_score_table("best", caption, best["scores"]))
    if evaluation and evaluation["scores"]:
        seen = evaluation.get("images_seen")
        caption = "By fmcgan.evaluate" + (f", after {seen:,} images." if seen is not None else ".")
        tables.append(_score_table("evaluated", caption, evaluation["scores"]))
    return tables


def _score_table(name: str, caption: str, scores: Mapping[str, Any]) -> Table:
    columns = [
        Column("score", "score"),
        Column("value", "value", "number"),
        Column("interval", "95 % interval"),
        Column("real", "real images", "number"),
        Column("better", "better"),
    ]
    rows = []
    for key, score in scores.items():
        title = score.get("title") or ""
        interval = " to ".join(map(short, score.get("interval") or ())) or None
        value, floor = (Cell(short(each), each) for each in (score["value"], score.get("floor")))
        rows.append([f"{title} ({key})" if title else key, value, interval, floor, BETTER[score["better"]]])
    return Table(name, caption, columns, rows, open=True)


def _curves(folder: Path) -> list[DrawnChart]:
    """Draws losses and gradient norms."""
    rows = _read(read_metrics, folder / run_dir.METRICS_JSONL)
    if not rows:
        return []
    training = (_read(read_config, folder / run_dir.CONFIG) or {}).get("training") or {}
    clips = training.get("generator_clip"), training.get("discriminator_clip")
    losses = (
        "Losses over the images seen. Each depends on the other network: a falling loss does not mean better samples."
    )
    drawn = [
        _drawn(folder, run_dir.LOSS_FIGURE, losses, lambda: loss_figure(rows)),
        _drawn(folder, run_dir.GRADIENT_NORM_FIGURE, "Gradient norms.", lambda: gradient_norm_figure(rows, *clips)),
    ]
    return [each for each in drawn if each is not None]


def _evaluation_charts(folder: Path, evaluation: Record) -> list[DrawnChart]:
    """Draws the confusion matrix and the metrics by class of an evaluation."""
    names = info_of(evaluation).class_names
    counts = evaluation["findings"].get("agreement_matrix") if "findings" in evaluation else None
    by_class = {name: each for name, each in evaluation["scores"].items() if each.get("by_class") is not None}
    drawn = []
    if counts is not None:
        about = "Conditioned class (row) and predicted class (column) of the samples."
        drawn.append(_drawn(folder, AGREEMENT_FIGURE, about, lambda: agreement_figure(counts, names=names)))
    if by_class:
        panels = [lambda each=each: class_panel(*each, names=names) for each in by_class.items()]
        about = "Metrics by class: dots are samples, marks are real data."
        drawn.append(_drawn(folder, BY_CLASS_FIGURE, about, lambda: class_dots_figure([make() for make in panels])))
    return [each for each in drawn if each is not None]


def _drawn(folder: Path, name: str, about: str, draw: Callable[[], Figure]) -> DrawnChart | None:
    """Draws a chart; ``None`` if its numbers do not fit, which costs the page this chart alone."""
    try:
        drawn = chart(draw(), Path(name).stem)
    except (ValueError, TypeError, LookupError) as error:
        log.warning("the home page lacks %s: %s", name, error)
        return None
    files = [(folder / name).with_suffix(f".{format}") for format in FORMATS]
    return DrawnChart(
        drawn, about, [(_link(folder, path), path.suffix[1:].upper()) for path in files if path.is_file()]
    )


def _grids(folder: Path) -> list[tuple[Path, re.Match[str]]]:
    """Returns the sample grids of a run; other files in their folder are ignored."""
    paths = (folder / run_dir.SAMPLES).glob("*.png")
    return [(path, found) for path in paths if (found := _GRID.fullmatch(path.name)) and path.is_file()]


def _shown(folder: Path, path: Path, about: str) -> Shown | None:
    """Returns a picture if its file is one; reads only the head of the file."""
    try:
        with Image.open(path) as image:
            return Shown(_link(folder, path), *image.size, about)
    except (OSError, ValueError, Image.DecompressionBombError):
        return None


def _link(folder: Path, path: Path) -> str:
    return quote(path.relative_to(folder).as_posix())


def _read(reader: Any, path: Path) -> Any:
    """Reads a file of the run; ``None`` if it is damaged, which costs the page this part alone."""
    try:
        return reader(path)
    except UserError as error:
        log.warning("the home page lacks %s: %s", path.name, error)
        return None

"""The page ``outputs/index.html``: the runs below it, with recipe, scores and date."""

import datetime
import logging
import os
from collections import Counter
from pathlib import Path
from urllib.parse import quote

from fmcgan.analysis.section import Column, Table
from fmcgan.app import run_dir
from fmcgan.app.errors import UserError
from fmcgan.app.job_folder import job_state
from fmcgan.app.run_files import Record, read_environment, read_result
from fmcgan.app.run_lock import exclusive
from fmcgan.comparison.runs import find_runs
from fmcgan.report.home import recipe_of
from fmcgan.report.html import Cell, render_template, short

log = logging.getLogger(__name__)

MOST_RUNS = 300  # the newest ones; reading as many took 0.6 s of processor time
MOST_SCORES = 4  # columns: those that most runs have
_LOCK = ".index.lock"
_SECONDS_TO_WAIT = 20.0  # for another run that writes the page


def update_run_list(folder: Path) -> None:
    """Writes the list of runs if a finished run lies below ``outputs`` of the current folder; else does nothing.

    Logs one line if that fails. Runs that end together write it one after the other, so the last one lists all.
    """
    outputs = Path(run_dir.OUTPUTS)
    if outputs.resolve() not in folder.resolve().parents:
        return
    try:
        with exclusive(outputs / _LOCK, _SECONDS_TO_WAIT):
            write_run_list(outputs)
    except Exception as error:
        log.warning("%s was not written: %s", outputs / run_dir.HOME, " ".join(str(error).split()) or repr(error))


def write_run_list(outputs: Path) -> Path:
    """Writes ``index.html`` into a folder of runs, also of sweeps, and returns its path.

    Raises:
        UserError: there is no run, or the folder cannot be written.
    """
    folders = sorted(find_runs(outputs), key=_last_change, reverse=True)
    entries = [_entry(outputs, folder) for folder in folders[:MOST_RUNS]]
    sweeps = sorted({folder.parent for folder in folders if (folder.parent / run_dir.COMPARISON).is_dir()})
    pages = [sweep / run_dir.COMPARISON / "comparison.html" for sweep in sweeps]
    page = render_template(
        "runs.html.j2",
        count=len(folders),
        shown=len(entries),
        table=_table(entries),
        comparisons=[
            (_link(outputs, page), sweep.relative_to(outputs).as_posix())
            for sweep, page in zip(sweeps, pages, strict=True)
            if page.is_file()
        ],
        folder=os.path.relpath(outputs),
    )
    home = outputs / run_dir.HOME
    run_dir.write_atomically(home, page)
    return home


def _last_change(folder: Path) -> float:
    """Returns when a run ended, or else when it started."""
    for name in (run_dir.RESULT, run_dir.CONFIG, run_dir.TRAIN_LOG):
        try:
            return (folder / name).stat().st_mtime
        except OSError:
            continue
    return 0.0


def _entry(outputs: Path, folder: Path) -> Record:
    """Reads what the list shows of a run; a damaged file costs only its own cells."""
    found: list[Record] = []
    for reader, name in ((read_result, run_dir.RESULT), (read_environment, run_dir.ENVIRONMENT)):
        try:
            found.append(reader(folder / name) or {})
        except UserError as error:
            log.warning("the list of runs lacks values: %s", error)
            found.append({})
    result, environment = found
    ended = datetime.datetime.fromtimestamp(_last_change(folder), datetime.UTC)
    date = environment.get("date") or ended.isoformat(timespec="seconds")
    home = folder / run_dir.HOME
    is_job = (folder.parent / run_dir.MULTIRUN).is_file()  # whose recipe says what the name of its folder does
    return {
        "name": (folder.parent if is_job else folder).relative_to(outputs).as_posix(),
        "link": _link(outputs, home) if home.is_file() else f"{_link(outputs, folder)}/",
        "recipe": recipe_of(folder),
        "seed": result.get("seed"),
        "minutes": result["training_seconds"] / 60 if result else Cell(job_state(folder)),
        "scores": result.get("scores") or {},
        "date": str(date)[:16].replace("T", " "),
    }


def _table(entries: list[Record]) -> Table:
    counts = Counter(name for entry in entries for name in entry["scores"])
    scores = [name for name, _ in counts.most_common(MOST_SCORES)]
    columns = [
        Column("run", "run"),
        Column("recipe", "recipe"),
        Column("date", "date (UTC)"),
        *(Column(name, name, "number") for name in scores),
        Column("minutes", "minutes", "number", 1),
        Column("seed", "seed", "whole"),
    ]
    rows = [
        [
            Cell(entry["name"], link=entry["link"]),
            *(entry[key] for key in ("recipe", "date")),
            *(_score(entry["scores"].get(name)) for name in scores),
            *(entry[key] for key in ("minutes", "seed")),
        ]
        for entry in entries
    ]
    caption = "The newest runs first. Scores: of the samples, with the value of real images."
    return Table("runs", caption, columns, rows, open=True)


def _score(score: Record | None) -> Cell | None:
    if score is None or score["value"] is None:
        return None
    floor = score.get("floor")
    return Cell(short(score["value"]) + ("" if floor is None else f" (real {short(floor)})"), score["value"])


def _link(outputs: Path, path: Path) -> str:
    return quote(path.relative_to(outputs).as_posix())

"""Results of a comparison: groups, and their values at the end, at equal images and at equal time."""

import math
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fmcgan.analysis.section import Section
from fmcgan.app import run_dir
from fmcgan.app.errors import UserError
from fmcgan.comparison.grouping import Group, group_runs
from fmcgan.comparison.runs import Row, Run, find_runs, read_run
from fmcgan.comparison.searches import find_studies, sections
from fmcgan.comparison.statistics import Table, protocols
from fmcgan.data.garments import GARMENTS
from fmcgan.data.info import DatasetInfo

TRAINING_KEYS = {
    "loss/generator": "generator loss",
    "loss/discriminator": "discriminator loss",
    "gradient_norm/generator": "generator gradient norm",
    "gradient_norm/discriminator": "discriminator gradient norm",
    "images_per_second": "images/s",
}
"""Training quantities in the tables and their headings, besides ``images_seen`` and ``minutes``."""
TOLERANCE = 0.05
"""Share by which an evaluation may exceed a budget, because runs of equal length end a batch or a few seconds apart,
and their second to last evaluation may be much earlier."""


@dataclass(frozen=True)
class Comparison:
    """Data of all tables and figures.

    Args:
        groups: of the finished runs.
        others: the runs that did not finish.
        names: of all runs, by folder; short and distinct.
        images: the budget of equal images: images seen by the shortest finished run.
        seconds: the budget of equal time: training time of the fastest finished run.
        tables: values of each run at its own end, at its last evaluation within the budget of images, and within that
            of seconds.
        searches: a section for each search among the runs.
    """

    groups: Sequence[Group]
    others: Sequence[Run]
    names: Mapping[Path, str]
    images: int
    seconds: float
    tables: tuple[Table, Table, Table]
    searches: Sequence[Section] = ()

    @property
    def finished(self) -> list[Run]:
        """The runs of all groups."""
        return [run for group in self.groups for run in group.runs]

    @property
    def end(self) -> Table:
        """The values at each run's own end."""
        return self.tables[0]

    def counts(self, key: str) -> Counter[str]:
        """Counts the finished runs by their value of a key of ``result.json``, such as ``hardware``."""
        return Counter(run.result[key] for run in self.finished if run.result)


def gather(paths: Sequence[Path]) -> Comparison:
    """Reads runs and collects their values; ``paths`` are run folders or folders above them.

    A run that is found twice counts once.

    Raises:
        UserError: no run is found, a file is damaged, no run is finished, or the data sets of two runs differ.
    """
    folders = list(dict.fromkeys(folder.resolve() for path in paths for folder in find_runs(path)))
    above = os.path.commonpath([folder.parent for folder in folders]) if folders else ""
    names = {folder: folder.relative_to(above).as_posix() for folder in folders}
    runs = [read_run(folder) for folder in folders]
    finished = [run for run in runs if run.finished]
    if not finished:
        listed = ", ".join(names.values()) or "no run given"
        raise UserError(f"no finished run to compare: none has {run_dir.RESULT} ({listed}); resume or add a run")
    _check_same_data(finished, names)
    groups = group_runs(finished)
    images = min(run.images_seen for run in finished)
    seconds = min(run.seconds for run in finished)
    return Comparison(
        groups=groups,
        others=[run for run in runs if not run.finished],
        names=names,
        images=images,
        seconds=seconds,
        tables=(
            measure("end", groups, at_end),
            measure("equal_images", groups, lambda run: at_budget(run, "images_seen", images)),
            measure("equal_time", groups, lambda run: at_budget(run, "seconds", seconds)),
        ),
        searches=sections(find_studies(folders)),
    )


def _check_same_data(runs: Sequence[Run], names: Mapping[Path, str]) -> None:
    """Refuses runs of different data sets, whose metrics cannot be compared."""
    first: dict[DatasetInfo | None, Run] = {}
    for run in runs:
        first.setdefault(run.info, run)
    known = [info for info in first if info is not None]
    if len(known) > 1 or (None in first and known and GARMENTS.differences(known[0])):
        listed = (f"{info.name if info else 'not named'} ({names[run.folder]})" for info, run in first.items())
        raise UserError(
            f"runs of different data sets cannot be compared: {', '.join(listed)}; give runs= of one data set"
        )


def measure(name: str, groups: Sequence[Group], moment: Callable[[Run], Row]) -> Table:
    """Makes the table of all runs at a moment of each."""
    rows = tuple(tuple(moment(run) for run in group.runs) for group in groups)
    metrics = sorted({key for of_group in rows for row in of_group for key in row if key.startswith("score/")})
    known = protocols(run for group in groups for run in group.runs)
    return Table(name, (*metrics, "images_seen", "minutes", *TRAINING_KEYS), groups, rows, known)


def at_end(run: Run) -> Row:
    """Returns the values of ``result.json`` of a finished run, with the keys of ``metrics.jsonl``."""
    result = run.result
    if result is None:
        raise ValueError(f"{run.folder} has no result")
    values = {
        "images_seen": result["images_seen"],
        "minutes": result["training_seconds"] / 60,
        **{f"score/{name}": entry["value"] for name, entry in result["scores"].items()},
        **result["final"],
        "images_per_second": result["images_per_second"],
    }
    return {key: math.nan if value is None else float(value) for key, value in values.items()}


def at_budget(run: Run, clock: str, budget: float) -> Row:
    """Returns metrics and time of a run's last evaluation within a budget, and the last training quantities up to it.

    Without an evaluation, the last row within the budget takes its place; without such a row, the result is empty.

    Args:
        run: the run.
        clock: unit of the budget, ``images_seen`` or ``seconds``.
        budget: may be exceeded by `TOLERANCE`.
    """
    limit = budget * (1 + TOLERANCE)
    evaluations = [row for row in run.evaluations if row[clock] <= limit]
    moments = evaluations or [row for row in run.rows if row[clock] <= limit]
    if not moments:
        return {}
    moment = moments[-1]
    values = {"images_seen": moment["images_seen"], "minutes": moment["seconds"] / 60}
    values |= {key: value for key, value in moment.items() if key.startswith("score/")}
    for row in run.rows:
        if row["images_seen"] <= moment["images_seen"]:
            values |= {key: row[key] for key in TRAINING_KEYS if key in row}
    return values

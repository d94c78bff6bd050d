"""Gathers what a comparison says: the groups, their measurements and the runs left out."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fmcgan.app import run_dir
from fmcgan.app.errors import UserError
from fmcgan.comparison.grouping import Group, group_runs
from fmcgan.comparison.measurement import Table, at_budget, at_end, measure
from fmcgan.comparison.pairing import Pairing, every_pair
from fmcgan.comparison.protocol import UNKNOWN, Protocol, protocols
from fmcgan.comparison.run import Run, find_runs, read_run


@dataclass(frozen=True)
class Comparison:
    """Everything that the tables and figures are made of.

    Args:
        groups: of the finished runs.
        others: the runs that did not finish.
        names: of all runs, by folder: short, and distinct.
        protocols: of the scores, by name.
        images: the budget of equal images, what the shortest finished run saw.
        seconds: the budget of equal time, what the quickest finished run trained.
        end: measurements at each run's own end.
        equal_images: at the last evaluation within the budget of images.
        equal_time: at the last evaluation within the budget of seconds.
    """

    groups: Sequence[Group]
    others: Sequence[Run]
    names: Mapping[Path, str]
    protocols: Mapping[str, Protocol]
    images: int
    seconds: float
    end: Table
    equal_images: Table
    equal_time: Table

    @property
    def finished(self) -> list[Run]:
        """The runs of all groups."""
        return [run for group in self.groups for run in group.runs]

    @property
    def tables(self) -> tuple[Table, Table, Table]:
        """The three tables."""
        return self.end, self.equal_images, self.equal_time

    def pairings(self, table: Table, choose: Callable[..., list[Pairing]] = every_pair) -> list[Pairing]:
        """Pairs of groups by each score of a table, score by score.

        Args:
            table: one of the tables.
            choose: which pairs, `every_pair` or `best_with_others`.
        """
        return [
            pairing
            for score in table.scores
            for pairing in choose(self.groups, table, score, self.protocols.get(score, UNKNOWN))
        ]


def gather(paths: Sequence[Path]) -> Comparison:
    """Reads and measures runs.

    Args:
        paths: run folders, or folders above them; a run found twice counts once.

    Raises:
        UserError: no run is found, a file is damaged, or no run is finished.
    """
    folders = list(dict.fromkeys(folder.resolve() for path in paths for folder in find_runs(path)))
    names = _names(folders)
    runs = [read_run(folder) for folder in folders]
    finished = [run for run in runs if run.finished]
    if not finished:
        listed = ", ".join(names.values()) or "no run given"
        raise UserError(f"nothing to compare: none of the runs has finished and written {run_dir.RESULT} ({listed})")
    groups = group_runs(finished)
    images = min(run.images_seen for run in finished)
    seconds = min(run.seconds for run in finished)
    return Comparison(
        groups=groups,
        others=[run for run in runs if not run.finished],
        names=names,
        protocols=protocols(finished),
        images=images,
        seconds=seconds,
        end=measure("end", groups, at_end),
        equal_images=measure("equal_images", groups, lambda run: at_budget(run, "images_seen", images)),
        equal_time=measure("equal_time", groups, lambda run: at_budget(run, "seconds", seconds)),
    )


def _names(folders: Sequence[Path]) -> dict[Path, str]:
    """The part of each path below the folder that is above them all."""
    above = os.path.commonpath([folder.parent for folder in folders]) if folders else ""
    return {folder: folder.relative_to(above).as_posix() for folder in folders}

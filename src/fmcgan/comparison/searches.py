"""The searches among the compared runs: their trials, the importance of the searched keys and the Pareto front."""

import logging
import math
import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from fmcgan.analysis.section import Column, Picture, Section, Table
from fmcgan.app.formatting import short_number
from fmcgan.figure.search import Scores, Setting, front_figure, history_figure, importance_figure, settings_figure
from fmcgan.report.html import Cell
from fmcgan.search.study import FEWEST, FILE, Record, read_study

log = logging.getLogger(__name__)

CAPTIONS = {
    "history": "The objective of each trial, and the best one so far. A pruned trial is shown at its last value.",
    "settings": "The objective over the values of each key.",
    "importance": "How much each key decides whether a trial is among the best {share:.0%} (PED-ANOVA). A rough guide "
    "after few trials; a key that was hardly varied cannot be important.",
    "front": "Finished trials by two objectives. No other trial is better in one objective and as good in the others "
    "than those of the Pareto front; numbers are those of the trials.",
}
"""By the name of the figure."""


def find_studies(runs: Sequence[Path]) -> list[Record]:
    """Reads the study beside each run folder, if there is one; without Optuna, logs that it is left out.

    Raises:
        UserError: a study is damaged.
    """
    folders = [each for each in dict.fromkeys(run.parent for run in runs) if (each / FILE).is_file()]
    if folders and find_spec("optuna") is None:
        names = ", ".join(os.path.relpath(each) for each in folders)
        log.warning("%s: the comparison of a search needs the extra \"search\": pip install 'fmcgan[search]'", names)
        return []
    return [read_study(each) for each in folders]


def sections(studies: Sequence[Record]) -> list[Section]:
    """Makes a section for each study; the names of its pictures are those of files, without suffix."""
    made = []
    for number, study in enumerate(studies, 1):
        ordinal = f"_{number}" if len(studies) > 1 else ""
        pictures = [
            Picture(f"search{ordinal}_{name}", figure, caption, caption)
            for name, (caption, figure) in _figures(study).items()
        ]
        title = f"Search {number}" if ordinal else "Search"
        made.append(Section(title, _introduction(study), pictures=pictures, tables=[_trials_table(study)]))
    return made


def _introduction(study: Record) -> str:
    """Says how many trials ended in which way, and what was searched for."""
    states = {"finished": "COMPLETE", "pruned": "PRUNED", "failed": "FAIL"}
    counts = {word: study.count(state) for word, state in states.items()}
    ends = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    goals = " and ".join(
        f"the {'highest' if each.better == 'higher' else 'lowest'} {each.title}" for each in study.objectives
    )
    few = "" if study.importances else f" The importance of the keys needs {FEWEST} finished trials."
    return (
        f"{len(study.trials)} trials ({ends}) of {', '.join(study.keys)}, for {goals}. The best of many trials is best "
        f"partly by luck, so its value is too good: train it with other seeds before you compare it with anything.{few}"
    )


def _trials_table(study: Record) -> Table:
    """Makes a table with one row per trial; bold marks the best one, or those on the Pareto front."""
    words = {"COMPLETE": "finished", "FAIL": "failed", "RUNNING": "not finished"}
    columns = [Column("trial", "trial", "whole"), Column("status", "status")]
    columns += [Column(f"objective_{n}", each.title, "number") for n, each in enumerate(study.objectives, 1)]
    columns += [Column(f"value_{n}", key, "number") for n, key in enumerate(study.keys, 1)]
    columns += [Column("minutes", "minutes", "number")]
    rows: list[list[object]] = []
    for trial in study.trials:
        values = trial.values or [math.nan] * len(study.objectives)
        strong = trial.number in study.best
        scores = [Cell(short_number(each, "—"), None if math.isnan(each) else each, strong) for each in values]
        settings = [_setting(trial.params.get(key)) for key in study.keys]
        minutes = trial.duration.total_seconds() / 60 if trial.duration else None
        rows.append([trial.number, words.get(trial.state.name, trial.state.name.lower()), *scores, *settings, minutes])
    caption = (
        "Trials by number; trial 7 is in trial_007. Bold: the best one, or those on the Pareto front. A pruned trial "
        "has its last value. Minutes count from the first start of a trial, also while it was interrupted."
    )
    return Table("trials", caption, columns, rows, open=True)


def _figures(study: Record) -> dict[str, tuple[str, Figure]]:
    """Draws the figures; returns caption and figure by name."""
    finished = np.array([trial.state.name == "COMPLETE" for trial in study.trials])
    table = np.array([trial.values or [math.nan] * len(study.objectives) for trial in study.trials], dtype=np.float64)
    scores = [
        Scores(each.title, table[:, index], each.direction == "maximize") for index, each in enumerate(study.objectives)
    ]
    found = {
        "history": history_figure(scores, finished),
        "settings": settings_figure(scores, _settings(study), finished),
    }
    if study.importances:
        found["importance"] = importance_figure({each.title: study.importances[each.name] for each in study.objectives})
    if len(scores) > 1 and finished.any():
        front = np.array([trial.number in study.best for trial in study.trials])
        found["front"] = front_figure(scores, front)
    return {name: (CAPTIONS[name].format(share=study.best_share), figure) for name, figure in found.items()}


def _settings(study: Record) -> list[Setting]:
    found = []
    for key in study.keys:
        distributions = [trial.distributions[key] for trial in study.trials if key in trial.distributions]
        kind = distributions[-1]
        choices = [str(choice) for choice in getattr(kind, "choices", ())]
        given = [trial.params.get(key) for trial in study.trials]
        values = [math.nan if value is None else choices.index(str(value)) if choices else value for value in given]
        found.append(Setting(key, np.array(values, dtype=np.float64), getattr(kind, "log", False), choices))
    return found


def _setting(value: object) -> Cell | None:
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return Cell(short_number(value) if is_number else str(value), float(value) if is_number else None)  # type: ignore[arg-type]

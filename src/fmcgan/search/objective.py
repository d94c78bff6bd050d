"""Objectives of a search: scores of a run, their directions and their values in a finished run."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from omegaconf import ListConfig

from fmcgan.app.errors import UserError
from fmcgan.app.run_dir import RESULT
from fmcgan.app.run_files import read_result

if TYPE_CHECKING:  # compare reads studies without torch
    from fmcgan.metric.results import Result
    from fmcgan.metric.value import Quantity

KEY = "objective"


class Objective(NamedTuple):
    """A score to optimize; of one that should be near that of real images, the distance is minimized."""

    name: str
    better: Literal["lower", "higher", "real"]

    @property
    def direction(self) -> Literal["minimize", "maximize"]:
        """As Optuna calls it."""
        return "maximize" if self.better == "higher" else "minimize"

    @property
    def title(self) -> str:
        """For tables and figures."""
        return f"distance of {self.name} to real data" if self.better == "real" else self.name


def names_of(objective: object) -> list[str]:
    """Returns the names in ``objective=``, one text or a list of texts. Raises `UserError` for anything else."""
    given = [] if objective is None else list(objective) if isinstance(objective, ListConfig | list) else [objective]
    names = [name for name in given if isinstance(name, str) and name]
    if len(set(names)) < len(given):
        raise UserError(f"{KEY} must be the name of a score, or a list of different names, got {objective!s}")
    return names


def check_objective(objective: object, measured: Iterable[Mapping[str, "Quantity"]]) -> list[Objective]:
    """Finds the directions of the scores in ``objective=``.

    Args:
        objective: of the configuration.
        measured: the scores of the run by name, of each evaluation.

    Raises:
        UserError: a name is not among them; the message lists them.
    """
    names, known = names_of(objective), dict(pair for each in measured for pair in each.items())
    listed = ", ".join(known) or "none (metric= and callback=[evaluation,...] choose them)"
    if unknown := [name for name in names if name not in known]:
        raise UserError(f"{KEY}={','.join(unknown)} is no score of this run; its scores: {listed}")
    return [Objective(name, known[name].better) for name in names]


def objective_values(objective: object, folder: Path) -> float | list[float] | None:
    """Reads the objectives of a finished run; ``None`` without ``objective=`` or without a result.

    A value that is not finite is ``nan``.

    Raises:
        UserError: the run did not measure one of them, or its ``result.json`` is damaged.
    """
    names, result = names_of(objective), read_result(folder / RESULT)
    if not names or result is None:
        return None
    scores = result["scores"]
    if missing := [name for name in names if name not in scores]:
        raise UserError(f"{KEY}={','.join(missing)} was not measured by this run; it measured: {', '.join(scores)}")
    values = [objective_value(scores[name]) for name in names]
    return values if isinstance(objective, ListConfig | list) else values[0]


def objective_value(result: "Result") -> float:
    """Returns the number that is optimized: the value, or its distance to that of real images; ``nan`` if unknown."""
    value, floor = result["value"], result["floor"]
    if value is None or (result["better"] == "real" and floor is None):
        return math.nan
    return abs(value - (floor or 0.0)) if result["better"] == "real" else float(value)

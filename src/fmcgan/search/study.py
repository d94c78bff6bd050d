"""The study of a search: its database, in the folder of the sweep unless another address is given."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate

from fmcgan.app.errors import UserError
from fmcgan.app.extras import require_extra
from fmcgan.search.objective import Objective

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

FILE = "study.db"
OBJECTIVES, OVERRIDES = "objectives", "overrides"  # attributes of a study: what its values depend on
FEWEST = 8  # finished trials for which an importance is computed
_LOCK_SECONDS = 60  # that a process waits for another one that writes into an SQLite file


@cache
def import_optuna() -> ModuleType:
    """Returns the module ``optuna``, which from then on reports warnings only.

    Raises:
        MissingExtraError: it is not installed.
    """
    require_extra("search", "hydra/sweeper=optuna", "optuna", "sqlalchemy")
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    return optuna


def open_storage(address: str | None, sweep: Path) -> "RDBStorage":
    """Opens the database of a study, and makes it if there is none.

    Args:
        address: such as ``postgresql://user@host/name``; ``None``: `FILE` in the folder of the sweep.
        sweep: that folder.

    Raises:
        UserError: it is no such database, or cannot be reached.
    """
    optuna = import_optuna()
    from sqlalchemy.exc import SQLAlchemyError

    url = address or _sqlite(sweep / FILE)
    options = {"connect_args": {"timeout": _LOCK_SECONDS}} if url.startswith("sqlite") else {}
    try:
        return optuna.storages.RDBStorage(url, engine_kwargs=options)
    except (SQLAlchemyError, RuntimeError, AssertionError, ImportError) as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise UserError(f"cannot open the study in {address or sweep / FILE}: {reason}") from error


def _sqlite(file: Path) -> str:
    """Returns the address of a file; Optuna reads braces as fields to be filled in."""
    from sqlalchemy import URL

    url = URL.create("sqlite", database=str(file.absolute())).render_as_string()
    return url.replace("{", "{{").replace("}", "}}")


def trial_of_job() -> "Trial | None":
    """Returns the trial of the search that this process trains; ``None`` outside a search."""
    if not HydraConfig.initialized() or HydraConfig.get().sweeper.get("trial") is None:
        return None
    options = HydraConfig.get().sweeper
    storage = open_storage(options.storage, Path(HydraConfig.get().sweep.dir))
    optuna = import_optuna()
    study = optuna.load_study(study_name=options.study_name, storage=storage, pruner=instantiate(options.pruner))
    return optuna.Trial(study, study.trials[options.trial]._trial_id)  # Optuna has no other way to go on with a trial


@dataclass(frozen=True, eq=False)
class Record:
    """A study as it was when it was read.

    Args:
        objectives: at least one.
        trials: all, in the order of their numbers, which count from 0.
        best: numbers of the best trial, or of those on the Pareto front of several objectives.
        importances: shares by key, largest first, by name of the objective; empty for fewer than `FEWEST` finished
            trials. They say how much each key decides whether a trial is among the best (PED-ANOVA, Watanabe et al.
            2023).
        best_share: share of the finished trials that count as best there.
    """

    objectives: Sequence[Objective]
    trials: Sequence["FrozenTrial"]
    best: frozenset[int]
    importances: dict[str, dict[str, float]]
    best_share: float

    @property
    def keys(self) -> list[str]:
        """The searched keys, in the order of the first trial that has them."""
        return list(dict.fromkeys(key for trial in self.trials for key in trial.params))

    def count(self, state: str) -> int:
        """Counts the trials in a state, such as ``COMPLETE``."""
        return sum(trial.state.name == state for trial in self.trials)


def read_study(sweep: Path) -> Record:
    """Reads the study in the folder of a sweep. Raises `UserError` if `FILE` there is damaged or of another program."""
    optuna = import_optuna()
    from sqlalchemy.exc import SQLAlchemyError

    try:
        storage = open_storage(None, sweep)
        (name,) = optuna.get_all_study_names(storage)
        study = optuna.load_study(study_name=name, storage=storage)
        objectives = [Objective(*each) for each in study.user_attrs[OBJECTIVES]]
        trials = study.get_trials()
        finished = [trial for trial in trials if trial.state.name == "COMPLETE"]
        share = min(0.5, max(0.1, 5 / max(len(finished), 1)))  # at least five trials, as Optuna advises
        importances = _importances(study, objectives, share) if len(finished) >= FEWEST else {}
        best = frozenset(trial.number for trial in study.best_trials) if finished else frozenset()
    except (SQLAlchemyError, optuna.exceptions.OptunaError, ValueError, LookupError, TypeError) as error:
        raise UserError(f"{sweep / FILE} is no study of a search: {error}; leave it out") from error
    return Record(objectives, trials, best, importances, share)


def _importances(study: "Study", objectives: Sequence[Objective], share: float) -> dict[str, dict[str, float]]:
    importance, found = import_optuna().importance, {}
    for index, objective in enumerate(objectives):
        sign = -1 if objective.direction == "maximize" else 1  # the evaluator takes lower values as better

        def value(trial: "FrozenTrial", index: int = index, sign: int = sign) -> float:
            return sign * trial.values[index]

        evaluator = importance.PedAnovaImportanceEvaluator(target_quantile=share)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "PedAnova")  # it warns of every `target`, which is as it should be
            found[objective.name] = importance.get_param_importances(study, evaluator=evaluator, target=value)
    return found

"""Imports Optuna, which the extra "search" installs."""

import warnings
from functools import cache
from types import ModuleType

from fmcgan.app.extras import require_extra


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

"""Hydra plug-in of ``hydra/sweeper=optuna``. Every program with Hydra imports this module, so it imports little."""

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class OptunaSweeper(Sweeper):
    """Searches values with Optuna; any launcher runs the trials.

    Hydra accepts plug-ins of this namespace only. ``options`` are the keys of ``configs/hydra/sweeper/optuna.yaml``.
    """

    def __init__(self, **options: object) -> None:
        self.options = options

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Makes the launcher."""
        from hydra.core.plugins import Plugins

        self._context, self._config = hydra_context, config
        self._launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        """Runs the search over the overrides of the command line."""
        from fmcgan.search.search import Search

        Search(self._config, self._context.config_loader, self._launcher).run(arguments)

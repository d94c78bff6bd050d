"""Stops hopeless trials of a search."""

import logging
from typing import TYPE_CHECKING

from lightning.pytorch import Callback, Trainer

from fmcgan.callback.evaluation import Evaluation
from fmcgan.callback.trainer import callbacks_of, is_last_epoch
from fmcgan.search.objective import names_of, objective_value
from fmcgan.training.gan import ConditionalGAN

if TYPE_CHECKING:
    import optuna

log = logging.getLogger(__name__)


class Pruning(Callback):
    """Reports the objective of a trial after each evaluation, and ends its run if the pruner of the study says so.

    Trials see each other's values through the database of the study, in whatever process a launcher trains them. The
    run ends at the end of its epoch, with checkpoint and curves, and without ``result.json``: it did not finish.

    Args:
        trial: of a study with one objective.
        objective: name of the score.

    Attributes:
        pruned: when and why the trial was stopped; ``None`` if it was not.
    """

    def __init__(self, trial: "optuna.Trial", objective: str) -> None:
        self.trial, self.objective = trial, objective
        self.pruned: str | None = None
        self._seen: object = None

    def on_train_start(self, trainer: Trainer, pl_module: ConditionalGAN) -> None:
        """Remembers the results of a resumed run, which are reported already."""
        self._seen = self._results(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: ConditionalGAN) -> None:
        """Reports new results. A run at its end is not stopped any more."""
        results, epoch = self._results(trainer), trainer.current_epoch + 1
        if results is self._seen or self.objective not in results:
            return
        self._seen = results
        self.trial.report(objective_value(results[self.objective]), epoch)
        if not is_last_epoch(trainer) and self.trial.should_prune():
            self.pruned = f"pruned after epoch {epoch}: {self.objective} is worse than in the other trials"
            trainer.should_stop = True

    def _results(self, trainer: Trainer) -> dict:
        return next((each.results for each in callbacks_of(trainer, Evaluation)), {})


def pruning_callbacks(objective: object) -> list[Pruning]:
    """Makes the callback of a trial of a search; none outside a search, and none for several objectives."""
    names = names_of(objective)
    if len(names) != 1:  # Optuna prunes by one
        return []
    from fmcgan.search.study import trial_of_job

    trial = trial_of_job()
    return [] if trial is None else [Pruning(trial, names[0])]

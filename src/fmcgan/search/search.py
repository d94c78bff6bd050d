"""A search: asks Optuna for values, has them trained by Hydra's launcher, and tells Optuna the objectives."""

import logging
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hydra.core.config_loader import ConfigLoader
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.utils import instantiate
from numpy.random import SeedSequence
from omegaconf import DictConfig, OmegaConf

from fmcgan.app.checks import seed_number, whole_number
from fmcgan.app.config_validation import has_target
from fmcgan.app.errors import Pruned, UserError
from fmcgan.app.formatting import short_number
from fmcgan.app.overrides import key_of, parse
from fmcgan.app.run_dir import LAST_CHECKPOINT, MULTIRUN
from fmcgan.app.run_lock import locked
from fmcgan.search.objective import KEY, Objective, check_objective
from fmcgan.search.space import Space, read_space
from fmcgan.search.study import OBJECTIVES, OVERRIDES, import_optuna, open_storage

if TYPE_CHECKING:
    from optuna import Study
    from optuna.samplers import BaseSampler

log = logging.getLogger(__name__)

_MAY_DIFFER = ("search", "logger", "data.root", "data.mirror")
"""Overrides that may change when a search goes on: they change no value."""


class _Job(NamedTuple):
    """A trial to be trained: its number in the study, and its values by key."""

    number: int
    values: Mapping[str, object]

    @property
    def folder(self) -> str:
        """Name of its folder; a trial that is trained again has the same one."""
        return f"trial_{self.number:03}"


class Search:
    """Runs the trials of a study until it has as many as asked for.

    Args:
        config: of the sweep, as composed by Hydra; its node ``hydra.sweeper`` is ``configs/hydra/sweeper/optuna.yaml``.
        loader: composes the configuration of a trial.
        launcher: trains the trials.
    """

    def __init__(self, config: DictConfig, loader: ConfigLoader, launcher: Launcher) -> None:
        self.config, self.loader, self.launcher = config, loader, launcher
        self.options = config.hydra.sweeper
        self.sweep = Path(config.hydra.sweep.dir)
        for name in ("n_trials", "n_jobs", "max_failures"):
            whole_number(**{f"hydra.sweeper.{name}": self.options[name]})
        self._failures = 0  # in a row

    def run(self, arguments: Sequence[str]) -> None:
        """Goes on with the study in the folder of the sweep, or begins it.

        Trials that an earlier start left unfinished come first.

        Raises:
            UserError: a setting is invalid, differs from those of the study, or too many trials fail in a row.
        """
        space = read_space([*(f"{key}={value}" for key, value in self.options.params.items()), *arguments], self.loader)
        if not space.distributions:
            raise UserError("a search needs values to search: search=learning_rates, or 'KEY=interval(LOW, HIGH)'")
        objectives = self._objectives(space)
        self.sweep.mkdir(parents=True, exist_ok=True)
        with locked(self.sweep):
            OmegaConf.save(self.config, self.sweep / MULTIRUN)
            study = self._study(space, objectives)
            left = self._interrupted(study, space)
            while jobs := left[: self.options.n_jobs]:
                left = left[self.options.n_jobs :]
                self._train([*jobs, *self._asked(study, space, self.options.n_jobs - len(jobs))], study, space)
            while jobs := self._asked(study, space, self.options.n_jobs):
                self._train(jobs, study, space)
            self._report(study, objectives)

    def _objectives(self, space: Space) -> list[Objective]:
        """Finds the objectives among the scores of a trial, before any is trained."""
        config = self.loader.load_sweep_config(self.config, list(space.fixed))
        evaluation, known = config.callback.get("evaluation"), {}
        if has_target(evaluation):  # an experiment may set values of a callback that was not chosen
            known = instantiate(evaluation).value_names(instantiate(config.data).info)
        found = check_objective(config[KEY], [known])
        if not found:
            raise UserError(f"a search needs {KEY}=NAME, or {KEY}=[NAME,NAME]; scores of this run: {', '.join(known)}")
        return found

    def _study(self, space: Space, objectives: Sequence[Objective]) -> "Study":
        """Opens or creates the study; refuses one of other objectives or overrides, whose values do not compare."""
        study = import_optuna().create_study(
            storage=open_storage(self.options.storage, self.sweep),
            study_name=self.options.study_name,
            directions=[each.direction for each in objectives],
            load_if_exists=True,
        )
        fixed = sorted(each for each in space.fixed if key_of(parse(each)) not in (*_MAY_DIFFER, KEY))
        for key, mine in ((OBJECTIVES, [list(each) for each in objectives]), (OVERRIDES, fixed)):
            if (saved := study.user_attrs.get(key, mine)) != mine:
                raise UserError(
                    f"the study in {os.path.relpath(self.sweep)} has other {key}: {saved}, not {mine}.\n"
                    "Repeat those to go on with it, or choose another hydra.sweep.dir (with hydra.sweeper.storage=,"
                    " another hydra.sweeper.study_name)."
                )
            study.set_user_attr(key, mine)
        return study

    def _interrupted(self, study: "Study", space: Space) -> list[_Job]:
        """Returns the trials that an earlier start left unfinished. One that has no values yet is given up."""
        jobs, states = [], import_optuna().trial.TrialState
        for trial in study.get_trials(deepcopy=False, states=[states.RUNNING]):
            if trial.params.keys() != space.distributions.keys():
                study.tell(trial.number, state=states.FAIL)
                continue
            jobs.append(_Job(trial.number, trial.params))
            has_checkpoint = (self.sweep / jobs[-1].folder / LAST_CHECKPOINT).is_file()
            how = "goes on from its last checkpoint" if has_checkpoint else "starts again"
            log.info("%s was interrupted: it %s", jobs[-1].folder, how)
        return jobs

    def _asked(self, study: "Study", space: Space, most: int) -> list[_Job]:
        """Asks for the values of new trials, as many as the study still lacks and at most ``most``."""
        jobs = []
        for number in range(len(study.trials), min(self.options.n_trials, len(study.trials) + most)):
            study.sampler = self._sampler(number)
            try:
                trial = study.ask(space.distributions)
            except ValueError as error:  # other choices than those of earlier trials
                raise UserError(f"{error}; choose another hydra.sweep.dir for other choices") from error
            jobs.append(_Job(trial.number, trial.params))
        return jobs

    def _sampler(self, number: int) -> "BaseSampler":
        """Makes a sampler, seeded by the trial: a study that is continued does not repeat the values of its start."""
        sampler = instantiate(self.options.sampler)
        if "seed" not in self.options.sampler:
            return sampler
        seed = self.options.sampler.seed
        seed_number(**{"hydra.sweeper.sampler.seed": seed})
        return sampler(seed=int(SeedSequence([seed, number]).generate_state(1)[0]))

    def _train(self, jobs: Sequence[_Job], study: "Study", space: Space) -> None:
        """Trains trials with the launcher and tells the study how each ended."""
        overrides = [
            [*space.overrides(job.values), f"hydra.sweep.subdir={job.folder}", f"hydra.sweeper.trial={job.number}"]
            for job in jobs
        ]
        returns = self.launcher.launch(overrides, initial_job_idx=jobs[0].number)
        for job, returned in zip(jobs, returns, strict=True):
            self._tell(job, returned, study)
        if self._failures >= self.options.max_failures:
            raise UserError(
                f"the last {self._failures} trials failed, so the search stops: see {jobs[-1].folder}/train.log in"
                f" {os.path.relpath(self.sweep)}; hydra.sweeper.max_failures=N allows more"
            )

    def _tell(self, job: _Job, returned: JobReturn, study: "Study") -> None:
        value = returned._return_value  # the property raises the error of a failed job
        if returned.status is JobStatus.COMPLETED and value is None:  # another process trains it
            log.warning("%s is left to the process that trains it; start the search again later", job.folder)
            return
        states = import_optuna().trial.TrialState
        state, values = states.FAIL, None
        if isinstance(value, Pruned):
            state = states.PRUNED
        elif returned.status is JobStatus.COMPLETED:
            numbers = value if isinstance(value, list) else [value]
            if all(map(math.isfinite, numbers)):
                state, values = states.COMPLETE, numbers
        study.tell(job.number, values, state)
        self._failures = self._failures + 1 if state is states.FAIL else 0

    def _report(self, study: "Study", objectives: Sequence[Objective]) -> None:
        """Logs how the trials ended, and the best ones."""
        states = [trial.state.name for trial in study.trials]
        words = {"finished": "COMPLETE", "pruned": "PRUNED", "failed": "FAIL"}
        log.info(
            "%d trials: %s", len(states), ", ".join(f"{states.count(each)} {word}" for word, each in words.items())
        )
        if "COMPLETE" not in states:
            return
        for trial in study.best_trials:
            scores = ", ".join(
                f"{objective.title} {short_number(value)}"
                for objective, value in zip(objectives, trial.values, strict=True)
            )
            values = " ".join(f"{key}={value}" for key, value in trial.params.items())
            log.info("best: %s, %s\n  %s", _Job(trial.number, {}).folder, scores, values)

"""A search without training: a launcher that computes what a job would return."""

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf

from fmcgan.app.config_dir import config_dir
from fmcgan.app.hydra_app import job_folder
from fmcgan.app.overrides import parse
from tests.sqlite import quick_sqlite  # noqa: F401 (a fixture)

G, D = "training.generator_optimizer.lr", "training.discriminator_optimizer.lr"


class Launcher:
    """Calls ``task(values, number)`` for each job: what it returns or raises is what the job does."""

    def __init__(self, task):
        self.task, self.batches, self.overrides = task, [], []

    def launch(self, jobs, initial_job_idx):
        self.batches.append(len(jobs))
        return [self._run(list(job)) for job in jobs]

    def _run(self, overrides):
        self.overrides.append(overrides)
        values = {each.get_key_element(): each.value() for each in map(parse, overrides)}
        try:
            value, status = self.task(values, values["hydra.sweeper.trial"]), JobStatus.COMPLETED
        except Exception as error:
            value, status = error, JobStatus.FAILED
        returned = JobReturn(status=status)
        returned.return_value = value
        return returned


@pytest.fixture
def search(tmp_path, request):
    """Runs a search in a folder; returns its launcher and the study."""
    import optuna

    request.getfixturevalue("quick_sqlite")
    from fmcgan.search.search import Search
    from fmcgan.search.study import open_storage

    def search(task, *overrides, sweep="sweep"):
        OmegaConf.register_new_resolver("fmcgan.job_folder", job_folder, replace=True)
        typed = ["experiment=smoke", "search=learning_rates", f"hydra.sweep.dir={tmp_path / sweep}", *overrides]
        with initialize_config_dir(str(config_dir()), version_base="1.3"):
            composed = [each for each in typed if not parse(each).is_sweep_override()]  # a sweep would need -m
            config = compose("train", composed, return_hydra_config=True)
            launcher = Launcher(task)
            arguments = [each for each in typed if not each.startswith("hydra")]
            Search(config, GlobalHydra.instance().config_loader(), launcher).run(arguments)
        return launcher, optuna.load_study(study_name="fmcgan", storage=open_storage(None, tmp_path / sweep))

    return search

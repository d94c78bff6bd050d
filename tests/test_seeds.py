"""One range of seeds for everything random: 0 to 2**32 - 1, honoured or refused alike everywhere."""

import copy
from functools import cache

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from fmcgan import analyze, evaluate, leaderboard, probe, usefulness
from fmcgan.app import resume
from fmcgan.app.checks import seed_number
from fmcgan.app.config_dir import config_dir
from fmcgan.app.errors import UserError
from fmcgan.callback.evaluation import Evaluation
from fmcgan.callback.samples import SampleGrid
from fmcgan.data.batches import ShuffledBatches
from fmcgan.data.synthetic import SyntheticData
from fmcgan.generate import generate
from fmcgan.inference.generator import LabelledGenerator
from fmcgan.metric.feature.random_convolutions import RandomConvolutions
from fmcgan.metric.gan_train import NETWORKS, GanTrain
from fmcgan.metric.sliced_wasserstein import SlicedWasserstein

LARGEST = 2**32 - 1
OUTSIDE = [-1, 2**32, 2**63, 10**30, 1.0, True, "1", None, [1]]


class Tiny(torch.nn.Module):
    latent_dim = 2

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 784)

    def forward(self, latents, labels):
        return self.layer(latents).tanh().view(-1, 1, 28, 28)


TINY = LabelledGenerator(Tiny(), {"config": {}, "images_seen": 0})


@cache
def composed(name, *overrides):
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return compose(name, list(overrides))


def config_of(name, value, *overrides):
    config = copy.deepcopy(composed(name, *overrides))
    OmegaConf.update(config, "seed", value)
    return config


PLACES = {
    "train": lambda value: resume.check_config(
        config_of("train", value, "experiment=smoke", "trainer.default_root_dir=run")
    ),
    "evaluate": lambda value: evaluate._checked_metrics(config_of("evaluate", value)),
    "analyze": lambda value: analyze._checked_parts(config_of("analyze", value)),
    "leaderboard": lambda value: leaderboard._checked_options(config_of("leaderboard", value, "samples=x")),
    "probe": lambda value: probe._checked_options(config_of("probe", value, "model=a:b")),
    "usefulness": lambda value: usefulness._checked_options(config_of("usefulness", value)),
    "sample": lambda value: TINY.sample([1], 2, value),
    "stream": lambda value: TINY.stream([1], 2, value),
    "data": lambda value: SyntheticData(10, 10, batch_size=5, seed=value),
    "drawings": lambda value: SyntheticData(10, 10, value, batch_size=5, seed=0).load(),
    "batches": lambda value: list(ShuffledBatches(10, 5, value)),
    "grid": lambda value: SampleGrid(seed=value),
    "evaluation": lambda value: Evaluation({}, seed=value, report_seed=7),
    "report": lambda value: Evaluation({}, seed=7, report_seed=value),
    "gan_train": lambda value: GanTrain(next(iter(NETWORKS)), seed=value),
    "random features": lambda value: RandomConvolutions(seed=value),
    "sliced": lambda value: SlicedWasserstein(seed=value),
}


@pytest.mark.parametrize("place", PLACES)
def test_the_same_seeds_are_honoured_everywhere(place):
    for value in (0, 1, LARGEST):
        PLACES[place](value)


@pytest.mark.parametrize("place", PLACES)
def test_the_same_seeds_are_refused_everywhere(place):
    for value in OUTSIDE:
        with pytest.raises(UserError, match="seed must be a whole number from 0 to 4294967295, got"):
            PLACES[place](value)


def test_generate_refuses_them_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for value in (2**32, -1, 1.5):
        with pytest.raises(UserError, match="seed must be a whole number from 0 to 4294967295"):
            generate(config_of("generate", value, "output=a.npz"))
    assert list(tmp_path.iterdir()) == []


def test_lightning_and_numpy_and_torch_take_the_whole_range():
    import numpy as np
    from lightning.pytorch import seed_everything
    from sklearn.utils import check_random_state

    state = torch.get_rng_state()
    for value in (0, LARGEST):
        seed_number(seed=value)
        seed_everything(value, verbose=False)
        check_random_state(value)
        np.random.SeedSequence((value, 3))
    torch.set_rng_state(state)

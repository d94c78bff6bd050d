"""Every yaml composes, fits the signature of what it builds, and trains."""

import inspect
from pathlib import Path

import pytest
from hydra import compose as compose_with_hydra
from hydra import initialize_config_dir
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf

from fmcgan.app.config_dir import config_dir
from fmcgan.train import build

CONFIGS = config_dir()
TRAINING_GROUPS = (
    "data",
    "network",
    "conditioning/generator",
    "conditioning/discriminator",
    "spectral_norm",
    "loss",
    "penalty",
    "augment",
    "regularizer",
    "training",
    "trainer",
    "experiment",
)
INGREDIENTS = TRAINING_GROUPS[2:-3]  # all but data, network, training, trainer and experiment
PLAYERS = ("generator", "discriminator")
LIST_GROUPS = ("metric", "metric/feature", "callback", "logger")


def options(group: str) -> list[str]:
    """All yaml of a group; those of experiments also in the folders below."""
    files = (CONFIGS / group).glob("**/*.yaml" if group == "experiment" else "*.yaml")
    return sorted(path.relative_to(CONFIGS / group).with_suffix("").as_posix() for path in files)


def composed(*overrides: str, name: str = "train") -> DictConfig:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose_with_hydra(name, list(overrides))


def targets(node, key=""):
    if isinstance(node, DictConfig):
        if "_target_" in node:
            yield key, node
        for name in node:
            if not OmegaConf.is_interpolation(node, name):
                yield from targets(node[name], f"{key}.{name}")
    elif OmegaConf.is_list(node):
        for place, each in enumerate(node):
            yield from targets(each, f"{key}[{place}]")


def check_signatures(config: DictConfig) -> None:
    found = list(targets(config))
    assert found
    for key, node in found:
        cls = get_class(node["_target_"])
        parameters = inspect.signature(cls).parameters
        free = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
        for name in node:
            assert free or name.startswith("_") or name in parameters, f"{key}.{name}: {cls} takes {list(parameters)}"


@pytest.mark.parametrize("choice", [f"{group}={option}" for group in TRAINING_GROUPS for option in options(group)])
def test_every_choice_composes_and_fits_its_target(choice):
    check_signatures(composed(choice))


@pytest.mark.parametrize("choice", [f"{group}=[{option}]" for group in LIST_GROUPS for option in options(group)])
def test_every_list_choice_composes_and_fits_its_target(choice):
    check_signatures(composed(choice))


@pytest.mark.parametrize("part", options("analysis"))
def test_every_part_of_the_analysis_composes_and_fits_its_target(part):
    check_signatures(composed(f"analysis=[{part}]", name="analyze"))


@pytest.mark.parametrize("name", [p.stem for p in CONFIGS.glob("*.yaml")])
def test_every_command_composes(name):
    given = {"generate": ["run=x"], "compare": ["runs=x"]}.get(name, [])
    OmegaConf.to_container(composed(*given, name=name), throw_on_missing=True)


@pytest.mark.parametrize("option", options("optimizer"))
def test_every_optimizer_composes_for_each_player(option):
    config = composed(f"optimizer@training.generator_optimizer={option}")
    assert config.training.generator_optimizer == OmegaConf.load(CONFIGS / "optimizer" / f"{option}.yaml")


TWO_STEPS = ("trainer.max_epochs=1", "trainer.limit_train_batches=2")


@pytest.mark.parametrize("choice", [f"{group}={option}" for group in INGREDIENTS for option in options(group)])
def test_every_ingredient_trains(fit, choice):
    _, gan = fit(choice, *TWO_STEPS)
    assert gan.images_seen == 64


@pytest.mark.parametrize("option", options("optimizer"))
def test_every_optimizer_trains_both_players(fit, option):
    _, gan = fit(*[f"optimizer@training.{player}_optimizer={option}" for player in PLAYERS], *TWO_STEPS)
    assert gan.images_seen == 64


@pytest.mark.parametrize("schedule", options("schedule"))
def test_every_schedule_trains(fit, schedule):
    knobs = ("generator_lr", "discriminator_lr", "penalty_weight", "ema_half_life")
    _, gan = fit(*[f"schedule@training.schedules.{knob}={schedule}" for knob in knobs], *TWO_STEPS)
    assert gan.images_seen == 64


RECIPES = [each for each in options("experiment") if each != "smoke" and not each.startswith("study/")]


@pytest.mark.slow
@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_trains(fit, recipe):
    """On drawn garments, in batches of 32. The arms of the study put together what is tested above."""
    given = (f"experiment={recipe}", "data=synthetic", "data.batch_size=32", "trainer.precision=32-true")
    batches = 2 * composed(f"experiment={recipe}").n_critic
    _, gan = fit(*given, "trainer.max_epochs=1", f"trainer.limit_train_batches={batches}")
    assert (gan.discriminator_updates, gan.images_seen) == (batches, 32 * batches)


@pytest.mark.parametrize("schedule", options("schedule"))
@pytest.mark.parametrize(
    "knob", ["generator_lr", "discriminator_lr", "penalty_weight", "ema_half_life", "beta1", "beta2"]
)
def test_every_schedule_composes_for_each_knob(schedule, knob):
    config = composed(f"schedule@training.schedules.{knob}={schedule}")
    check_signatures(config)
    assert config.training.schedules[knob] == OmegaConf.load(CONFIGS / "schedule" / f"{schedule}.yaml")


@pytest.mark.parametrize("network", options("network"))
def test_every_network_trains(fit, network):
    _, gan = fit(f"network={network}", "network.width=8", *TWO_STEPS)
    assert gan.images_seen == 64


@pytest.mark.parametrize(
    "choices",
    [
        ("network=resnet", "network.width=8", "network.attention=true"),
        ("regularizer=lecam", "regularizer.start=0"),
        ("regularizer=consistency", "regularizer.images=both"),
    ],
)
def test_what_its_default_leaves_out_trains_too(fit, choices):
    _, gan = fit(*choices, *TWO_STEPS)
    assert gan.images_seen == 64


def test_wgan_gp_has_the_constants_of_its_paper():
    config = composed("experiment=wgan_gp")
    assert config.penalty.weight == 10
    assert config.n_critic == 5
    for player in PLAYERS:
        assert list(config.training[f"{player}_optimizer"].betas) == [0.0, 0.9]
        assert config.training[f"{player}_optimizer"].lr == 1e-4


def test_recipes_are_those_of_the_two_projects():
    a = composed("experiment=recipe_a_wgan_gp")
    assert (a.network.width, a.network.latent_dim, a.data.batch_size, a.trainer.max_epochs) == (256, 100, 256, 30)
    assert (a.training.generator_clip, a.training.generator_optimizer.lr, a.penalty.weight) == (5.0, 2e-3, 10)
    b = composed("experiment=recipe_b")
    assert (b.network.width, b.network.latent_dim, b.data.batch_size, b.trainer.max_epochs) == (1024, 100, 64, 100)


@pytest.mark.parametrize("option", options("experiment"))
def test_the_command_in_an_experiments_header_is_its_own(option):
    header = (CONFIGS / "experiment" / f"{option}.yaml").read_text(encoding="utf-8").splitlines()[:6]
    assert any(f"python -m fmcgan.train experiment={option}" in line for line in header)


def test_an_experiments_values_for_a_callback_that_is_not_chosen_are_ignored(compose):
    trainer, _, _ = build(compose("metric=[]", "callback=[metrics_logger]"))
    ours = [callback for callback in trainer.callbacks if type(callback).__module__.startswith("fmcgan")]
    assert [type(callback).__name__ for callback in ours] == ["MetricsLogger"]


def test_no_yaml_is_outside_these_tests():
    groups = {path.parent.relative_to(CONFIGS).as_posix() for path in CONFIGS.rglob("*.yaml")} - {"."}
    assert groups == {
        *TRAINING_GROUPS,
        *LIST_GROUPS,
        "analysis",
        "experiment/study",
        "optimizer",
        "schedule",
        "hydra/job_logging",
    }
    assert isinstance(CONFIGS, Path)

"""Every yaml composes, fits the signature of what it builds, and trains."""

from pathlib import Path

import pytest
from hydra import compose as compose_with_hydra
from hydra import initialize_config_dir
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf

from fmcgan.app.config_dir import config_dir
from fmcgan.app.config_validation import parameters_of
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
COMBINED = ("conditioning/generator", "conditioning/discriminator", "spectral_norm", "augment", "regularizer")
"""Groups of which any options go together."""
PLAYERS = ("generator", "discriminator")
KNOBS = ("generator_lr", "discriminator_lr", "penalty_weight", "ema_half_life", "beta1", "beta2")
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
            if not OmegaConf.is_interpolation(node, name) and not OmegaConf.is_missing(node, name):
                yield from targets(node[name], f"{key}.{name}")
    elif OmegaConf.is_list(node):
        for place, each in enumerate(node):
            yield from targets(each, f"{key}[{place}]")


def check_signatures(choice: str, config: DictConfig) -> None:
    found = list(targets(config))
    assert found, choice
    for key, node in found:
        cls = get_class(node["_target_"])
        parameters = parameters_of(cls)
        free = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
        for name in node:
            assert free or name.startswith("_") or name in parameters, (
                f"{choice}: {key}.{name}: {cls} takes {list(parameters)}"
            )


ALONE = ("network", "experiment")
"""Groups whose options exclude some of other groups."""
TOGETHER = {group: options(group) for group in TRAINING_GROUPS if group not in ALONE}
EVERY_PART = {
    **{
        f"round {number}": ("train", [f"{group}={names[number % len(names)]}" for group, names in TOGETHER.items()])
        for number in range(max(map(len, TOGETHER.values())))
    },
    **{
        f"{group} {option}": ("train", [f"{group}={option}"])
        for group in ALONE
        for option in options(group)
        if not option.startswith("study/")
    },
    **{group: ("train", [f"{group}=[{','.join(options(group))}]"]) for group in LIST_GROUPS},
    "analysis": ("analyze", [f"analysis=[{','.join(options('analysis'))}]"]),
    **{f"protocol {option}": ("usefulness", [f"protocol={option}"]) for option in options("protocol")},
    **{
        f"schedule {option}": ("train", [f"schedule@training.schedules.{knob}={option}" for knob in KNOBS])
        for option in options("schedule")
    },
    **{
        f"optimizer {option}": ("train", [f"optimizer@training.{player}_optimizer={option}" for player in PLAYERS])
        for option in options("optimizer")
    },
}
"""A command and overrides, by name: each option at least once. The arms of the study: tests/study/test_arms.py."""


@pytest.fixture(scope="module")
def everything() -> dict[str, DictConfig]:
    """All of `EVERY_PART`, composed once."""
    found = {}
    for name, (command, overrides) in EVERY_PART.items():
        try:
            found[name] = composed(*overrides, name=command)
        except Exception as error:
            raise AssertionError(f"{name}: {overrides} does not compose") from error
    return found


def test_every_choice_fits_the_signature_of_its_target(everything):
    for name, config in everything.items():
        check_signatures(name, config)


def test_every_schedule_and_optimizer_is_composed_as_its_file_says(everything):
    for option in options("schedule"):
        expected = OmegaConf.load(CONFIGS / "schedule" / f"{option}.yaml")
        for knob in KNOBS:
            assert everything[f"schedule {option}"].training.schedules[knob] == expected, (option, knob)
    for option in options("optimizer"):
        expected = OmegaConf.load(CONFIGS / "optimizer" / f"{option}.yaml")
        for player in PLAYERS:
            assert everything[f"optimizer {option}"].training[f"{player}_optimizer"] == expected, (option, player)


def test_every_command_composes():
    for name in (path.stem for path in CONFIGS.glob("*.yaml")):
        missing = {"generate": "run=x", "compare": "runs=x", "leaderboard": "samples=x", "probe": "model=a:b"}
        given = [missing[name]] if name in missing else []
        OmegaConf.to_container(composed(*given, name=name), throw_on_missing=True)


TWO_STEPS = ("trainer.max_epochs=1", "trainer.limit_train_batches=2", "callback=[metrics_logger]")


@pytest.mark.parametrize("choice", [f"{group}={option}" for group in ("loss", "penalty") for option in options(group)])
def test_every_loss_and_penalty_trains(fit, choice):
    _, gan = fit(choice, *TWO_STEPS)
    assert gan.images_seen == 64


@pytest.mark.parametrize("number", range(max(len(options(group)) for group in COMBINED)))
def test_every_ingredient_trains(fit, number):
    names = {group: options(group) for group in COMBINED}
    _, gan = fit(*[f"{group}={each[number % len(each)]}" for group, each in names.items()], *TWO_STEPS)
    assert gan.images_seen == 64


@pytest.mark.parametrize("option", options("optimizer"))
def test_every_optimizer_trains_both_players(fit, option):
    _, gan = fit(*[f"optimizer@training.{player}_optimizer={option}" for player in PLAYERS], *TWO_STEPS)
    assert gan.images_seen == 64


@pytest.mark.parametrize("schedule", options("schedule"))
def test_every_schedule_trains(fit, schedule):
    _, gan = fit(*[f"schedule@training.schedules.{knob}={schedule}" for knob in KNOBS[:4]], *TWO_STEPS)
    assert gan.images_seen == 64


RECIPES = [each for each in options("experiment") if each != "smoke" and not each.startswith("study/")]


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_trains(fit, recipe):
    """On drawn garments, in batches of 32 and small. The arms of the study put together what is tested above."""
    small = ("data=synthetic", "data.batch_size=32", "network.width=32", "trainer.precision=32-true")
    batches = 2 * composed(f"experiment={recipe}").n_critic
    _, gan = fit(f"experiment={recipe}", *small, "trainer.max_epochs=1", f"trainer.limit_train_batches={batches}")
    assert (gan.discriminator_updates, gan.images_seen) == (batches, 32 * batches)


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


def test_every_search_space_composes_and_varies_keys_that_exist():
    """`tests/search` searches with every sampler."""
    from fmcgan.search.space import read_space

    pytest.importorskip("optuna", reason="Optuna is not installed")
    for option in options("search"):
        with initialize_config_dir(str(CONFIGS), version_base="1.3"):
            config = compose_with_hydra("train", [f"search={option}"], return_hydra_config=True)
        assert config.hydra.sweeper._target_ == "hydra_plugins.fmcgan_sweeper.OptunaSweeper"
        space = read_space([f"{key}={sweep}" for key, sweep in config.hydra.sweeper.params.items()])
        assert space.fixed == ()
        for key, distribution in space.distributions.items():
            default = OmegaConf.select(config, key)
            choices = getattr(distribution, "choices", None)
            assert default in choices if choices else distribution.low < default < distribution.high, (option, key)


def test_every_sampler_and_pruner_fits_the_signature_of_its_target():
    pytest.importorskip("optuna", reason="Optuna is not installed")
    for group in ("sampler", "pruner"):
        for option in options(f"hydra/sweeper/{group}"):
            check_signatures(option, OmegaConf.load(CONFIGS / "hydra" / "sweeper" / group / f"{option}.yaml"))


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


def test_the_command_in_an_experiments_header_is_its_own():
    for option in options("experiment"):
        header = (CONFIGS / "experiment" / f"{option}.yaml").read_text(encoding="utf-8").splitlines()[:6]
        assert any(f"python -m fmcgan.train experiment={option}" in line for line in header), option


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
        "protocol",
        "schedule",
        "search",
        "hydra/job_logging",
        "hydra/sweeper",
        "hydra/sweeper/sampler",
        "hydra/sweeper/pruner",
    }
    assert isinstance(CONFIGS, Path)

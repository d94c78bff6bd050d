import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from fmcgan.app.config_dir import config_dir
from fmcgan.app.errors import UserError
from study.arms import (
    ARMS,
    BASE,
    TABLES,
    arm_description,
    arm_overrides,
    batch_size,
    experiment,
    folder_name,
    select_arms,
)

SMALL = TABLES["small_data"]

pytestmark = pytest.mark.train  # composes or draws for seconds

FALLING = [f"schedule@training.schedules.{player}_lr=cosine" for player in ("generator", "discriminator")]
NEAREST = "network.generator.upsampling=nearest"


def composed(*overrides):
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return OmegaConf.to_yaml(compose("train", list(overrides)))


@pytest.fixture(scope="module")
def configs():
    """The configuration of each arm, as yaml."""
    return {arm: composed(f"experiment={arm}") for arm in ARMS}


def test_every_arm_is_an_experiment_of_its_own_and_says_what_it_changes(configs):
    assert configs["study/constant_rate"] == composed(NEAREST)
    assert configs[BASE] == composed(*FALLING, NEAREST)
    assert configs["study/bilinear"] == composed(*FALLING)
    assert len(set(configs.values())) == len(ARMS)
    assert len({arm_description(arm) for arm in ARMS}) == len(ARMS)
    assert len({folder_name(arm) for arm in ARMS}) == len(ARMS)
    assert all(5 < len(arm_description(arm)) < 200 for arm in ARMS)


def test_every_arm_but_one_has_the_falling_learning_rates_of_the_base(configs):
    for arm in ARMS:
        if arm.startswith("study/") and arm != "study/constant_rate":
            schedules = yaml.load(configs[arm], yaml.CSafeLoader)["training"]["schedules"]
            assert all("cosine" in schedules[knob]["_target_"] for knob in ("generator_lr", "discriminator_lr")), arm


def test_no_file_of_the_study_is_left_out_of_the_tables():
    folder = config_dir() / "experiment" / "study"
    named = {experiment(arm) for table in TABLES.values() for arm in table.arms}
    assert {f"study/{path.stem}" for path in folder.glob("*.yaml")} == {a for a in named if a.startswith("study/")}


def test_small_data_are_five_arms_of_three_sizes_each_compared_with_the_first():
    assert [len(arms) for arms in SMALL.groups.values()] == [5, 5, 5]
    assert SMALL.base("study/lecam regularizer.start=100 data.subset.n=2000") == "study/base data.subset.n=2000"
    assert SMALL.group("study/lecam regularizer.start=100 data.subset.n=2000") == "2,000 images"
    assert TABLES["ingredients"].base("study/lecam") == BASE
    assert select_arms([], SMALL) == SMALL.arms
    assert len({folder_name(arm) for arm in SMALL.arms}) == 15
    overrides = [*arm_overrides("study/ada data.subset.n=500"), *SMALL.overrides, "seed=7"]
    config = yaml.load(composed(*overrides), yaml.CSafeLoader)
    assert (config["data"]["subset"]["n"], config["data"]["epoch_images"], config["augment"]["kimg"]) == (
        500,
        60000,
        50,
    )
    assert config["data"]["subset"]["seed"] == "${seed}"


def test_chosen():
    assert select_arms([]) == ARMS
    assert select_arms(["smoke", "study/r3", "smoke"]) == ("smoke", "study/r3")
    with pytest.raises(UserError, match=r"no experiment=study/hing\. Did you mean study/hinge\? Available: .*smoke"):
        select_arms(["study/hing"])


def test_what_is_known_of_an_arm():
    assert batch_size("smoke") == 32
    assert batch_size("smoke data.batch_size=16") == 16
    assert arm_description("study/hinge") == "Hinge loss with the default's R1."
    assert arm_description("recipe_b").startswith("Recipe B")
    assert folder_name("study/hinge") == "study-hinge"

"""The arms of the study: experiments that change one ingredient of the base, and whole recipes."""

from collections.abc import Sequence

from hydra import compose, initialize_config_dir

from fmcgan.app.config_dir import config_dir
from fmcgan.app.error_messages import unknown_option
from fmcgan.app.errors import UserError
from fmcgan.app.option_tables import read_option

BASE = "study/base"

GROUPS: dict[str, tuple[str, ...]] = {
    "base": (BASE,),
    "conditioning": (
        "study/g_concatenation",
        "study/g_embedding_product",
        "study/g_conditional_batch_norm",
        "study/d_label_map",
        "study/d_concatenation",
        "study/d_auxiliary_classifier",
    ),
    "networks": (
        "study/transposed",
        "study/bilinear",
        "study/refine",
        "study/bilinear_refine",
        "study/resnet",
        "study/resnet_attention",
        "study/r3",
        "study/wide_discriminator",
    ),
    "losses and penalties": (
        "study/hinge",
        "study/relativistic",
        "study/wgan_gp",
        "study/wgan_gp_one_sided",
        "study/dragan",
        "study/no_penalty",
        "study/penalty_falls",
        "study/r1_every_update",
        "study/r2",
        "study/r1_r2",
    ),
    "regularisation": (
        "study/spectral_norm",
        "study/spectral_norm_both",
        "study/consistency",
        "study/lecam",
        "study/diff_augment",
    ),
    "optimisation": (
        "study/no_ema",
        "study/learning_rate",
        "study/two_time_scales",
        "study/betas",
        "study/constant_rate",
        "study/long_average",
    ),
    "together": ("study/together",),
    "recipes": ("recipe_a_vanilla", "recipe_a_wgan_gp", "recipe_b"),
}
"""Names of experiments, in the order of the table; an arm is added here and in ``configs/experiment``."""

WITH_ALL_CORES = (
    "study/resnet",
    "study/resnet_attention",
    "study/r3",
    "study/wide_discriminator",
    *GROUPS["recipes"],
)
"""Arms measured on all cores: large networks, which gain more from a second core than the base, and recipes."""

SAME_WORK = {
    "study/no_ema": BASE,  # copying costs as much as averaging
    "study/learning_rate": BASE,
    "study/two_time_scales": BASE,
    "study/betas": BASE,
    "study/constant_rate": BASE,
    "study/long_average": BASE,
    "study/penalty_falls": BASE,
    "study/r2": BASE,
    "study/wgan_gp_one_sided": "study/wgan_gp",
    "study/bilinear_refine": "study/together",
}
"""Arms with the same computation as another arm, and so the same speed."""

ARMS = tuple(arm for arms in GROUPS.values() for arm in arms)


def select_arms(names: Sequence[str]) -> tuple[str, ...]:
    """Returns the named experiments without duplicates; without names, all arms of the table.

    Raises:
        UserError: there is no such experiment.
    """
    folder = config_dir() / "experiment"
    known = sorted(path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.yaml"))
    for name in names:
        if name not in known:
            raise UserError(unknown_option("experiment", name, known))
    return tuple(dict.fromkeys(names)) or ARMS


def arm_description(arm: str) -> str:
    """Returns the description of an experiment: the first comment line of its file."""
    return read_option(config_dir() / "experiment" / f"{arm}.yaml", "experiment").description


def batch_size(arm: str) -> int:
    """Composes an experiment and returns its batch size."""
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return int(compose("train", [f"experiment={arm}"]).data.batch_size)


def folder_name(arm: str) -> str:
    """Returns the name of an arm's run folder: a single level."""
    return arm.replace("/", "-")

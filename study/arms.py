"""The tables of the study and their arms: experiments that change one ingredient of the base, and whole recipes."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hydra import compose, initialize_config_dir

from fmcgan.app.config_dir import config_dir
from fmcgan.app.error_messages import unknown_option
from fmcgan.app.errors import UserError
from fmcgan.app.option_tables import read_option

BASE = "study/base"

SCORES = {
    "FD": "fd_classifier_10k_test",
    "FD by class": "class_fd_classifier_10k_test",
    "agreement": "label_agreement_classifier_10k",
    "precision": "precision_k3_classifier_10k_test",
    "recall": "recall_k3_classifier_10k_test",
    "density": "density_k5_classifier_10k_test",
    "coverage": "coverage_k5_classifier_10k_test",
}
"""Column heading and name of each score; `docs/metrics.md` explains them."""

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
"""The arms of the table of ingredients; an arm is added here and in ``configs/experiment``."""

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
    "study/ada": "study/diff_augment",
    "study/unconditional": BASE,
    "study/shuffled": BASE,
}
"""Arms with the same computation as another arm, and so the same speed."""

ARMS = tuple(arm for arms in GROUPS.values() for arm in arms)


@dataclass(frozen=True)
class Table:
    """One table of the study.

    An arm is an experiment, or an experiment with overrides after a space: ``study/lecam data.subset.n=500``.

    Attributes:
        groups: arms by group, in the order of the lines.
        overrides: of all trainings; they replace those of `study.jobs.PROTOCOL`.
        page: stem of the page's name in ``docs``, and of the folder of its runs.
        seconds: training time of every arm, of two cores; ``None``: that of the measurements of speed.
        by_group: whether each arm is compared with the first of its group; else with `BASE`.
        scores: column heading and name of each score.
        paired: whether the page lists the differences to the base, paired by seed, of all and of each class.
    """

    groups: Mapping[str, tuple[str, ...]]
    page: str
    overrides: tuple[str, ...] = ()
    seconds: int | None = None
    by_group: bool = False
    scores: Mapping[str, str] = field(default_factory=lambda: SCORES)
    paired: bool = False

    @property
    def arms(self) -> tuple[str, ...]:
        """All arms in the order of the lines."""
        return tuple(arm for arms in self.groups.values() for arm in arms)

    def group(self, arm: str) -> str:
        """Returns the group of an arm."""
        return next(name for name, arms in self.groups.items() if arm in arms)

    def base(self, arm: str) -> str:
        """Returns the arm that an arm is compared with."""
        return self.groups[self.group(arm)][0] if self.by_group else BASE


WITHOUT_LABELS = {
    "FD": "fd_classifier_10k_test",
    "precision": "precision_k3_classifier_10k_test",
    "recall": "recall_k3_classifier_10k_test",
    "coverage": "coverage_k5_classifier_10k_test",
    "FD in assigned classes": "assigned_class_fd_classifier_10k_test",
    "precision of classes": "assigned_precision_classifier_10k_test",
    "recall of classes": "assigned_recall_classifier_10k_test",
    "imbalance": "assigned_imbalance_classifier_10k_test",
    "agreement": "label_agreement_classifier_10k",
}
"""Scores of generators that may ignore the label: all but the last read no label of the samples."""

SMALL_DATA_ARMS = (
    BASE,
    "study/diff_augment",
    "study/ada",
    "study/lecam regularizer.start=100",  # the default, 1,000 updates, is longer than the training
    "study/consistency",
)

TABLES = {
    "ingredients": Table(GROUPS, "study"),
    "small_data": Table(
        {f"{n:,} images": tuple(f"{arm} data.subset.n={n}" for arm in SMALL_DATA_ARMS) for n in (500, 2000, 10000)},
        "study_small_data",
        ("data.epoch_images=60000", "data.subset.seed=${seed}"),
        seconds=40,
        by_group=True,
    ),
    "conditioning": Table(
        {"label": (BASE, "study/unconditional", "study/shuffled")},
        "study_conditioning",
        ("metric=[frechet,manifold,gan_test,assigned_classes]",),
        seconds=40,
        scores=WITHOUT_LABELS,
        paired=True,
    ),
}


def select_arms(names: Sequence[str], table: Table = TABLES["ingredients"]) -> tuple[str, ...]:
    """Returns the named arms without duplicates; without names, all arms of the table.

    Raises:
        UserError: there is no such experiment.
    """
    folder = config_dir() / "experiment"
    known = sorted(path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.yaml"))
    for name in names:
        if experiment(name) not in known:
            raise UserError(unknown_option("experiment", experiment(name), known))
    return tuple(dict.fromkeys(names)) or table.arms


def experiment(arm: str) -> str:
    """Returns the experiment of an arm."""
    return arm.split(" ")[0]


def arm_overrides(arm: str) -> list[str]:
    """Returns the overrides that select an arm."""
    name, *others = arm.split(" ")
    return [f"experiment={name}", *others]


def arm_description(arm: str) -> str:
    """Returns the description of an arm's experiment: the first comment line of its file."""
    return read_option(config_dir() / "experiment" / f"{experiment(arm)}.yaml", "experiment").description


def batch_size(arm: str) -> int:
    """Composes an arm and returns its batch size."""
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return int(compose("train", arm_overrides(arm)).data.batch_size)


def folder_name(arm: str) -> str:
    """Returns the name of an arm's run folder: a single level."""
    return re.sub("[/ ]", "-", arm).replace("=", "_")

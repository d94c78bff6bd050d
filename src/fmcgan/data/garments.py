"""The ten classes of Fashion-MNIST and of the synthetic data set."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fmcgan.data.info import DatasetInfo

GARMENTS = DatasetInfo(
    name="fashion_mnist",
    class_names=("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"),
    channels=1,
    size=28,
    flips=True,
    aliases={
        **dict.fromkeys(("t-shirt/top", "tshirt", "t_shirt", "top"), 0),
        "trousers": 1,
        **dict.fromkeys(("ankle boot", "ankle-boot", "ankle_boot"), 9),
    },
)
"""Fashion-MNIST's classes, with names shortened for the command line."""


def info_of(config: Mapping[str, Any]) -> DatasetInfo:
    """Returns the data set of a run's configuration; runs without the entry ``dataset`` are older and of garments."""
    saved = config.get("dataset")
    if saved is None:
        return GARMENTS
    info = DatasetInfo.from_config(saved)
    return replace(info, aliases=GARMENTS.aliases) if info.class_names == GARMENTS.class_names else info

"""Checks of the options of `evaluate` and `analyze`: which samples, how many, beside which real images."""

from omegaconf import DictConfig

from fmcgan.app.checks import MOST_IMAGES, one_of, path_text, whole_number
from fmcgan.app.errors import InvalidValueError, UserError
from fmcgan.data.classes import parse_classes

SPLITS = ("train", "test")
"""Also what ``samples=`` may be: the real images themselves."""

_FEWEST_REPLICATES = 10
"""Of fewer resamples, the ends of an interval are chance."""


def check_sample_options(config: DictConfig, fewest: int) -> None:
    """Checks the options, paths being brought into one form: a file may be named by a number.

    Args:
        config: of the command.
        fewest: samples below which its results mean nothing.

    Raises:
        UserError: two sources are given, or a value has the wrong type or range.
    """
    for key in ("run", "samples", "output", "cache"):
        config[key] = path_text(**{key: config[key]})
    if config.run is not None and config.samples is not None:
        raise UserError(
            "give either run=, a run folder, checkpoint or exported generator, or samples=: FILE.npz, a folder of "
            "PNGs, or train or test, which are the real images (neither of them: the shipped generator)"
        )
    one_of(("ema", "raw"), weights=config.weights)
    one_of(SPLITS, reference=config.reference)
    if config.bootstrap_samples != 0:
        whole_number(
            minimum=_FEWEST_REPLICATES,
            maximum=10_000,
            **{"bootstrap_samples (0: no intervals)": config.bootstrap_samples},
        )
    classes = len(parse_classes(config.get("classes")))
    if config.n is not None:
        whole_number(minimum=fewest, maximum=MOST_IMAGES, n=config.n)
        if config.samples is None and config.n % classes:
            raise InvalidValueError(f"n must be a multiple of {classes}, the number of classes, got {config.n}")

"""What an evaluation is about: the samples, drawn or given, and the real images beside them."""

import logging
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig

from fmcgan.data.classes import NUM_CLASSES
from fmcgan.errors import UserError
from fmcgan.generator import LabelledGenerator, load_generator
from fmcgan.metric.image_set import ImageSet
from fmcgan.metric.samples_file import read_samples
from fmcgan.metric.score import RealImages
from fmcgan.metric.store import Store
from fmcgan.training.sampling import sample_classes
from fmcgan.trust import trusted

log = logging.getLogger(__name__)

USUAL_N = 10_000
"""Samples of each score, if nobody says how many."""


def generator_of(config: DictConfig) -> LabelledGenerator:
    """The generator of ``run=``, or the shipped one; a warning if the seed is one that a choice has seen."""
    generator = load_generator(config.run, config.weights, config.device)
    chosen_on = generator.config.get("callback", {}).get("evaluation", {}).get("seed")
    if chosen_on == config.seed:
        log.warning("seed=%s drew the samples by which this run chose its best checkpoint; take another", config.seed)
    return generator


def given_samples(config: DictConfig) -> ImageSet:
    """The samples of the file or folder that ``samples=`` names."""
    return ImageSet(*read_samples(Path(config.samples)), device=config.device, replicates=config.replicates)


def samples_a_score(config: DictConfig, given: ImageSet | None) -> int:
    """How many samples a score takes."""
    if given is None:
        if config.n is not None and config.n % NUM_CLASSES:
            raise UserError(f"n must be a multiple of {NUM_CLASSES}, the number of classes, got {config.n}")
        return config.n or USUAL_N
    if config.n is not None and config.n > len(given):
        raise UserError(f"n={config.n} samples are asked for, but samples={config.samples} holds {len(given)}")
    n = config.n or min(USUAL_N, len(given))
    if n < len(given):
        log.info("scoring %d of the %d samples: the first of each class (n= chooses how many)", n, len(given))
    return n


def drawn_samples(config: DictConfig, generator: LabelledGenerator | None, n: int) -> ImageSet:
    """At least ``n`` samples of a generator, the same number of each class."""
    if generator is None:
        raise ValueError("there is no generator to draw samples from")
    n_per_class = -(-n // NUM_CLASSES)
    drawn = sample_classes(generator.network, range(NUM_CLASSES), n_per_class, config.seed)
    return ImageSet(*drawn, device=config.device, replicates=config.replicates)


def real_images(config: DictConfig, generator: LabelledGenerator | None, store: Store) -> RealImages:
    """The run's own data set, with this command's paths where it is the same one, or the one that is asked for."""
    chosen = any(override.startswith("data=") for override in HydraConfig.get().overrides.task)
    data_config: Any = config.data
    if generator and not chosen and generator.config["data"]["_target_"] != config.data._target_:
        data_config = trusted(generator.config["data"], "fmcgan.data.")
    data = instantiate(data_config)
    data.prepare_data()
    data.setup("fit")
    options: dict[str, Any] = {"device": config.device, "store": store, "replicates": config.replicates}
    train = ImageSet(data.images.train_images, data.images.train_labels, **options)
    test = ImageSet(data.images.test_images, data.images.test_labels, **options)
    return RealImages(train, test, config.reference)


def warn_of_real_samples(samples: ImageSet, real: RealImages) -> None:
    """Says so if the images that samples are compared with are among the samples."""
    for split, images in (("train", real.train), ("test", real.test)):
        known = {image.tobytes() for image in images.images.numpy()}
        copies = sum(image.tobytes() in known for image in samples.images.numpy())
        if copies > 0.01 * len(samples) and split == real.reference_split:
            log.warning(
                "%d of %d samples are images of the %s split, with which they are compared: distances look better than "
                "those of new images (reference=%s compares with the others)",
                *(copies, len(samples), split, "test" if split == "train" else "train"),
            )
        elif copies > 0.01 * len(samples):
            log.warning("%d of %d samples are images of the %s split", copies, len(samples), split)

"""What an evaluation or an analysis is about: the samples, drawn or given, and the real images beside them."""

import logging
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig

from fmcgan.app import run_dir
from fmcgan.app.errors import UserError
from fmcgan.app.links import refuse_links
from fmcgan.app.overrides import composed_of
from fmcgan.app.safe_instantiate import check_targets
from fmcgan.app.system_info import command_line
from fmcgan.data.classes import CLASS_NAMES, NUM_CLASSES, parse_classes
from fmcgan.inference.generator import LabelledGenerator, check_device, find_checkpoint, load_generator
from fmcgan.inference.safetensors_file import SUFFIX
from fmcgan.inference.sample_options import SPLITS, check_sample_options
from fmcgan.metric.base import RealImages
from fmcgan.metric.image_set import ImageSet
from fmcgan.metric.results_store import Store
from fmcgan.metric.samples_file import read_samples
from fmcgan.training.sampling import sample_classes

log = logging.getLogger(__name__)

USUAL_N = 10_000
"""Samples of each score, if nobody says how many."""

_SHIPPED = "the shipped generator"


def check_source(config: DictConfig, fewest: int) -> None:
    """Looks at what the samples come from and how many there are to be, before anything is read.

    Args:
        config: of the command.
        fewest: samples below which its results mean nothing.

    Raises:
        UserError: two sources are given, a value is out of range, or there is no such device.
    """
    check_sample_options(config, fewest)
    check_device(config.device)


def source(config: DictConfig) -> tuple[LabelledGenerator | None, ImageSet | None]:
    """The generator, if ``samples=`` names none; the samples, if it names a file or a folder."""
    generator = generator_of(config) if config.samples is None else None
    return generator, None if config.samples in (None, *SPLITS) else given_samples(config)


def classes_of(config: DictConfig) -> list[int]:
    """The labels of the samples, and of the real images beside them: ``classes=``, of the commands that have it."""
    return parse_classes(config.get("classes"))


def given_split(config: DictConfig, real: RealImages) -> ImageSet | None:
    """The split of the real images that ``samples=`` names, if it names one."""
    return {"train": real.train, "test": real.test}.get(config.samples)


def run_of(config: DictConfig) -> Path | None:
    """The folder of the run that trained the generator, if it lies in one."""
    if config.run is None:
        return None
    checkpoint = find_checkpoint(Path(config.run))
    if checkpoint.suffix == SUFFIX:
        return None
    return checkpoint.parent.parent if checkpoint.parent.name == run_dir.CHECKPOINTS else checkpoint.parent


def folder_of(config: DictConfig, what: str, below_run: str = ".") -> Path:
    """Where results go: ``output=``, the run folder, or beside samples or an exported generator.

    It is made now: hours later would be too late.

    Args:
        config: of the command.
        what: the results are, such as ``evaluation``: folders beside samples are named ``NAME_evaluation``.
        below_run: the folder within a run folder.
    """
    folder = _named_folder(config, what, below_run)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        needed = "results need a folder that can be made and written: give output=FOLDER"
        raise UserError(f"{folder}: {error.strerror}; {needed}") from error
    return folder


def _named_folder(config: DictConfig, what: str, below_run: str) -> Path:
    if config.output:
        return Path(config.output)
    if config.samples:
        samples = Path(config.samples).absolute()
        return samples.with_name(f"{samples.stem if samples.is_file() else samples.name}_{what}")
    if config.run is None:
        return Path(f"shipped_generator_{what}")
    if (run := run_of(config)) is not None:
        if below_run != ".":
            refuse_links(run, below_run)
        return run / below_run
    file = find_checkpoint(Path(config.run))
    return file.with_name(f"{file.stem}_{what}")


def provenance(
    config: DictConfig, samples: ImageSet, real: RealImages, generator: LabelledGenerator | None
) -> dict[str, Any]:
    """What results were measured on: the command, the source, and hashes of samples and real images."""
    drawn: dict[str, Any] = {}
    if generator is not None:
        checkpoint = _SHIPPED if config.run is None else str(find_checkpoint(Path(config.run)))
        drawn = {"checkpoint": checkpoint, "images_seen": generator.images_seen}
        drawn |= {"seed": config.seed, "weights": config.weights}
    return {
        "command": command_line(),
        "source": config.run or config.samples or _SHIPPED,
        **drawn,
        "samples_sha256": samples.fingerprint,
        "train_sha256": real.train.fingerprint,
        "test_sha256": real.test.fingerprint,
        "versions": {name: version(name) for name in ("fmcgan", "torch")},
        "device": str(config.device),
    }


def generator_of(config: DictConfig) -> LabelledGenerator:
    """The generator of ``run=``, or the shipped one; a warning if the seed is one that a choice has seen."""
    generator = load_generator(config.run, config.weights, config.device)
    chosen_on = ((generator.config.get("callback") or {}).get("evaluation") or {}).get("seed")
    if chosen_on == config.seed:
        log.warning("seed=%s drew the samples by which this run chose its best checkpoint; take another", config.seed)
    return generator


def given_samples(config: DictConfig) -> ImageSet:
    """The samples of the file or folder that ``samples=`` names, of the chosen classes.

    Raises:
        UserError: there are none of one of them.
    """
    samples = ImageSet(
        *read_samples(Path(config.samples)), device=config.device, bootstrap_samples=config.bootstrap_samples
    )
    classes, there = classes_of(config), [label for label in range(NUM_CLASSES) if len(samples.of_class(label))]
    named = ",".join(CLASS_NAMES[label] for label in there)
    if len(classes) == NUM_CLASSES:
        if len(there) < NUM_CLASSES and "classes" in config:
            log.warning("beside them are real images of all ten classes; classes=[%s] leaves out the others", named)
        return samples
    if missing := [CLASS_NAMES[label] for label in classes if label not in there]:
        raise UserError(f"samples={config.samples} has no images of {', '.join(missing)}; it has classes=[{named}]")
    return samples.of_classes(classes)


def samples_a_score(config: DictConfig, given: ImageSet | None) -> int:
    """How many samples a score takes."""
    if given is None:
        classes = len(classes_of(config))
        return config.n or USUAL_N // classes * classes
    if config.n is not None and config.n > len(given):
        raise UserError(f"n={config.n} samples are asked for, but samples={config.samples} holds {len(given)}")
    n = config.n or min(USUAL_N, len(given))
    if n < len(given):
        log.info("scoring %d of the %d samples: the first of each class (n= chooses how many)", n, len(given))
    return n


def drawn_samples(config: DictConfig, generator: LabelledGenerator | None, n: int) -> ImageSet:
    """At least ``n`` samples of a generator, the same number of each chosen class."""
    if generator is None:
        raise ValueError("there is no generator to draw samples from")
    classes = classes_of(config)
    drawn = sample_classes(generator.network, classes, -(-n // len(classes)), config.seed)
    return ImageSet(*drawn, device=config.device, bootstrap_samples=config.bootstrap_samples)


def real_images(config: DictConfig, generator: LabelledGenerator | None, store: Store) -> RealImages:
    """The run's own data set, with this command's paths where it is the same one, or the one that is asked for.

    Of both splits, those of the chosen classes.
    """
    chosen = any(override.startswith("data=") for override in composed_of())
    data_config: Any = config.data
    if generator and not chosen:
        own = generator.config.get("data") or {}
        if "_target_" not in own:
            raise UserError("the file of the generator does not name its data set; give data=fashion_mnist or another")
        if own["_target_"] != config.data._target_:
            data_config = check_targets(own, "fmcgan.data.")
    data = instantiate(data_config)
    if not hasattr(data, "prepare_data"):
        raise UserError(f"the data set of the generator's file, {data_config['_target_']}, is none: give data=")
    data.prepare_data()
    data.setup("fit")
    options: dict[str, Any] = {"device": config.device, "store": store, "bootstrap_samples": config.bootstrap_samples}
    train = ImageSet(data.images.train_images, data.images.train_labels, **options)
    test = ImageSet(data.images.test_images, data.images.test_labels, **options)
    classes = classes_of(config)
    return RealImages(train.of_classes(classes), test.of_classes(classes), config.reference)


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

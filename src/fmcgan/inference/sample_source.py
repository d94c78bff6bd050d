"""Turns the configuration of a command into typed inputs: generator or samples, real images, folders."""

import datetime
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from fmcgan.app.checks import MOST_IMAGES, one_of, path_text, seed_number, whole_number
from fmcgan.app.device import check_device
from fmcgan.app.errors import InvalidValueError, UserError
from fmcgan.app.escaping import printable
from fmcgan.app.overrides import applied_overrides, key_of, parse
from fmcgan.app.run_dir import refuse_links
from fmcgan.app.run_files import Record
from fmcgan.app.safe_instantiate import check_targets, trusted_packages
from fmcgan.app.system_info import command_line, processor
from fmcgan.data.info import DatasetInfo
from fmcgan.inference import hub
from fmcgan.inference.generator import LabelledGenerator, find_checkpoint, load_generator, run_folder_of
from fmcgan.metric.base import RealImages
from fmcgan.metric.image_set import ImageSet, class_counts
from fmcgan.metric.results_store import Store
from fmcgan.metric.samples_file import read_samples
from fmcgan.training.sampling import sample_classes
from fmcgan.training.truncation import check_truncation

log = logging.getLogger(__name__)

SPLITS = ("train", "test")  # values of ``samples=`` that mean the real images

DEFAULT_N = 10_000  # samples of each metric, if ``n`` is null
_SHIPPED = "the shipped generator"


@dataclass(frozen=True)
class Inputs:
    """Inputs of a command; the generator, the given samples or both are ``None``."""

    generator: LabelledGenerator | None
    given: ImageSet | None  # the samples of a file, a folder or a split
    real: RealImages  # both splits of the data set, of the chosen classes
    classes: list[int]  # labels of the samples and of the real images
    n: int  # samples of each metric
    seed: int  # of the drawn samples
    truncation: float  # of the drawn samples
    device: str  # of the networks
    bootstrap_samples: int  # resamples of each confidence interval
    folder: Path  # of the results; it exists
    run: Path | None  # folder of the run that trained the generator, if there is one
    store: Store  # caches features and statistics of real images
    origin: Mapping[str, object]  # where the samples come from, for `provenance`

    def samples(self, n: int) -> ImageSet:
        """Returns the given samples, or draws at least ``n``, in the class proportions of the reference."""
        if self.given is not None:
            return self.given
        if self.generator is None:
            raise ValueError("neither samples nor a generator are given")
        counts = class_counts(self.real.reference.shares[self.classes], -(-n // len(self.classes)) * len(self.classes))
        drawn = sample_classes(self.generator.network, self.classes, counts, self.seed, self.truncation)
        return ImageSet(*drawn, self.real.info, device=self.device, bootstrap_samples=self.bootstrap_samples)

    def provenance(self, samples: ImageSet | None = None) -> dict[str, object]:
        """Describes the inputs of the results: command, source, data set, and hashes of samples and real images."""
        return {
            "command": command_line(),
            **self.origin,
            "dataset": self.real.info.as_config(),
            **({} if samples is None else {"samples_sha256": samples.fingerprint}),
            "train_sha256": self.real.train.fingerprint,
            "test_sha256": self.real.test.fingerprint,
            "versions": package_versions(),
            "device": self.device,
        }

    def provenance_in_words(self, samples: ImageSet | None = None) -> dict[str, str]:
        """Describes the inputs for a page, as `provenance`, with date, hardware and the numbers of images."""
        info, splits = self.real.info, {"training images": self.real.train, "test images": self.real.test}
        counted = splits | ({} if samples is None else {"samples": samples})
        record = self.provenance(samples) | {
            "dataset": f"{info.name}: {info.num_classes} classes, images {' x '.join(map(str, info.shape))}",
            **{name: f"{len(images):,}" for name, images in counted.items()},
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "hardware": f"{processor()}, {os.cpu_count()} threads",
            "versions": ", ".join(f"{name} {number}" for name, number in package_versions().items()),
        }
        return {name.replace("_", " "): str(value) for name, value in record.items()}


def package_versions() -> dict[str, str]:
    """Returns the versions of the packages that generated images depend on."""
    return {name: version(name) for name in ("fmcgan", "torch")}


def check_options(config: DictConfig, min_n: int) -> None:
    """Checks the options that `load_inputs` uses, before anything is read, and converts paths to text.

    Raises `UserError` for two sources, a value of wrong type or range, fewer samples than ``min_n``, or an unknown
    device.
    """
    for key in ("run", "samples", "output", "cache"):
        config[key] = path_text(**{key: config[key]})  # a number names a file
    if config.run is not None and config.samples is not None:
        raise UserError(
            f"got both run={config.run} and samples={config.samples}; give run= (a run folder, checkpoint or exported"
            " generator), samples= (FILE.npz, a folder of PNGs, or train or test for real images), or neither for the"
            " shipped generator"
        )
    one_of(("ema", "raw"), weights=config.weights)
    one_of(SPLITS, reference=config.reference)
    if config.bootstrap_samples != 0:  # with fewer resamples than 10, the ends of an interval are random
        whole_number(minimum=10, maximum=10_000, **{"bootstrap_samples (0: no intervals)": config.bootstrap_samples})
    if config.n is not None:
        whole_number(minimum=min_n, maximum=MOST_IMAGES, n=config.n)
    check_device(config.device)
    check_truncation(config.get("truncation", 1.0))
    trusted_packages(config.trust)
    seed_number(seed=config.seed)


def dataset_info(data: object) -> DatasetInfo:
    """Returns classes and shape of a data module's images. Raises `UserError` if the object is no data module."""
    info = getattr(data, "info", None)
    if not isinstance(info, DatasetInfo):
        raise UserError(f"{type(data).__module__}.{type(data).__name__} is not a data set; choose one with data=")
    return info


def check_classes(config: DictConfig, info: DatasetInfo) -> list[int]:
    """Returns the labels of ``classes=`` in a data set.

    Raises `UserError` for an unknown class, or if ``n`` samples of a generator cannot be the same number of each class.
    """
    classes = info.parse_classes(config.get("classes"))
    if config.n is not None and config.samples is None and config.n % len(classes):
        raise InvalidValueError(f"n must be a multiple of {len(classes)}, the number of classes, got {config.n}")
    return classes


def load_inputs(config: DictConfig, what: str, below_run: str = ".", real_only: bool = False) -> Inputs:
    """Loads the generator or the samples, and the real images, of a configuration that `check_options` accepts.

    Args:
        config: of the command.
        what: kind of results, such as ``evaluation``: a folder beside samples is named ``NAME_evaluation``.
        below_run: the folder of the results within a run folder.
        real_only: whether only the real images are wanted: neither generator nor samples, which are not read.

    Raises:
        UserError: a file cannot be read, classes or samples are missing, or the results folder cannot be created.
    """
    generator = given = None
    samples = None if real_only else config.samples
    checkpoint = None if config.run is None else find_checkpoint(config.run)
    origin: dict[str, object] = {} if real_only else {"source": config.run or config.samples or _SHIPPED}
    if config.samples is None and not real_only:
        generator = _load_generator(config)
        origin |= {"checkpoint": str(checkpoint or _SHIPPED), "images_seen": generator.images_seen}
        origin |= {"seed": config.seed, "weights": config.weights, "truncation": config.get("truncation", 1.0)}
    data, info = _data_set(config, generator)
    classes = check_classes(config, info)
    if samples is not None and samples not in SPLITS:
        given = _read_samples(config, info, classes)
    folder = results_folder(config, what, below_run)
    store = Store(config.cache)
    real = _real_images(config, data, info, store, classes)
    if samples in SPLITS:
        given = real.train if samples == "train" else real.test
    if given is not None:
        _warn_of_real_samples(given, real)
    return Inputs(
        generator=generator,
        given=given,
        real=real,
        classes=classes,
        n=_n_samples(config, given, len(classes)),
        seed=config.seed,
        truncation=config.get("truncation", 1.0),
        device=str(config.device),
        bootstrap_samples=config.bootstrap_samples,
        folder=folder,
        run=None if checkpoint is None else run_folder_of(checkpoint),
        store=store,
        origin=origin,
    )


def results_folder(config: DictConfig, what: str, below_run: str = ".") -> Path:
    """Creates the folder of the results: ``output=``, the run folder, or beside samples or an exported generator.

    Takes the arguments of `load_inputs`. Raises `UserError` if the folder cannot be created, or is a link out of the
    run folder. Called before the computation, so that the error is reported at once.
    """
    file = None if config.run is None else find_checkpoint(config.run)
    if config.output:
        folder = Path(config.output)
    elif config.samples:
        samples = Path(config.samples).absolute()
        folder = samples.with_name(f"{samples.stem if samples.is_file() else samples.name}_{what}")
    elif file is None:
        folder = Path(f"shipped_generator_{what}")
    elif (run := run_folder_of(file)) is None:
        named = Path(hub.name_of(config.run) if hub.is_address(config.run) else config.run).absolute()
        folder = named.with_name(f"{named.stem if named.is_file() else named.name}_{what}")
    else:
        folder = run / below_run
        refuse_links(run, *([] if below_run == "." else [below_run]))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: {error.strerror}; give a folder for the results with output=FOLDER") from error
    return folder


def _load_generator(config: DictConfig) -> LabelledGenerator:
    """Loads the generator. Warns if the seed also selected the best checkpoint."""
    generator = load_generator(config.run, config.weights, config.device, config.trust)
    selection_seed = ((generator.config.get("callback") or {}).get("evaluation") or {}).get("seed")
    if selection_seed == config.seed:
        log.warning("seed=%s drew the samples that chose the best checkpoint of this run; use another", config.seed)
    return generator


def _read_samples(config: DictConfig, info: DatasetInfo, classes: list[int]) -> ImageSet:
    options = {"device": config.device, "bootstrap_samples": config.bootstrap_samples}
    samples = ImageSet(*read_samples(Path(config.samples), info), info, **options)
    present = [label for label in info.labels if len(samples.of_class(label))]
    named = ",".join(_as_override(info, label) for label in present)
    if len(classes) == info.num_classes:
        if len(present) < info.num_classes and "classes" in config:
            some = f"classes=[{printable(named)}] compares with real images of these"
            log.warning("samples of some classes are missing; %s", some)
        return samples
    if missing := [info.class_names[label] for label in classes if label not in present]:
        lacking = printable(", ".join(missing))
        raise UserError(f"samples={config.samples} has no images of {lacking}; it has classes=[{printable(named)}]")
    return samples.of_classes(classes)


def _as_override(info: DatasetInfo, label: int) -> str:
    """Returns a class as a user may type it in ``classes=[...]``: its name, or its label if the name needs quotes."""
    name = info.class_names[label]
    return name if re.fullmatch(r"[^\W\d][\w-]*", name) else str(label)


def _n_samples(config: DictConfig, given: ImageSet | None, n_classes: int) -> int:
    if given is None:
        return config.n or DEFAULT_N // n_classes * n_classes
    if config.n is not None and config.n > len(given):
        raise UserError(f"n={config.n}, but samples={config.samples} holds only {len(given)}; give a smaller n")
    n = config.n or min(DEFAULT_N, len(given))
    if n < len(given):
        log.info("using %d of the %d samples, the first of each class (n= changes it)", n, len(given))
    return n


def _data_set(config: DictConfig, generator: LabelledGenerator | None) -> tuple[Any, DatasetInfo]:
    """Returns the data module, not loaded, and its info: the generator's data set, unless ``data=`` is given.

    Raises `UserError` if the generator does not name its data set, or has images of another shape or other classes.
    """
    data = instantiate(config.data)
    if generator and not any(override.startswith("data=") for override in applied_overrides()):
        own = generator.config.get("data") or {}
        if "_target_" not in own:
            raise UserError("the generator's file does not name its data set; give data=fashion_mnist or another")
        is_same = own["_target_"] == config.data._target_
        if is_same:  # with the paths of this command, and the options that it sets
            typed = {key_of(parse(each)).split(".")[1] for each in applied_overrides() if each.startswith("data.")}
            of_command: Record = OmegaConf.to_container(config.data, resolve=True)  # type: ignore[assignment]
            own = own | {key: of_command[key] for key in {"root", "mirror", *typed} if key in of_command}
        if not is_same or own["_target_"].startswith("fmcgan."):  # the command itself names a user's own class
            data = _build_own(own, config.trust)
    info = dataset_info(data)
    if generator and (differences := generator.info.differences(info)):
        raise UserError(f"the generator does not fit the data set: {differences}; give data= of its own data set")
    return data, info


def _build_own(config: Record, trust: object) -> Any:
    """Builds the data module that the file of a generator names; exported ones lack the paths."""
    try:
        return instantiate(check_targets(config, "fmcgan.data.", trust=trusted_packages(trust)))
    except InstantiationException as error:
        reason = " ".join(str(error.__cause__ or error).split())
        raise UserError(
            f"the data set of the generator's file cannot be read ({printable(reason)}); give data="
        ) from error


def _real_images(config: DictConfig, data: Any, info: DatasetInfo, store: Store, classes: list[int]) -> RealImages:
    """Loads the real images of the chosen classes."""
    data.prepare_data()
    data.setup("fit")
    images, options = data.images, (info, config.device, store, config.bootstrap_samples)
    train = ImageSet(images.train_images, images.train_labels, *options)
    test = ImageSet(images.test_images, images.test_labels, *options)
    return RealImages(train, test, config.reference).of_classes(classes)


def _warn_of_real_samples(samples: ImageSet, real: RealImages) -> None:
    """Warns if more than 1 % of the samples are real images."""
    for split, images in (("train", real.train), ("test", real.test)):
        copies = count_copies(samples, images)
        remedy = ""
        if split == real.reference_split:
            other = "test" if split == "train" else "train"
            remedy = ", which is also the reference: distances are smaller than those of new images"
            remedy += f" (reference={other} compares with the other split)"
        if copies > 0.01 * len(samples):
            log.warning("%d of %d samples are images of the %s split%s", copies, len(samples), split, remedy)


def count_copies(samples: ImageSet, real: ImageSet) -> int:
    """Counts the samples that are real images, bit for bit."""
    known = {image.tobytes() for image in real.images.numpy()}
    return sum(image.tobytes() in known for image in samples.images.numpy())

"""Training of the classifier of a data set, and its cache in the user's cache folder."""

import contextlib
import datetime
import functools
import hashlib
import json
import logging
import os
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from filelock import FileLock, Timeout
from torch import Tensor
from torch.backends import cpu

from fmcgan.app.checks import whole_number
from fmcgan.app.errors import UserError
from fmcgan.app.progress import epoch_progress
from fmcgan.app.user_dirs import private_temp_dir
from fmcgan.data.garments import GARMENTS
from fmcgan.data.info import DatasetInfo
from fmcgan.data.stratified import stratified
from fmcgan.metric.feature.classifier_network import Classifier, load_classifier, new_classifier, save_classifier
from fmcgan.metric.image_set import RealImages, UnfitNetworkError
from fmcgan.metric.results_store import Store
from fmcgan.metric.value import wilson_interval

BATCH_SIZE = 256
HIGHEST_LEARNING_RATE = 6e-3
WEIGHT_DECAY = 0.05
LARGEST_SHIFT = 1
EPOCHS = 12

SMALL_SET = 16_384  # images, below which batches are smaller, so that there are steps enough
SMALL_BATCH_SIZE, SMALL_LEARNING_RATE = 64, 3e-3
LEAST_STEPS = 1000
MOST_IMAGES_SEEN = 720_000  # 12 epochs of 60,000 images
HELD_OUT_SHARE = 0.1  # of each class
LEAST_SKILL = 0.1  # share of the errors of always guessing the most frequent class that a classifier must avoid
_SEED = 0

_log = logging.getLogger(__name__)


def train(
    images: Tensor,
    labels: Tensor,
    epochs: int,
    seed: int,
    info: DatasetInfo = GARMENTS,
    batch_size: int = BATCH_SIZE,
    learning_rate: float = HIGHEST_LEARNING_RATE,
    device: torch.device | str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> Classifier:
    """Trains a new classifier with AdamW and one cycle of the learning rate (Smith and Topin 2017).

    Images are uint8 [N, C, H, W], labels int64 [N], both on the CPU, the epochs at least 1. Label smoothing is not
    used: it would contract the features of a class and hide its diversity. The global random state is unchanged. After
    every epoch, ``progress`` gets the numbers of epochs done and of all epochs; without it, a line is logged. The
    classifier is returned on the device, in training mode.
    """
    whole_number(epochs=epochs)
    generator = torch.Generator().manual_seed(seed)
    classifier = new_classifier(seed, info).to(device).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(classifier.parameters(), weight_decay=WEIGHT_DECAY)
    batches = -(-len(images) // batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=epochs * batches)
    start = time.monotonic()
    for epoch in range(1, epochs + 1):
        total = 0.0
        for chosen in torch.randperm(len(images), generator=generator).split(batch_size):
            batch = augmented(images[chosen], generator, info.flips).to(device)
            loss = F.cross_entropy(classifier(batch)[1], labels[chosen].to(device))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(chosen)
        if progress:
            progress(epoch, epochs)
            continue
        seconds = time.monotonic() - start
        left = seconds / epoch * (epochs - epoch)
        _log.info("epoch %d/%d  loss %.4f  %.0f s, %.0f s left", epoch, epochs, total / len(images), seconds, left)
    return classifier


def augmented(images: Tensor, generator: torch.Generator, flips: bool = True) -> Tensor:
    """Shifts images uint8 [N, C, H, W] by up to one pixel, filling with black, and mirrors half of them on request."""
    count, channels, height, width = images.shape
    padded = F.pad(images, (LARGEST_SHIFT,) * 4)
    shift = torch.randint(0, 2 * LARGEST_SHIFT + 1, (2, count, 1), generator=generator)
    mirrored = (torch.rand(count, 1, generator=generator) < 0.5) & flips
    rows = torch.arange(height) + shift[0]  # [N, H]
    columns = torch.arange(width)
    columns = torch.where(mirrored, columns.flip(0), columns) + shift[1]
    image, channel = torch.arange(count)[:, None, None, None], torch.arange(channels)[:, None, None]
    return padded[image, channel, rows[:, None, :, None], columns[:, None, None, :]]


@torch.no_grad()
def accuracy(classifier: Classifier, images: Tensor, labels: Tensor) -> float:
    """Computes the accuracy, in 0..1."""
    predicted = torch.cat([classifier(some)[1].argmax(dim=1) for some in images.split(500)])
    return (predicted == labels).double().mean().item()


def training_record(
    classifier: Classifier, seed: int, epochs: int, seconds: float, device: torch.device | None = None
) -> dict[str, object]:
    """Describes a training, for the file beside the weights; without a device, it was on the CPU."""
    hardware = f"{platform.machine()} CPU, {torch.get_num_threads()} threads, {cpu.get_cpu_capability()}"
    if device and device.type == "cuda":
        hardware = torch.cuda.get_device_name(device)
    return {
        "date": datetime.date.today().isoformat(),
        "seed": seed,
        "epochs": epochs,
        "training_seconds": round(seconds),
        "hardware": hardware,
        "torch": torch.__version__,
        "parameters": sum(parameter.numel() for parameter in classifier.parameters()),
    }


def trained_weights(real: RealImages) -> Path:
    """Returns the weights file of a classifier of the training images, trained unless it is in the cache.

    A tenth of each class is held out of the training and decides whether the classifier is of use; the test images are
    classified once, for the record. It knows all classes, also if only images of some are compared. Of several
    processes one trains and the others wait.

    Raises:
        UnfitNetworkError: the classifier hardly recognises the classes. The reason is logged, once per process.
    """
    real = real.whole or real
    key = f"{real.train.fingerprint} {json.dumps(real.info.as_config(), sort_keys=True)} {_protocol()}"
    folder = (real.train.store or Store()).folder
    path = folder / f"classifier_{hashlib.sha256(key.encode()).hexdigest()[:32]}.pt"
    if (check := _stored(path)) is None:
        path = _writable(folder) / path.name
        with _locked(path.with_suffix(".lock"), real.info.name):
            if (check := _stored(path)) is None:
                check = _train_and_save(real, path)
    if not check.is_useful:
        message = f"no classifier of {real.info.name}: it {check}; values that need one are left out"
        _warn_once(message)
        raise UnfitNetworkError(message)
    return path


class Check(NamedTuple):
    """Recognition of held-out images."""

    images: int
    accuracy: float  # in 0..1
    most_frequent: float  # share of the most frequent class: the accuracy of always guessing it

    @property
    def is_useful(self) -> bool:
        """Whether the lower end of the 95 % interval of the accuracy avoids over `LEAST_SKILL` of the guessing errors.

        With ten equal classes, that is 19 % of the images; with two, 55 %.
        """
        low, _ = wilson_interval(round(self.accuracy * self.images), self.images)
        return low > self._least

    @property
    def _least(self) -> float:
        """The accuracy to exceed."""
        return self.most_frequent + LEAST_SKILL * (1 - self.most_frequent)

    def __str__(self) -> str:
        guess = f"{100 * self.most_frequent:.1f} % by always guessing the most frequent class"
        doubt = ", too few to be sure" if self.accuracy > self._least and not self.is_useful else ""
        return f"recognises {100 * self.accuracy:.1f} % of {self.images} held-out images ({guess}){doubt}"


def _protocol() -> str:
    large, small = (BATCH_SIZE, HIGHEST_LEARNING_RATE), (SMALL_BATCH_SIZE, SMALL_LEARNING_RATE)
    length = f"{EPOCHS} epochs, {LEAST_STEPS} steps, {MOST_IMAGES_SEEN} images"
    others = f"decay {WEIGHT_DECAY}, shift {LARGEST_SHIFT}, held out {HELD_OUT_SHARE}, seed {_SEED}"
    return f"second version: batches and rates {large}, below {SMALL_SET} images {small}; {length}; {others}"


def _train_and_save(real: RealImages, path: Path) -> Check:
    info, images, labels = real.info, real.train.images, real.train.labels
    training, held_out = stratified(labels, HELD_OUT_SHARE, _SEED)
    count = len(training)
    small = count < SMALL_SET
    batch_size = SMALL_BATCH_SIZE if small else BATCH_SIZE
    epochs = n_epochs(count, batch_size)
    _log.info("training a classifier of %s on %d images, once; it is stored in %s", info.name, count, path.parent)
    start = time.monotonic()
    with epoch_progress(f"classifier of {info.name}", epochs, -(-epochs // 10)) as progress:
        classifier = train(
            images[training],
            labels[training],
            epochs,
            _SEED,
            info,
            batch_size,
            SMALL_LEARNING_RATE if small else HIGHEST_LEARNING_RATE,
            real.train.device if real.train.device.type == "cuda" else "cpu",
            progress,
        )
    classifier = classifier.cpu().eval().half().float()  # as stored
    check = _check(classifier, images[held_out], labels[held_out])
    test_accuracy = accuracy(classifier, real.test.images, real.test.labels) if len(real.test) else None
    record = {
        **training_record(classifier, _SEED, epochs, time.monotonic() - start, real.train.device),
        "training_images": count,
        "held_out": check._asdict(),
        "test_accuracy": test_accuracy,
    }
    save_classifier(classifier, path, record)
    on_test = "" if test_accuracy is None else f"; accuracy {test_accuracy:.4f} on the test images"
    _log.info("the classifier of %s %s%s", info.name, check, on_test)
    return check


def _check(classifier: Classifier, images: Tensor, labels: Tensor) -> Check:
    if len(labels) == 0:
        return Check(0, 0.0, 1.0)
    return Check(len(labels), accuracy(classifier, images, labels), labels.bincount().max().item() / len(labels))


def n_epochs(count: int, batch_size: int) -> int:
    """Returns `EPOCHS`, more if these are less than `LEAST_STEPS`, fewer if they see over `MOST_IMAGES_SEEN` images."""
    least = -(-LEAST_STEPS // -(-count // batch_size))
    return min(max(EPOCHS, least), max(1, MOST_IMAGES_SEEN // count))


def _stored(path: Path) -> Check | None:
    """Reads the check of a stored classifier; ``None`` if there is none, or it is damaged."""
    try:
        check = Check(**json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["held_out"])
        _ = check.is_useful  # fails for other types
        load_classifier(path)
        return check
    except FileNotFoundError:
        return None
    except (OSError, UserError, ValueError, TypeError, KeyError) as error:
        _log.warning("%s cannot be read (%s), training it again", path, error)
        return None


def _writable(folder: Path) -> Path:
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK | os.X_OK):
            return folder
    _warn_once(f"{folder} cannot be written, so the classifier is not kept; set FMCGAN_CACHE to another folder")
    return private_temp_dir()


@contextlib.contextmanager
def _locked(path: Path, name: str) -> Iterator[None]:
    """Holds a lock among processes; goes on without one where the file system has none."""
    lock = FileLock(path)
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            _log.info("another process trains the classifier of %s, waiting for it", name)
            lock.acquire()
    except (OSError, NotImplementedError):
        _log.debug("no lock at %s", path, exc_info=True)
    try:
        yield
    finally:
        lock.release()


@functools.cache
def _warn_once(message: str) -> None:
    _log.warning(message)

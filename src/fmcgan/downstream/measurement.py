"""Trains a classifier for every set of real images, arm and seed, and keeps what each predicts of the test images."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fmcgan.app.errors import InvalidValueError, UserError
from fmcgan.app.progress import Progress
from fmcgan.data.subset import Subset
from fmcgan.downstream.arms import Arm
from fmcgan.downstream.crossed import calibration_terms
from fmcgan.downstream.fixed_training import predictions, train_fixed
from fmcgan.downstream.protocol import Protocol, RealSize
from fmcgan.downstream.samples import SampleSource
from fmcgan.metric.gan_train import builder
from fmcgan.metric.image_set import RealImages, class_names
from fmcgan.metric.results_store import Arrays, Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Predictions:
    """What the classifiers of one arm predict: S seeds, M test images."""

    hits: NDArray[np.bool_]  # [S, M]
    confidence: NDArray[np.float64]  # [S, M], of the predicted class

    @property
    def accuracy_terms(self) -> NDArray[np.float64]:
        """Values whose mean is the accuracy, [S, M]."""
        return self.hits.astype(np.float64)

    @property
    def calibration_terms(self) -> NDArray[np.float64]:
        """Values whose mean is the expected calibration error, [S, M]."""
        return np.stack([calibration_terms(*each) for each in zip(self.confidence, self.hits, strict=True)])


@dataclass
class Measured:
    """Predictions of all arms that could be measured, and the reasons of the others.

    Args:
        labels: of the test images, int64 [M].
        predictions: by set of real images, then by arm, in the order measured.
        real_counts: real images of each class, [K], by set, for the first seed; other seeds have the same numbers.
        skipped: reason by ``set, arm``.
    """

    labels: NDArray[np.int64]
    predictions: dict[RealSize, dict[Arm, Predictions]] = field(default_factory=dict)
    real_counts: dict[RealSize, list[int]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Cell:
    """One classifier."""

    size: RealSize
    arm: Arm
    seed: int
    chosen: Tensor  # indices of the real images
    counts: list[int]  # generated images of each class

    @property
    def subset(self) -> Subset:
        return self.size.subset(self.seed)


def measure(protocol: Protocol, real: RealImages, source: SampleSource, store: Store) -> Measured:
    """Measures all arms; a classifier that is in the store is not trained again.

    Test images are read once, by the finished classifiers, and choose nothing.

    Args:
        protocol: what to measure.
        real: both splits.
        source: of the generated images.
        store: keeps the predictions of each classifier.

    Raises:
        UserError: a file of the store holds something else.
    """
    measured = Measured(real.test.labels.numpy())
    cells = _cells(protocol, real, source, measured)
    for what, reason in measured.skipped.items():
        log.info("not measured: %s: %s", what, reason)
    keys = [_key(cell, protocol, real, source) for cell in cells]
    missing = sum(not store.has(key) for key in keys)
    if missing < len(cells):
        log.info("%d of %d classifiers are there from an earlier start", len(cells) - missing, len(cells))
    found: dict[tuple[RealSize, Arm], list[Arrays]] = {}
    with Progress(missing, "classifiers") as progress:
        for cell, key in zip(cells, keys, strict=True):
            was_missing = not store.has(key)
            read = store.arrays(key, _computation(cell, protocol, real, source))
            if any(name not in read or len(read[name]) != len(real.test) for name in ("predicted", "confidence")):
                raise UserError(f"{store.folder} has predictions of other test images; delete the folder")
            progress.update(int(was_missing))
            found.setdefault((cell.size, cell.arm), []).append(read)
    for (size, arm), reads in found.items():
        predicted = np.stack([each["predicted"].numpy() for each in reads])
        confidence = np.stack([each["confidence"].double().numpy() for each in reads])
        arms = measured.predictions.setdefault(size, {})
        arms[arm] = Predictions(predicted == measured.labels, confidence)
    return measured


def _cells(protocol: Protocol, real: RealImages, source: SampleSource, measured: Measured) -> list[_Cell]:
    """Lists what can be measured, seed by seed; writes the reasons of the rest and the sizes of classes."""
    labels, info, skipped, cells = real.train.labels, real.info, measured.skipped, []
    for seed in protocol.seeds:
        for size in protocol.real_sizes(len(labels)):
            try:
                chosen = size.subset(seed).choose(labels, info)
            except InvalidValueError as error:
                skipped[size.title] = str(error)
                continue
            real_counts = labels[chosen].bincount(minlength=info.num_classes)
            measured.real_counts.setdefault(size, real_counts.tolist())
            for arm in protocol.arms(size):
                counts = arm.generated_counts(real_counts)
                available = source.available(real_counts) if arm.uses_generated else None
                if available is not None and (short := (torch.tensor(counts) > available).nonzero().flatten().tolist()):
                    few = class_names(info, short[:3])
                    skipped[f"{size.title}, {arm.title}"] = f"not enough samples of {few}"
                    continue
                cells.append(_Cell(size, arm, seed, chosen, counts))
    return [cell for cell in cells if f"{cell.size.title}, {cell.arm.title}" not in skipped]


def _key(cell: _Cell, protocol: Protocol, real: RealImages, source: SampleSource) -> str:
    arm = cell.arm
    used = f"{arm.ratio!r} {arm.keeps_real} {arm.fill} {arm.augmented}"
    generated = source.key(cell.subset) if arm.uses_generated else "none"
    return "; ".join(
        [
            f"usefulness: {protocol.training(real.info)}",
            f"train {real.train.fingerprint} test {real.test.fingerprint}",
            f"{cell.subset}; arm {used}; generated {generated}",
        ]
    )


def _computation(cell: _Cell, protocol: Protocol, real: RealImages, source: SampleSource) -> Callable[[], Arrays]:
    """Returns the function that trains the classifier of a cell and lets it read the test images."""

    def compute() -> Arrays:
        chosen = cell.chosen[cell.arm.real_indices(real.train.labels[cell.chosen])]
        images, labels = real.train.images[chosen], real.train.labels[chosen]
        if any(cell.counts):
            drawn, of = source.draw(cell.counts, cell.subset)
            images, labels = torch.cat([images, drawn]), torch.cat([labels, of])
        device = real.train.device if real.train.device.type == "cuda" else torch.device("cpu")
        network = train_fixed(
            builder(protocol.network, real.info),
            images,
            labels,
            steps=protocol.steps,
            batch_size=protocol.batch_size,
            learning_rate=protocol.learning_rate,
            seed=cell.seed,
            augment=cell.arm.augmented,
            flips=real.info.flips,
            device=device,
        )
        return predictions(network, real.test.images, device)

    return compute

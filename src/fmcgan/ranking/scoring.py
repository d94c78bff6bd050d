"""Values of one submission: metrics, a paired bootstrap of the one that ranks, and a check for copies."""

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from fmcgan.app.errors import InvalidValueError, UserError
from fmcgan.inference.sample_source import count_copies
from fmcgan.metric.base import FeatureMetric, Metric
from fmcgan.metric.evaluation import Evaluator
from fmcgan.metric.image_set import ImageSet, RealImages, interval
from fmcgan.metric.memorisation import PAIRS, near_distance, nearest_training
from fmcgan.metric.results import Results
from fmcgan.metric.results_store import Arrays, Store
from fmcgan.metric.value import wilson_interval

SHOWN = 10  # samples of a submission on the page, one per class


@dataclass(frozen=True, eq=False)
class Scored:
    """What is known of one submission of n samples."""

    name: str
    results: Results  # the interval of the ranking value covers samples and real images
    resampled: Tensor  # ranking value of each pair of resamples of samples and real images, float64 [B]
    train_copies: int  # samples that are training images, bit for bit
    test_copies: int
    near_copies: int  # samples as close to a training image as the closest hundredth of the test images
    pairs: Tensor  # the closest samples and their nearest training images, uint8 [2, P, C, H, W]
    examples: Tensor  # the first sample of each of at most `SHOWN` classes, uint8 [K, C, H, W]


@dataclass(frozen=True)
class CopyLimits:
    """Shares of images that count as copies by chance: those of the real images themselves."""

    train: float  # of the test images that are training images too
    test: float  # of the training images that are test images too
    near: float  # of the test images that are near copies of training images

    def exact(self, scored: Scored, n: int) -> list[str]:
        """Describes the copies of real images, bit for bit, of which there are more than by chance."""
        found = ((scored.train_copies, "training", self.train), (scored.test_copies, "test", self.test))
        return [f"{count:,} of {n:,} are {split} images" for count, split, share in found if _exceeds(count, n, share)]

    def has_near_copies(self, scored: Scored, n: int) -> bool:
        """Whether significantly more samples than test images are near copies of training images."""
        return _exceeds(scored.near_copies, n, self.near)


def _exceeds(count: int, n: int, share: float) -> bool:
    return wilson_interval(count, n)[0] > share


def copy_limits(real: RealImages) -> CopyLimits:
    """Measures the shares of real images that count as copies."""
    distances = nearest_training(real.test, real, None)["distance"]
    near = (distances <= near_distance(distances)).double().mean().item()
    train, test = count_copies(real.test, real.train), count_copies(real.train, real.test)
    return CopyLimits(train / len(real.test), test / len(real.train), near)


def ranking_quantity(metrics: Mapping[str, Metric], rank_by: str) -> str:
    """Finds the quantity of a name or of its beginning.

    Raises:
        InvalidValueError: it names no quantity of the metrics, or several.
    """
    names = [name for metric in metrics.values() for name in metric.quantities]
    found = [name for name in names if name == rank_by] or [name for name in names if name.startswith(rank_by)]
    if len(found) != 1:
        problem = f"names {', '.join(found)}" if found else "names nothing that is measured"
        raise InvalidValueError(
            f"rank_by must begin the name of one of {', '.join(names)}; {rank_by!r} {problem} (metric= chooses more)"
        )
    return found[0]


def examples_of(images: ImageSet) -> Tensor:
    """Returns the first image of each of at most `SHOWN` classes, uint8 [K, C, H, W]."""
    present = [members for label in images.info.labels if len(members := images.of_class(label))]
    return torch.stack([images.images[members[0]] for members in present[:SHOWN]])


class Scorer:
    """Measures submissions of n samples; finished ones are found in the store.

    Args:
        evaluator: of the metrics, without baselines, fitted to the real images.
        quantity: the one that ranks, such as ``class_fd_classifier``.
        store: of the submissions.
    """

    def __init__(self, evaluator: Evaluator, quantity: str, store: Store) -> None:
        self.evaluator, self.quantity, self.store = evaluator, quantity, store
        self.real, self.n = evaluator.real, evaluator.n
        self.metric = _measured_alone(evaluator, quantity)

    @property
    def value_name(self) -> str:
        """Full name of the value that ranks, such as ``class_fd_classifier_10k_test``."""
        return self.metric.value_name(self.quantity, self.n, self.real.reference_split)

    def key(self, samples: ImageSet) -> str:
        """Identifies samples and protocol, for the store."""
        protocols = [f"{type(each).__name__} {each.protocol}" for each in self.evaluator.metrics.values()]
        train, test = self.real.train.fingerprint, self.real.test.fingerprint
        about = f"train {train} test {test} reference {self.real.reference_split}"
        resamples = f"{samples.bootstrap_samples} paired resamples of {self.quantity}"
        return "; ".join(["submission", samples.fingerprint, about, resamples, *protocols])

    def score(self, name: str, samples: ImageSet) -> Scored:
        """Measures the first n samples in the class proportions of the reference.

        Raises:
            UserError: the value that ranks cannot be measured, or has no bootstrap.
        """
        chosen = samples.balanced(self.n, self.real.reference.shares)
        arrays = self.store.arrays(self.key(chosen), lambda: self._measure(chosen))
        results: Results = json.loads(arrays["results"].numpy().tobytes())
        train_copies, test_copies, near_copies = arrays["copies"].tolist()
        images = arrays["pairs"], arrays["examples"]
        return Scored(name, results, arrays["resampled"], train_copies, test_copies, near_copies, *images)

    def _measure(self, samples: ImageSet) -> Arrays:
        results = self.evaluator.measure(samples)
        if self.value_name not in results:
            raise UserError(f"{self.quantity} cannot be measured on {len(samples):,} samples; see the log for why")
        ranking = results[self.value_name]
        if ranking["interval"] is None:
            remedy = "rank_by= another value, one with an interval in evaluate"
            raise UserError(f"rank_by={self.quantity}: a bootstrap of this value means nothing; {remedy}")
        resampled = self._resampled(samples)
        quantity = self.metric.quantities[self.quantity]
        ranking["interval"] = list(interval(ranking["value"], resampled, quantity.lowest, quantity.highest) or ())
        near = nearest_training(samples, self.real, None)
        limit = near_distance(nearest_training(self.real.test, self.real, None)["distance"])
        closest = near["distance"].argsort(stable=True)[:PAIRS]
        counts = [count_copies(samples, split) for split in (self.real.train, self.real.test)]
        return {
            "results": torch.frombuffer(bytearray(json.dumps(results).encode()), dtype=torch.uint8),
            "resampled": resampled,
            "copies": torch.tensor([*counts, int((near["distance"] <= limit).sum())]),
            "pairs": torch.stack([samples.images[closest], self.real.train.images[near["index"][closest]]]),
            "examples": examples_of(samples),
        }

    def _resampled(self, samples: ImageSet) -> Tensor:
        """Measures the ranking value of each resample of the samples beside one of the real images, [B].

        The resamples of the real images are the same for all submissions, and so cancel in their differences.
        """
        if isinstance(self.metric, FeatureMetric):
            for network in self.metric.networks:  # the store may have given statistics without them
                network.outputs(self.real.reference)
        values = []
        for number in range(samples.bootstrap_samples):
            drawn, is_test = self.real.reference.resample(number), self.real.reference_split == "test"
            real = self.real._replace(test=drawn) if is_test else self.real._replace(train=drawn)
            values.append(self.metric.measure(samples.resample(number), real)[self.quantity].value)
        return torch.tensor(values, dtype=torch.float64)


def _measured_alone(evaluator: Evaluator, quantity: str) -> Metric:
    """Returns the metric of a quantity, with no other feature network than that of the quantity."""
    for metric in evaluator.metrics.values():
        if quantity not in metric.quantities:
            continue
        if isinstance(metric, FeatureMetric):
            parts = [copy.copy(metric) for _ in metric.networks]
            for part, network in zip(parts, metric.networks, strict=True):
                part.networks = (network,)
                part.settle()
            return next(part for part in parts if quantity in part.quantities)
        return metric
    raise UserError(f"rank_by={quantity} cannot be measured: its feature network has no use on this data set")

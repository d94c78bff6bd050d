"""Truncation: precision against recall. Smoothness: perceptual path length."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn
from typing_extensions import override

from fmcgan.analysis.base import Analysis, NotApplicable, Subject, class_key, common_classes
from fmcgan.analysis.latent.smoothness import lengths_table, mean_squared_distance, path_lengths
from fmcgan.analysis.latent.space import balanced_latents, latent_generator
from fmcgan.analysis.section import Column, Picture, Section, Table, interval_columns
from fmcgan.app.checks import MOST_IMAGES, number, whole_number
from fmcgan.app.errors import InvalidValueError
from fmcgan.data.images import to_pixels
from fmcgan.data.info import DatasetInfo
from fmcgan.figure.classes import some_classes
from fmcgan.figure.grid import class_grid, side_by_side
from fmcgan.figure.labelled_path import path_figure
from fmcgan.metric.feature.classifier import ClassifierFeatures
from fmcgan.metric.image_set import FeatureNetwork, ImageSet, RealImages, class_counts, resample_counts
from fmcgan.metric.manifold import Manifold
from fmcgan.metric.value import MetricValue, mean_interval
from fmcgan.training.latent import seed_of
from fmcgan.training.sampling import sample_classes
from fmcgan.training.truncation import has_means

_SWEEP, _STARTS, _ENDS, _POSITIONS = 121, 122, 123, 124  # random streams, combined with the subject's seed
_RESAMPLES = 200
_SHOWN = 5  # samples of each class in the figure
_LEAST = 100  # least number of images for the metrics
_REAL = "real training images"

Values = Mapping[str, MetricValue]  # by name of the metric


class Truncation(Analysis):
    """Draws images towards the mean of their class (`TruncatedGenerator`): below psi = 1 more typical, less varied.

    The best psi is the largest whose precision is, within its interval, the highest: below it only variety is lost. It
    may be 1, above all where a network of another package can only be given shorter latent vectors.

    The sweep measures precision and recall (Kynkäänniemi et al. 2019), density and coverage (Naeem et al. 2020) of as
    many samples as real test images. The reference is the value of as many real training images. Smoothness is the
    perceptual path length (`path_lengths`).

    Args:
        features: network for the metrics.
        weights: of the classifier for the path length; ``None``: the shipped ones.
        n: samples at each psi, and real test images, at least 100; fewer if there are fewer. It is rounded down to a
            multiple of the number of classes.
        psi: of the truncation, rising, in 0..1.
        shown: values of psi in the figure of samples.
        n_paths: pairs of latent vectors of each class for the path length.

    Raises:
        UserError: the weights are missing or damaged.
    """

    def __init__(
        self,
        features: FeatureNetwork,
        weights: Path | str | None = None,
        n: int = 2000,
        psi: Sequence[float] = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
        shown: Sequence[float] = (0.5, 0.7, 1.0),
        n_paths: int = 100,
    ) -> None:
        whole_number(minimum=_LEAST, maximum=MOST_IMAGES, n=n)
        whole_number(minimum=2, maximum=100_000, n_paths=n_paths)
        for each in (*psi, *shown):
            number(0, 1, psi=each)
        if not psi or list(psi) != sorted(set(psi)) or not set(shown) <= set(psi):
            raise InvalidValueError(f"psi must rise and contain all of shown, got {list(psi)} and {list(shown)}")
        self.features, self.path_features = features, ClassifierFeatures(weights)
        self.n, self.psi, self.shown, self.n_paths = n, tuple(psi), tuple(shown), n_paths

    @override
    def analyse(self, subject: Subject) -> Section:
        generator, _ = latent_generator(subject)
        train, test = subject.real.train, subject.real.test
        classes = common_classes(train, test)
        n = min(self.n, len(train), len(test)) // max(len(classes), 1) * len(classes)
        if n < _LEAST:
            as_many = f"as many of each of {len(classes)} classes"
            raise NotApplicable(f"truncation needs at least {_LEAST} real images of each split, got {n}, {as_many}")
        shares, counts = test.shares, class_counts(test.shares[classes], n)
        real, seed = RealImages(train, _stored(test.balanced(n, shares), subject)), seed_of(subject.seed, _SWEEP)
        sweep: dict[str, Values] = {}
        for psi in self.psi:  # from the same latent vectors
            drawn = sample_classes(generator, classes, counts, seed, psi)
            samples = ImageSet(*drawn, subject.info, subject.samples.device, bootstrap_samples=_RESAMPLES)
            sweep[f"{psi:g}"] = self._measure(samples, real)
        best = self._measure(_stored(train.balanced(n, shares), subject), real)
        lengths, mean_length = self._lengths(subject, generator)
        return Section(
            "Truncation and smoothness",
            f"{_way(generator)} Below psi = 1, images should become more typical and less varied. {_advice(sweep)} "
            f"Precision and recall of {n:,} samples at each psi are measured against {n:,} real test images, in the "
            f"{self.features.name} features. A perfect generator would have the values of as many real "
            "training images. The path length measures how fast images change with the latent vector; it has no "
            "reference value, because real images have no latent vectors.",
            [_curve(sweep, best, n), *([self._samples(generator, subject.info, classes, seed)] if self.shown else [])],
            [_sweep_table(sweep, best, n, self._metric()), lengths],
            values={
                "sweep": {psi: {name: each.value for name, each in found.items()} for psi, found in sweep.items()},
                "real": {name: each.value for name, each in best.items()},
                "best_psi": best_psi(sweep),
                "path_length": mean_length,
            },
        )

    def _measure(self, images: ImageSet, real: RealImages) -> Values:
        """Measures precision, recall, density and coverage of a set."""
        measured = self._metric().measure(images, real)
        return {key.partition("_")[0]: value for key, value in measured.items()}

    def _metric(self) -> Manifold:
        return Manifold({self.features.name: self.features})

    def _samples(self, generator: nn.Module, info: DatasetInfo, classes: Sequence[int], seed: int) -> Picture:
        shown, note = some_classes(classes)
        grids, names = [], [info.class_names[label] for label in shown]
        for psi in self.shown:
            images, _ = sample_classes(generator, shown, _SHOWN, seed, psi)
            tiles = to_pixels(images.unflatten(0, (len(shown), _SHOWN)))
            grids.append((f"psi = {psi:g}", class_grid(tiles, names)))
        caption = (f"The same latent vectors at each psi. {note}").rstrip()
        text = f"{len(grids)} grids of generated images, one class per row, more varied for larger psi."
        return Picture("samples_by_psi", side_by_side(grids), caption, text)

    def _lengths(self, subject: Subject, generator: nn.Module) -> tuple[Table, float]:
        """Measures path lengths and distances of random images, by class."""
        size, (classes, note) = latent_generator(subject)[1], some_classes(subject.info.labels)
        (starts, labels), (ends, _) = (
            balanced_latents(classes, size, self.n_paths, subject.seed, stream) for stream in (_STARTS, _ENDS)
        )
        draw = np.random.Generator(np.random.Philox(seed_of(subject.seed, _POSITIONS)))
        shares = torch.from_numpy(draw.random(len(labels)))
        classifier = self.path_features.network.to(subject.samples.device)
        lengths = path_lengths(generator, classifier.features_of, (starts, ends), shares, labels)
        counts = resample_counts(labels[: self.n_paths], _RESAMPLES, subject.seed)
        rows: list[list[object]] = []
        for label, of_class in zip(classes, lengths.split(self.n_paths), strict=True):
            mean = of_class.mean().item()
            low, high = mean_interval(of_class, counts) or (None, None)
            least, usual = (
                mean_squared_distance(self.path_features.features(images)[images.of_class(label)])
                for images in (subject.samples, subject.real.test)
            )
            detour = mean / least if least else None
            rows.append([class_key(subject.info, label), mean, low, high, least, detour, usual])
        return lengths_table(rows, self.n_paths, note), lengths.mean().item()


def best_psi(sweep: Mapping[str, Values]) -> str:
    """Returns the largest psi whose precision is, within its interval, the highest of a sweep of rising psi."""
    precision = {psi: each["precision"] for psi, each in sweep.items()}
    highest = max(each.value for each in precision.values())
    reached = [psi for psi, each in precision.items() if (each.interval or (each.value, each.value))[1] >= highest]
    return reached[-1]


def _way(generator: nn.Module) -> str:
    if has_means(generator):
        return "Truncation pulls the output of the first layer towards its class mean, to psi times its distance."
    return "This network is not of fmcgan, so truncation scales its latent vectors by psi."


def _advice(sweep: Mapping[str, Values]) -> str:
    best = best_psi(sweep)
    if best == "1":
        return "Here it does not help: no psi has a higher precision than 1."
    return f"The largest psi with the highest precision, within its interval, is {best}: compare the recall, too."


def _stored(images: ImageSet, subject: Subject) -> ImageSet:
    """Returns real images with features and neighbours stored on disk."""
    return ImageSet(images.images, images.labels, images.info, images.device, subject.store, _RESAMPLES)


def _curve(sweep: Mapping[str, Values], best: Values, n: int) -> Picture:
    precision = [each["precision"] for each in sweep.values()]
    low, high = zip(*(each.interval or (each.value, each.value) for each in precision), strict=True)
    figure = path_figure(
        [each["recall"].value for each in sweep.values()],
        [each.value for each in precision],
        [f"ψ = {psi}" for psi in sweep],
        title="Precision and recall by truncation",
        x_label="recall: share of real test images near samples",
        y_label="precision: share of samples near real test images",
        y_band=(low, high),
        landmarks={_REAL: (best["recall"].value, best["precision"].value)},
    )
    caption = (
        f"Precision, with its 95 % interval, against recall of {n:,} samples at each psi. Right is more varied, up is "
        "more realistic; the star marks as many real training images."
    )
    text = "A curve of precision over recall with a label of psi at each point, and a star of real images."
    return Picture("precision_recall", figure, caption, text)


def _sweep_table(measured: Mapping[str, Values], best: Values, n: int, metric: Manifold) -> Table:
    """Makes a table of differences from real images: the values themselves depend on n, unlike those of other parts."""
    columns = (
        Column("psi", "psi"),
        *interval_columns("precision", "precision", digits=3),
        Column("recall", "recall", "number", 3),
        *interval_columns("density", "density", digits=3),
        Column("coverage", "coverage", "number", 3),
    )
    rows: list[list[object]] = []
    for title, each in measured.items():
        row: list[object] = [title]
        for name in ("precision", "recall", "density", "coverage"):
            value, real = each[name], best[name].value
            row.append(value.value - real)
            if name in ("precision", "density"):
                row += [end - real for end in value.interval] if value.interval else [None, None]
        rows.append(row)
    caption = (
        f"Metrics at each psi minus those of as many real training images: 0 is as good as real. {metric.protocol}; "
        f"n = {n:,} samples at each psi against {n:,} real test images. Precision and density have 95 % bootstrap "
        "intervals over the samples. Recall and coverage have none, because resampling lowers them."
    )
    return Table("truncation", caption, columns, rows, open=True)

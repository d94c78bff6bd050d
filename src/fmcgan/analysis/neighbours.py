"""Nearest training images of samples: near copies, typical and atypical, best and worst samples."""

from collections.abc import Mapping, Sequence

from PIL.Image import Image
from torch import Tensor
from typing_extensions import override

from fmcgan.analysis.base import Analysis, NotApplicable, Subject, class_key, common_classes
from fmcgan.analysis.nearest.exemplars import INSIDE, Exemplars, choose_exemplars
from fmcgan.analysis.nearest.nearest_training import NearestTraining
from fmcgan.analysis.section import Column, Picture, Section, Table, interval_columns
from fmcgan.app.checks import MOST_SHOWN, whole_number
from fmcgan.app.errors import InvalidValueError
from fmcgan.data.images import to_pixels
from fmcgan.figure.classes import most_telling
from fmcgan.figure.image_rows import Block, Row, Tile, rows_picture
from fmcgan.metric.feature.classifier import ClassifierFeatures
from fmcgan.metric.image_set import ImageSet

_SUSPICIOUS = "suspicious"
_ONE_LINE = 8  # longest class name beside its probability; longer ones are above it
_COLUMNS = (
    Column("class", "class"),
    Column("space", "space"),
    Column("samples", "samples", "whole"),
    *interval_columns("near_copies", "near copies", "percent", ends=""),
    Column("near_copies_of_real", "of real test images", "percent"),
    Column("limit", "largest distance", "number"),
)


class Neighbours(Analysis):
    """Finds the training images nearest to samples, by pixels and by a classifier's features.

    Effects compare the shares of near copies (`NearestTraining`) among samples and test images; their floor compares
    the two halves of the test split. The values of the section are the indices of the best and worst samples by class.

    Each sample is shown beside ``neighbours`` training images. ``examples`` is the number of best and worst samples of
    each class, and of suspicious ones in each space.

    Raises:
        InvalidValueError: the network is not a classifier.
    """

    def __init__(self, features: ClassifierFeatures, neighbours: int = 5, examples: int = 5) -> None:
        if not isinstance(features, ClassifierFeatures):
            given = type(features).__name__
            raise InvalidValueError(f"features must be a classifier, such as feature.classifier, got {given}")
        whole_number(maximum=MOST_SHOWN, neighbours=neighbours, examples=examples)
        self.classifier, self.neighbours, self.examples = features, neighbours, examples

    @override
    def analyse(self, subject: Subject) -> Section:
        samples, real, info = subject.samples, subject.real, subject.info
        classes = common_classes(samples, real.train, real.test)
        if not classes:
            raise NotApplicable("no class has samples, training images and test images; give samples of such a class")
        spaces = [NearestTraining(subject, None), NearestTraining(subject, self.classifier)]
        levels = spaces[0].levels
        copies = spaces[0].near | spaces[1].near
        chosen = {k: choose_exemplars(samples, real, self.classifier, k, self.examples, copies) for k in classes}
        shown, note = self._shown(samples, classes)
        drawn = {label: chosen[label] for label in shown}
        caption = (
            "Shares of near copies. The largest distance of a near copy is that of the closest 1 % of the test "
            f"images of the class: a root mean square of {levels}, or a Euclidean distance of features."
        )
        return Section(
            "Nearest training images",
            f"{len(samples):,} samples are compared with all {len(real.train):,} training images, by {levels} and "
            "by the features of a classifier. A sample is a near copy if it is at least as close to a training "
            "image as the closest 1 % of the test images of its class: about 1 % of new real images are near copies "
            "too. Many near copies do not prove memorisation, because plain images are close to many "
            f"training images: inspect them.{note}",
            [self._best_and_worst(samples, drawn), self._suspicious(spaces), *self._typical(spaces, drawn)],
            [Table("near_copies", caption, _COLUMNS, [row for space in spaces for row in space.rows()])],
            effects=[effect for space in spaces for effect in space.effects("neighbours", _SUSPICIOUS)],
            values={
                kind: {class_key(info, label): getattr(each, kind) for label, each in chosen.items()}
                for kind in ("best", "worst")
            },
        )

    def _shown(self, samples: ImageSet, classes: Sequence[int]) -> tuple[list[int], str]:
        """Selects the classes of the figures: if there are many, those whose samples the classifier confuses most."""
        wrong = (self.classifier.logits(samples).argmax(dim=1) != samples.labels).double()
        shares = {label: wrong[samples.of_class(label)].mean().item() for label in classes}
        labels, note = most_telling(shares, "whose samples are classified worst")
        return labels, f" {note}" if note else ""

    def _best_and_worst(self, samples: ImageSet, chosen: Mapping[int, Exemplars]) -> Picture:
        probabilities = self.classifier.logits(samples).double().softmax(dim=1)
        rows = []
        for label, each in chosen.items():
            tiles = [[_classified(samples, at, probabilities[at]) for at in some] for some in (each.best, each.worst)]
            rows.append(Row(tiles, samples.info.class_names[label]))
        blocks = Block("best", self.examples), Block("worst", self.examples)
        caption = (
            "The best and worst samples of each class, with the predicted class and its probability (vermilion: not "
            "the conditioned class). Best: highest probability of the conditioned class, among samples that are not "
            "near copies and whose distance to the training images of their class is at most that of "
            f"{100 * INSIDE:.0f} % of its test images. Worst: farthest in the features from all training images of "
            "the conditioned class."
        )
        alternative = f"For each of {len(rows)} classes up to {self.examples} of the best and of the worst samples."
        return Picture("best_and_worst", rows_picture(blocks, rows), caption, alternative, lead=True)

    def _suspicious(self, spaces: Sequence[NearestTraining]) -> Picture:
        upper = spaces[0].most_suspicious(self.examples)
        lower = spaces[1].most_suspicious(self.examples, without=upper)
        caption = (
            "The samples closest to a training image, relative to the limit for near copies of their class: "
            f"the upper {len(upper)} {spaces[0].words}, the lower {len(lower)} {spaces[1].words}. "
            f"{_distances(spaces[0])} A copy is much closer to the first image than to the others; a plain image is "
            "equally close to all of them."
        )
        alternative = "Samples closest to a training image, each beside its nearest training images."
        return Picture(_SUSPICIOUS, self._rows(spaces, upper + lower), caption, alternative)

    def _typical(self, spaces: Sequence[NearestTraining], chosen: Mapping[int, Exemplars]) -> list[Picture]:
        """Draws the most and the least typical sample of each class."""
        texts = {
            "typical": "The most typical sample of each class: its features are the nearest to the mean of the "
            "training images of the class.",
            "atypical": "The least typical sample of each class that is still classified as that class: its features "
            "are the farthest from the mean of the training images of the class. Similar training images show that the "
            "data contain such images too.",
        }
        pictures = []
        for name, text in texts.items():
            found = [index for each in chosen.values() for index in getattr(each, name)[:1]]
            if found:
                alternative = f"The most {name} sample of each class beside its nearest training images."
                caption = f"{text} {_distances(spaces[0])}"
                pictures.append(Picture(name, self._rows(spaces, found), caption, alternative))
        return pictures

    def _rows(self, spaces: Sequence[NearestTraining], chosen: list[int]) -> Image:
        """Draws each sample beside its nearest training images in each space."""
        samples = spaces[0].samples
        nearest = (Block(f"nearest training images {each.words}", self.neighbours) for each in spaces)
        found = [space.nearest(chosen, self.neighbours) for space in spaces]
        rows = []
        for row, sample in enumerate(chosen):
            label = samples.info.class_names[samples.labels[sample]]
            tiles = [[Tile(to_pixels(samples.images[sample]), ["condition:", label])]]
            for space, (index, distance) in zip(spaces, found, strict=True):
                tiles.append(_near_tiles(space, sample, index[row], distance[row]))
            rows.append(Row(tiles))
        return rows_picture([Block("sample", 1), *nearest], rows)


def _distances(pixels: NearestTraining) -> str:
    return (
        f"Below each training image: its distance (root mean square of {pixels.levels}, or Euclidean in the features) "
        "and its class, in vermilion if the sample is a near copy of it."
    )


def _classified(samples: ImageSet, sample: int, probabilities: Tensor) -> Tile:
    predicted = int(probabilities.argmax())
    name, percent = samples.info.class_names[predicted], int(100 * probabilities[predicted])
    words = [f"{name}:", f"{'>' if percent == 99 else ''}{percent} %"]  # a name may be a number
    words = [" ".join(words)] if len(name) <= _ONE_LINE else words
    return Tile(to_pixels(samples.images[sample]), words, predicted != int(samples.labels[sample]))


def _near_tiles(space: NearestTraining, sample: int, index: Tensor, distance: Tensor) -> list[Tile]:
    train, limit = space.real.train, space.limits[space.samples.labels[sample]].item()
    names = train.info.class_names
    return [
        Tile(to_pixels(train.images[at]), [f"{far:.3g}", names[train.labels[at]]], far <= limit)
        for at, far in zip(index.tolist(), distance.tolist(), strict=True)
    ]

"""What samples resemble: the training images nearest to typical, odd and suspicious ones; the best and the worst."""

from collections.abc import Mapping, Sequence

from PIL.Image import Image
from torch import Tensor

from fmcgan.analysis.base import Analysis, NotApplicable, Subject, classes_of
from fmcgan.analysis.nearest.exemplars import INSIDE, Exemplary, exemplary
from fmcgan.analysis.nearest.nearest_training import Closeness
from fmcgan.analysis.section import Column, Picture, Section, Table
from fmcgan.app.checks import MOST_SHOWN, whole_number
from fmcgan.app.errors import InvalidValueError
from fmcgan.data.classes import CLASS_NAMES
from fmcgan.figure.image_rows import Block, Row, Tile, garment_rows
from fmcgan.metric.feature.classifier import ClassifierFeatures
from fmcgan.metric.image_set import ImageSet

SUSPICIOUS, TYPICAL, ATYPICAL, BEST_AND_WORST = "suspicious", "typical", "atypical", "best_and_worst"
"""Names of the pictures."""

_DISTANCES = (
    "Below each training image stand its distance, as root mean square of grey levels or in units of the features, and "
    "its class, in vermilion where it is as near as only a hundredth of the test images of the sample's class are."
)
_COLUMNS = (
    Column("class", "class"),
    Column("space", "space"),
    Column("samples", "samples", "whole"),
    Column("near_copies", "near copies", "percent", 2),
    Column("low", "95 % from", "percent", 2),
    Column("high", "to", "percent", 2),
    Column("near_copies_of_real", "of real test images", "percent", 2),
    Column("limit", "near is at most", "number"),
)


class Neighbours(Analysis):
    """Looks for the training images nearest to samples, on grey levels and on a classifier's features.

    Effects are the shares of near copies (`Closeness`) against the test images' share, whose floor is the first half of
    the test split against its second half. ``values`` names the best and the worst samples of each class by index.
    """

    def __init__(self, features: ClassifierFeatures, neighbours: int = 5, examples: int = 5) -> None:
        """Checks the parameters.

        Args:
            features: a classifier; it also says how sure it is of a sample's class.
            neighbours: training images shown beside a sample.
            examples: best and worst samples shown of each class, and suspicious ones of each space.

        Raises:
            InvalidValueError: the network is no classifier, or a number is not a whole number of at least 1.
        """
        if not isinstance(features, ClassifierFeatures):
            given = type(features).__name__
            raise InvalidValueError(f"features must be a classifier, such as feature.classifier, got {given}")
        whole_number(maximum=MOST_SHOWN, neighbours=neighbours, examples=examples)
        self.classifier = features
        self.neighbours = neighbours
        self.examples = examples

    def analyse(self, subject: Subject) -> Section:
        """Compares all samples with all training images.

        Raises:
            NotApplicable: no class has samples, training and test images.
        """
        samples, real = subject.samples, subject.real
        classes = [k for k in classes_of(samples) if len(real.train.of_class(k)) and len(real.test.of_class(k))]
        if not classes:
            raise NotApplicable("no class has samples, training images and test images; give samples of such a class")
        spaces = [Closeness(subject, None), Closeness(subject, self.classifier)]
        copies = spaces[0].near | spaces[1].near
        chosen = {k: exemplary(samples, real, self.classifier, k, self.examples, copies) for k in classes}
        section = Section("Nearest training images", _introduction(subject))
        section.pictures += [self._best_and_worst(samples, chosen), self._suspicious(spaces)]
        section.pictures += self._odd(spaces, chosen)
        section.tables.append(_table(spaces))
        for space in spaces:
            section.effects += space.effects("neighbours", SUSPICIOUS)
        for kind in ("best", "worst"):
            section.values[kind] = {CLASS_NAMES[label]: getattr(each, kind) for label, each in chosen.items()}
        return section

    def _best_and_worst(self, samples: ImageSet, chosen: Mapping[int, Exemplary]) -> Picture:
        probabilities = self.classifier.logits(samples).double().softmax(dim=1)

        def tiles(indices: Sequence[int]) -> list[Tile]:
            return [_read_tile(samples, sample, probabilities[sample]) for sample in indices]

        rows = [Row((tiles(each.best), tiles(each.worst)), CLASS_NAMES[label]) for label, each in chosen.items()]
        blocks = Block("best", self.examples), Block("worst", self.examples)
        caption = (
            "The best and the worst samples of each class, and what the classifier reads them as (vermilion: as "
            "another class). Best: it is surest of the class asked for, among the samples that lie no farther from the "
            f"training images of their class than {100 * INSIDE:.0f} % of its test images do and are no near copies. "
            "Worst: farthest, in its features, from every training image of the class asked for."
        )
        alternative = f"For each of {len(rows)} classes up to {self.examples} of the best and of the worst samples."
        return Picture(BEST_AND_WORST, garment_rows(blocks, rows), caption, alternative, lead=True)

    def _suspicious(self, spaces: Sequence[Closeness]) -> Picture:
        upper = spaces[0].most_suspicious(self.examples)
        lower = spaces[1].most_suspicious(self.examples, besides=upper)
        caption = (
            f"The samples nearest to a training image, compared with how near test images of their class lie: "
            f"the upper {len(upper)} {spaces[0].words}, the lower {len(lower)} {spaces[1].words}. {_DISTANCES} A copy "
            "is much nearer to the first image than to the others; a plain garment is about as near to all of them."
        )
        alternative = "Samples that lie nearest to a training image, each beside the training images nearest to it."
        return Picture(SUSPICIOUS, self._rows(spaces, upper + lower), caption, alternative)

    def _odd(self, spaces: Sequence[Closeness], chosen: Mapping[int, Exemplary]) -> list[Picture]:
        """The most and the least typical sample of each class."""
        typical = [each.typical[0] for each in chosen.values()]
        atypical = [each.atypical[0] for each in chosen.values() if each.atypical]
        pictures = [
            Picture(
                TYPICAL,
                self._rows(spaces, typical),
                "The most typical sample of each class: the one whose features are nearest to the mean of the training "
                f"images of that class. {_DISTANCES}",
                "The most typical sample of each class beside the training images nearest to it.",
            )
        ]
        if atypical:
            pictures.append(
                Picture(
                    ATYPICAL,
                    self._rows(spaces, atypical),
                    "The least typical sample of each class that is still read as that class: the one whose features "
                    "are farthest from the mean of the training images of that class. Training images like it show "
                    f"that the data hold such garments too. {_DISTANCES}",
                    "The least typical sample of each class beside the training images nearest to it.",
                )
            )
        return pictures

    def _rows(self, spaces: Sequence[Closeness], chosen: list[int]) -> Image:
        """Each sample beside its nearest training images in each space."""
        samples = spaces[0].samples
        wide = [Block(f"nearest training images {space.words}", self.neighbours) for space in spaces]
        found = [space.nearest(chosen, self.neighbours) for space in spaces]
        rows = []
        for row, sample in enumerate(chosen):
            own = Tile(samples.images[sample, 0].numpy(), ["asked for:", CLASS_NAMES[samples.labels[sample]]])
            tiles = [[own]]
            for space, (index, distance) in zip(spaces, found, strict=True):
                tiles.append(_near_tiles(space, sample, index[row], distance[row]))
            rows.append(Row(tiles))
        return garment_rows([Block("sample", 1), *wide], rows)


def _introduction(subject: Subject) -> str:
    return (
        f"{len(subject.samples):,} samples were compared with all {len(subject.real.train):,} training images, on grey "
        "levels and in the features of a classifier. A near copy lies at most as far from a training image as the "
        "nearest hundredth of the test images of its class do, so about one in a hundred new real images is one too. "
        "Many near copies are a reason to look, not a proof that images were learned by heart: plain garments lie near "
        "to many training images."
    )


def _table(spaces: Sequence[Closeness]) -> Table:
    caption = (
        "Near copies: the share of samples at most as far from a training image as the nearest hundredth of the test "
        "images of the class. The limit is a distance on grey levels (root mean square) or of features."
    )
    return Table("near_copies", caption, _COLUMNS, [row for space in spaces for row in space.rows()])


def _read_tile(samples: ImageSet, sample: int, probabilities: Tensor) -> Tile:
    read = int(probabilities.argmax())
    percent = int(100 * probabilities[read])
    sure = f"{'>' if percent == 99 else ''}{percent} %"
    image = samples.images[sample, 0].numpy()
    return Tile(image, [f"{CLASS_NAMES[read]} {sure}"], read != int(samples.labels[sample]))


def _near_tiles(space: Closeness, sample: int, index: Tensor, distance: Tensor) -> list[Tile]:
    train, limit = space.real.train, space.limits[space.samples.labels[sample]].item()
    return [
        Tile(train.images[at, 0].numpy(), [f"{far:.3g}", CLASS_NAMES[train.labels[at]]], far <= limit)
        for at, far in zip(index.tolist(), distance.tolist(), strict=True)
    ]

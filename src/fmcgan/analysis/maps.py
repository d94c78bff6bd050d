"""Maps of real and generated images in the plane, which show regions with too few or too many samples."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from typing_extensions import override

from fmcgan.analysis.base import Analysis, NotApplicable, Subject, common_classes
from fmcgan.analysis.clustering.embedding import Plane, pca, principal_components, tsne, umap
from fmcgan.analysis.nearest.nearest_training import nearest_vectors
from fmcgan.analysis.section import Column, Map, NearestImages, Picture, Section, Table
from fmcgan.app.checks import MOST_IMAGES, number, whole_number
from fmcgan.data.images import to_pixels
from fmcgan.data.info import DatasetInfo
from fmcgan.figure.classes import most_telling
from fmcgan.figure.map import MOST_COLOURED, Cloud, class_map, origin_map, thumbnail_map
from fmcgan.metric.base import pixel_unit
from fmcgan.metric.feature.classifier import ClassifierFeatures
from fmcgan.metric.image_set import FeatureNetwork, ImageSet, class_balanced

LEAST = 50  # least number of training images
MOST_NEAREST = 5  # nearest training images of a point; the page holds them all
Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Chosen:
    """A subset of a set of images."""

    images: ImageSet
    index: Tensor

    def features(self, network: FeatureNetwork) -> Array:
        return network.features(self.images)[self.index].double().numpy()

    def cloud(self, positions: Array) -> Cloud:
        labels, images = self.images.labels[self.index], self.images.images[self.index]
        return Cloud(positions, labels.numpy(), to_pixels(images))


class Maps(Analysis):
    """Maps of features by PCA, t-SNE (van der Maaten and Hinton 2008) and UMAP (McInnes et al. 2018).

    Each map is fitted to training images only, because a fit to samples would hide holes. Images that are added later
    lie closer to the centre than fitted ones. Samples are therefore compared with test images added in the same way,
    as many of each class. Features are standardised and reduced to principal components, which initialise t-SNE and
    UMAP (Kobak and Linderman 2021, "Initialization is critical"). The fit of t-SNE is stored; that of UMAP is repeated.

    PCA is linear and shows outliers. UMAP, and the weighted mean used for t-SNE, place an image among its neighbours:
    they show holes, but hardly any outliers.

    Args:
        features: network for distances.
        classifier: predicts the class of each image.
        fitted: number of training images that the maps are fitted to.
        shown: number of samples in the figures, and of test images, at least the number of classes.
        on_page: number of samples on the linked map, and of test images, at least the number of classes.
        components: number of principal components given to t-SNE and UMAP.
        perplexity: of t-SNE; at most a third of the fitted images is used.
        neighbours: of UMAP; at most a third of the fitted images is used.
        nearest: number of training images beside each image of the linked map: the nearest by pixels.
    """

    packages = ("sklearn", "umap")

    def __init__(
        self,
        features: FeatureNetwork,
        classifier: ClassifierFeatures,
        fitted: int = 3000,
        shown: int = 2000,
        on_page: int = 500,
        components: int = 30,
        perplexity: float = 30.0,
        neighbours: int = 15,
        nearest: int = 3,
    ) -> None:
        whole_number(minimum=LEAST, maximum=MOST_IMAGES, fitted=fitted)
        whole_number(minimum=2, maximum=100_000, shown=shown, on_page=on_page)
        whole_number(minimum=2, maximum=10_000, components=components, neighbours=neighbours)
        whole_number(maximum=MOST_NEAREST, nearest=nearest)
        number(minimum=1, maximum=10_000, perplexity=perplexity)
        self.features, self.classifier = features, classifier
        self.fitted, self.shown, self.on_page = fitted, shown, on_page
        self.components, self.perplexity, self.neighbours = components, perplexity, neighbours
        self.nearest = nearest

    @override
    def analyse(self, subject: Subject) -> Section:
        train, info = subject.real.train, subject.info
        if len(train) < LEAST:
            raise NotApplicable(f"maps need at least {LEAST} training images, got {len(train)}")
        if (fewest := min(self.shown, self.on_page)) < info.num_classes:
            raise NotApplicable(f"maps: shown and on_page must be at least {info.num_classes} (classes), got {fewest}")
        fitted = _Chosen(train, class_balanced(train.labels, self.fitted))
        real, generated = self._choose(subject)
        given = [each.features(self.features) for each in (fitted, real, generated)]
        vectors, others, explained = principal_components(given[0], np.concatenate(given[1:]), self.components)
        near, n = min(self.neighbours, len(vectors) // 3), len(real.index)
        planes = self._planes(subject, vectors, others, near)
        coloured, note = _coloured(info, real, others)
        return Section(
            "Maps of real and generated images",
            f"Images with similar features of the {self.features.name} network lie close together. The maps were "
            f"fitted to {len(vectors):,} training images; {n:,} samples and as many real test images were then added. "
            "Samples are missing where there are only test images. The sizes of clusters in UMAP and t-SNE, and the "
            "distances between them, mean little." + note,
            [picture for plane in planes for picture in _pictures(plane, real, generated, coloured)],
            [_trustworthiness(vectors, planes, near)],
            self._maps(train, planes, (real, generated), others, coloured),
            values={"explained_by_two_components": explained, "fitted": len(vectors), "shown": n},
        )

    def _choose(self, subject: Subject) -> tuple[_Chosen, _Chosen]:
        """Chooses the same number of test images and of samples in each class."""
        samples, test = subject.samples, subject.real.test
        pairs = []
        for label in common_classes(samples, test):
            of_test, of_samples = test.of_class(label), samples.of_class(label)
            n = min(len(of_test), len(of_samples), self.shown // subject.info.num_classes)
            pairs.append((of_test[:n], of_samples[:n]))
        if not pairs:
            raise NotApplicable("maps need samples and test images of one class, got none")
        real, generated = (torch.cat(index) for index in zip(*pairs, strict=True))
        return _Chosen(test, real), _Chosen(samples, generated)

    def _planes(self, subject: Subject, vectors: Array, others: Array, neighbours: int) -> list[Plane]:
        network, seed = self.features, subject.seed
        fitted_to = (
            f"{len(vectors)} images, the first of each class of {subject.real.train.fingerprint}, on {network.name} "
            f"{network.version}, standardised, {vectors.shape[1]} principal components"
        )
        perplexity = min(self.perplexity, len(vectors) / 3)
        return [
            umap(vectors, others, neighbours, seed),
            tsne(vectors, others, perplexity, seed, subject.store.arrays, fitted_to),
            pca(vectors, others),
        ]

    def _maps(
        self,
        train: ImageSet,
        planes: Sequence[Plane],
        sets: tuple[_Chosen, _Chosen],
        vectors: Array,
        coloured: Sequence[int],
    ) -> list[Map]:
        """Makes the linked maps of real images and samples; the first one has the vectors."""
        info = train.info
        per_class, n = self.on_page // info.num_classes, len(sets[0].index)
        labels = sets[0].images.labels[sets[0].index]  # the same as those of the samples
        chosen = torch.cat([(labels == label).nonzero().squeeze(1)[:per_class] for label in labels.unique()])
        some = [_Chosen(each.images, each.index[chosen]) for each in sets]
        images = torch.cat([each.images.images[each.index] for each in some])
        logits = torch.cat([self.classifier.logits(each.images)[each.index] for each in some])
        confidence, predicted = (each.numpy() for each in logits.double().softmax(dim=1).max(dim=1))
        rows = torch.cat([chosen, chosen + n]).numpy()
        classes, origin = labels[chosen].repeat(2).numpy(), np.arange(len(rows)) >= len(chosen)
        shown = to_pixels(images), classes, origin, info.class_names, predicted, confidence
        nearest = _nearest(images, train, self.nearest)
        maps = [
            Map(plane.name, plane.title, plane.remark, plane.others[rows], *shown, nearest, coloured=coloured)
            for plane in planes
        ]
        return [replace(maps[0], vectors=vectors[rows].astype(np.float32)), *maps[1:]]


def _coloured(info: DatasetInfo, real: _Chosen, vectors: Array) -> tuple[list[int], str]:
    """Selects the classes with a colour: if there are many, those whose samples are farthest from their real images.

    ``vectors`` are those of the real images and of the samples, [2 N, C]; also returns a sentence for many classes.
    """
    if info.num_classes <= MOST_COLOURED:
        return list(info.labels), ""
    labels = real.images.labels[real.index].numpy()  # those of the samples are the same
    moved = np.subtract(*np.split(vectors, 2))
    far = {label: float(np.linalg.norm(moved[labels == label].mean(axis=0))) for label in np.unique(labels).tolist()}
    coloured, note = most_telling(far, "whose samples lie farthest from their real images", MOST_COLOURED)
    return coloured, f" {note.replace('are shown', 'have a colour')}" if note else ""


def _nearest(images: Tensor, train: ImageSet, k: int) -> NearestImages:
    """Finds the training images nearest to images, uint8 [N, C, H, W], by the root mean square difference of pixels."""
    index, distance = nearest_vectors(images.flatten(1), train.images.flatten(1), k)
    used, places = index.unique(return_inverse=True)
    return NearestImages(
        to_pixels(train.images[used]),
        train.labels[used].numpy(),
        places.numpy(),
        distance.numpy() / math.sqrt(train.info.pixels),
        pixel_unit(train.info),
    )


def _trustworthiness(vectors: Array, planes: Sequence[Plane], near: int) -> Table:
    from sklearn.manifold import trustworthiness

    rows = [(plane.title, float(trustworthiness(vectors, plane.fitted, n_neighbors=near))) for plane in planes]
    caption = (
        f"Whether the {near} neighbours of a training image on the map are also its neighbours in the features: 1 "
        "if all are, about 0.5 by chance (Venna and Kaski 2001)."
    )
    columns = [Column("map", "map"), Column("trustworthiness", "trustworthiness", "number", 3)]
    return Table("trustworthiness", caption, columns, rows)


def _pictures(plane: Plane, of_real: _Chosen, of_samples: _Chosen, coloured: Sequence[int]) -> list[Picture]:
    names = {label: of_real.images.info.class_names[label] for label in coloured}
    n, title = len(of_real.index), plane.title
    real, generated = of_real.cloud(plane.others[:n]), of_samples.cloud(plane.others[n:])
    what = f"of {n:,} real test images and {n:,} samples"
    return [
        Picture(
            f"{plane.name}_classes",
            class_map(plane.fitted, real, generated, names, f"{title}, coloured by class"),
            "Left: real test images, coloured by class. Right: samples, coloured by conditioned class, on the same "
            f"axes. Grey: the training images that the map was fitted to. {plane.remark}",
            f"Two scatter plots by {title} {what}, coloured by class.",
            lead=plane.name == "umap",
        ),
        Picture(
            f"{plane.name}_origin",
            origin_map(real, generated, f"{title}, coloured by origin"),
            "Left: real test images and samples. Right: the share of samples in each cell. Blue cells have too few "
            "samples, vermilion ones too many.",
            f"A scatter plot by {title} {what}, and the share of samples by cell.",
        ),
        Picture(
            f"{plane.name}_thumbnails",
            thumbnail_map(real, generated),
            "Each cell shows the image nearest to its centre: real test images left, samples right. Coloured cells "
            "contain images of the other origin only.",
            f"Two grids of images by {title} {what}, each image at its position on the map.",
            lead=plane.name == "umap",
        ),
    ]

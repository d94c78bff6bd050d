"""Latent directions that change images most, and the attributes that they change."""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from typing_extensions import override

from fmcgan.analysis.attributes import attributes_of, has_black_background, mean_of, measure_attributes
from fmcgan.analysis.base import Analysis, Subject
from fmcgan.analysis.latent.attribute_slopes import REACH, attribute_slopes, class_spreads
from fmcgan.analysis.latent.sefa import Principal, activations_before, affine_layers, closed_form, of_activations
from fmcgan.analysis.latent.space import balanced_latents, latent_generator, set_coordinate
from fmcgan.analysis.latent.traversals import (
    Family,
    attribute_map,
    by_class,
    summary,
    traversals,
    traversed_classes,
)
from fmcgan.analysis.section import Column, Picture, Section, Table, interval_columns
from fmcgan.app.checks import MOST_IMAGES, MOST_SHOWN, whole_number
from fmcgan.figure.classes import some_classes
from fmcgan.figure.curves import Panel, Series, curves_figure
from fmcgan.training.sampling import render

_SINGLE, _ACTIVATIONS, _SLOPES, _RANDOM = 111, 112, 113, 114  # random streams, combined with the subject's seed
_RANDOM_DIRECTIONS, _STREAMS = 20, 10  # directions, drawn from as many streams of latent vectors
_CAPTIONS = {
    "sefa": "Directions along which the first feature maps change most, from the weights (SeFa)",
    "ganspace": "Principal components of the first hidden activations, regressed to the latent space (GANSpace)",
    "strongest_dimensions": "Single dimensions that change images most",
}


class Directions(Analysis):
    """Compares single latent dimensions, closed-form directions of the weights, and components of the activations.

    The distribution of latent vectors is invariant under rotation. Comparing single dimensions with random directions
    shows whether the generator distinguishes them. SeFa (Shen and Zhou 2021) and GANSpace (Härkönen et al.
    2020) find directions that matter to the generator.

    A step along a direction sets the coordinate along it, in standard deviations, and changes no other. With many
    classes, changes are measured on some of them, chosen evenly.

    Args:
        n_latents: latent vectors over all classes, for the change along a single dimension.
        n_directions: number of directions of each method.
        n_per_class: latent vectors of each class, for the change of attributes along a direction.
        n_activations: latent vectors for the principal component analysis.
    """

    packages = ("sklearn",)

    def __init__(
        self, n_latents: int = 64, n_directions: int = 5, n_per_class: int = 32, n_activations: int = 5000
    ) -> None:
        whole_number(maximum=MOST_SHOWN, n_directions=n_directions)
        whole_number(minimum=2, maximum=10_000, n_latents=n_latents, n_per_class=n_per_class)
        whole_number(minimum=100, maximum=MOST_IMAGES, n_activations=n_activations)
        self.n_latents, self.n_directions = n_latents, n_directions
        self.n_per_class, self.n_activations = n_per_class, n_activations

    @override
    def analyse(self, subject: Subject) -> Section:
        generator, size = latent_generator(subject)
        classes, note = some_classes(subject.info.labels)
        latents, _ = balanced_latents(traversed_classes(subject.info), size, 1, subject.seed, _SLOPES)
        drawn, _ = balanced_latents(range(_STREAMS), size, _RANDOM_DIRECTIONS // _STREAMS, subject.seed, _RANDOM)
        random_change = float(self._changes(subject, generator, drawn / drawn.norm(dim=1, keepdim=True)).mean())
        families = list(self._families(subject, generator))
        section = Section(
            "Directions of the latent space",
            f"How images change along each of the {size} dimensions of the latent vector, and along directions "
            "found from the generator's weights (SeFa) or activations (GANSpace). The tables measure changes by "
            "attributes of the images; the figures show all changes. There is no "
            "reference, because real images have no latent vectors.",
        )

        def traverse(name: str, directions: Tensor, titles: Sequence[str]) -> None:
            drawing = traversals(generator, subject.info, latents, directions, titles, name, _CAPTIONS[name])
            section.pictures.append(drawing)

        if families:
            section.pictures.append(attribute_map(families, note))
            section.tables += [summary(families), by_class(families, subject.info, classes, note)]
        for each in families:
            traverse(each.name, each.directions, each.titles)
        strongest = self._single(subject, generator, random_change, section)[: self.n_directions]
        traverse("strongest_dimensions", torch.eye(size)[strongest], [f"z {at}" for at in strongest])
        section.values |= {
            "strongest_dimensions": strongest,
            "grey_levels_along_a_random_direction": random_change,
            "grey_levels_along": {each.source: float(each.changes[0]) for each in families},
            "images_along": {
                title: each.slopes.in_words(at) for each in families for at, title in enumerate(each.titles)
            },
        }
        return section

    def _changes(self, subject: Subject, generator: nn.Module, directions: Tensor) -> NDArray[np.float64]:
        """Measures the mean absolute change from -2 to +2 along each direction, in grey levels: [D, n_latents]."""
        classes, _ = some_classes(subject.info.labels)
        per_class = -(-self.n_latents // len(classes))
        latents, labels = balanced_latents(classes, directions.shape[1], per_class, subject.seed, _SINGLE)
        # The first of each class, then the second, so that any number is balanced.
        order = torch.arange(len(labels)).unflatten(0, (len(classes), per_class)).T.flatten()[: self.n_latents]
        latents, labels = latents[order], labels[order]
        found = []
        for direction in directions:
            ends = torch.cat([set_coordinate(latents, direction, at) for at in (-REACH, REACH)])
            low, high = render(generator, ends, labels.repeat(2)).short().chunk(2)
            found.append((high - low).abs().double().mean(dim=(1, 2, 3)).numpy())
        return np.stack(found)

    def _families(self, subject: Subject, generator: nn.Module) -> Iterator[Family]:
        """Yields the directions of SeFa and GANSpace, if the network has the layers that they need."""
        classes, _ = some_classes(subject.info.labels)
        layers = affine_layers(generator, classes)
        if layers.names:
            explains = f"share of the squared change of the {len(layers.names)} layers that read the latent vector"
            yield self._family(subject, generator, closed_form(layers.gram, self.n_directions), "SeFa", explains)
        if layers.next is not None:
            n = -(-self.n_activations // len(classes))
            latents, labels = balanced_latents(classes, layers.gram.shape[0], n, subject.seed, _ACTIVATIONS)
            activations = activations_before(generator, layers.next, latents, labels)
            found = of_activations(activations, latents, labels, self.n_directions, subject.seed)
            explains = f"share of the variance of the input of {layers.next} within a class"
            yield self._family(subject, generator, found, "GANSpace", explains)

    def _family(self, subject: Subject, generator: nn.Module, found: Principal, source: str, explains: str) -> Family:
        """Measures the changes along directions and orients each so that its strongest attribute rises."""
        test = subject.real.test
        black = has_black_background(subject.real.train)
        spreads = class_spreads(attributes_of(test, black), test.labels, test.info.num_classes)
        classes, _ = some_classes(test.info.labels)
        latents, labels = balanced_latents(classes, found.directions.shape[1], self.n_per_class, subject.seed, _SLOPES)
        measured = attribute_slopes(
            generator, found.directions, latents, labels, spreads, partial(measure_attributes, black=black)
        )
        slopes, signs = measured.oriented()
        directions = found.directions * torch.from_numpy(signs).float()[:, None]
        changes = self._changes(subject, generator, directions).mean(axis=1)
        return Family(source.lower(), source, explains, directions, found.shares, slopes, changes)

    def _single(self, subject: Subject, generator: nn.Module, random_change: float, section: Section) -> list[int]:
        """Measures each dimension and adds a figure and a table; returns the dimensions, the strongest first."""
        axes = torch.eye(latent_generator(subject)[1])
        estimates = [mean_of(each) for each in self._changes(subject, generator, axes)]
        order = sorted(range(len(estimates)), key=lambda at: -estimates[at].value)
        mean, low, high = np.array([estimates[at] for at in order]).T
        panel = Panel(
            f"Change of an image from -{REACH:g} to +{REACH:g} along a dimension",
            "mean absolute change, grey levels",
            [Series("single dimensions, with 95 % intervals", np.arange(1, len(order) + 1), mean, (low, high))],
            "rank of the dimension",
            references={f"mean of {_RANDOM_DIRECTIONS} random directions": random_change},
        )
        caption = (
            f"Change of an image along each single dimension, over {self.n_latents} latent vectors, and the mean of "
            "random directions (dashed). If all dimensions were equivalent, the curve would follow the dashed line."
        )
        text = "A falling curve of the change over the rank of the dimension, with a dashed line."
        section.pictures.append(Picture("dimensions", curves_figure([panel]), caption, text))
        caption = f"Mean absolute change of an image from -{REACH:g} to +{REACH:g} along each dimension."
        columns = Column("dimension", "dimension", "whole"), *interval_columns("change", "grey levels", ends="")
        section.tables.append(Table("dimensions", caption, columns, [[at, *estimates[at]] for at in order]))
        return order

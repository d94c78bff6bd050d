"""By what the surest-caught samples of a class were caught."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fmcgan.analysis.detector.cross_fit import Verdicts
from fmcgan.analysis.detector.network import SIDE, occlusion
from fmcgan.analysis.section import Picture
from fmcgan.data.classes import CLASS_NAMES
from fmcgan.figure.occlusion import ClueMap, Suspects, clue_maps_figure, suspects_picture
from fmcgan.metric.image_set import ImageSet

SHOWN = 5
"""Samples of a class in the picture, of the most suspicious and of the least."""


@dataclass(frozen=True, eq=False)
class Clues:
    """What gave the surest-caught samples of a class away.

    Args:
        label: the class.
        told_apart: share of its pairs that are told apart, in 0..1.
        caught: places of the samples in the set, the most suspicious first, int64 [K].
        heat: fall of the logit by pixel, float32 [K, 28, 28].
        passed: places of the least suspicious samples, the least of all first, int64 [L].
        garment: mean training image of the class, grey levels 0..255, float32 [1, 28, 28].
    """

    label: int
    told_apart: float
    caught: Tensor
    heat: Tensor
    passed: Tensor
    garment: Tensor


@dataclass(frozen=True)
class Patch:
    """What covers a part of an image: pixels of the mean training image of its class.

    Args:
        side: in pixels, at most 28.
        stride: pixels from one place to the next.
        samples: of each class over which it is slid, the surest-caught.
    """

    side: int
    stride: int
    samples: int


def clues_of(verdicts: Verdicts, label: int, samples: ImageSet, train: ImageSet, patch: Patch) -> Clues:
    """Slides a patch over the samples of a class that were most surely caught.

    Args:
        verdicts: on the samples.
        label: the class.
        samples: the set.
        train: real images.
        patch: what covers a part.
    """
    of_class = (verdicts.labels == label).nonzero().squeeze(1)
    order = of_class[verdicts.scores[of_class].argsort(descending=True, stable=True)]
    caught = order[: patch.samples]
    places, garment = verdicts.places[caught], train.images[train.of_class(label)].float().mean(dim=0)
    heat = torch.zeros(len(caught), SIDE, SIDE)
    for fold, detector in enumerate(verdicts.detectors):  # by its own judge, which has not learned from it
        mine = verdicts.fold[caught] == fold
        images, labels = samples.images[places[mine]], samples.labels[places[mine]]
        fill = garment.round().to(torch.uint8).expand_as(images)
        heat[mine] = occlusion(detector, images, labels, fill, patch.side, patch.stride)
    told_apart = verdicts.told_apart(label)[1]
    return Clues(label, told_apart, places, heat, verdicts.places[order.flip(0)[:SHOWN]], garment)


def suspects(clues: Sequence[Clues], samples: ImageSet) -> Picture:
    """The most suspicious samples of each class beside what gave them away, and the least suspicious."""

    def images(places: Tensor) -> NDArray[np.uint8]:
        return samples.images[places[:SHOWN], 0].numpy()

    rows = [
        Suspects(CLASS_NAMES[each.label], images(each.caught), each.heat[:SHOWN].numpy(), images(each.passed))
        for each in clues
    ]
    return Picture(
        "suspects",
        suspects_picture(rows),
        f"Of each class the {SHOWN} samples most surely taken for generated, each beside itself under what gave it "
        "away: vermilion where it is less suspicious once that place is covered with the mean training image of its "
        f"class, relative to its own strongest place. To the right the {SHOWN} samples most surely taken for real. "
        "Only clues that fit under the patch and that the mean image has not are shown: an image that is too smooth "
        "all over is caught without a place to point at, and the place most marked need not be a fault to the eye.",
        "Rows of generated images by class: the most suspicious with heat maps, then the least suspicious.",
    )


def clue_maps(clues: Sequence[Clues], patch: Patch) -> Picture:
    """Where the samples of each class are given away on average."""
    maps = [
        ClueMap(
            f"{CLASS_NAMES[each.label]}: {100 * each.told_apart:.0f} %",
            each.heat.mean(dim=0).numpy(),
            each.garment[0].numpy(),
        )
        for each in clues
    ]
    return Picture(
        "clues",
        clue_maps_figure(maps, "Where samples are given away, and the share of pairs told apart"),
        f"Mean fall of the suspicion when a patch of {patch.side} by {patch.side} pixels covers a place, over the "
        f"{patch.samples} surest-caught samples of each class; the line is the outline of the mean training image. "
        "Each map is coloured up to its own largest fall: compare places, not strengths. Where a class is near 50 %, "
        "its map shows what misled the detector.",
        "Heat maps, one a class, over the outline of its mean image.",
        lead=True,
    )

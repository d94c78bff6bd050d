"""Occlusion maps: parts of the samples that raise the detector's score."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from fmcgan.analysis.detector.cross_fit import DetectorScores
from fmcgan.analysis.detector.network import occlusion
from fmcgan.analysis.section import Picture
from fmcgan.data.images import to_pixels
from fmcgan.data.info import DatasetInfo
from fmcgan.figure.classes import short_names
from fmcgan.figure.occlusion import MeanMap, SampleRow, maps_figure, samples_picture
from fmcgan.metric.image_set import ImageSet

SHOWN = 5  # samples of a class in the picture, of the highest scores and of the lowest


class Occluded(NamedTuple):
    """Occlusion maps of the samples of a class with the highest scores."""

    label: int
    auc: float  # of the class, in 0..1
    highest: Tensor  # indices of the samples, the highest score first, int64 [K]
    heat: Tensor  # decrease of the logit by pixel, float32 [K, H, W]
    lowest: Tensor  # indices of the samples of the lowest scores, the lowest first, int64 [L]
    mean_image: Tensor  # mean training image of the class, 0..255, float32 [C, H, W]


class Patch(NamedTuple):
    """Size and step of an occluding patch, filled with the mean training image of the class."""

    side: int  # in pixels
    stride: int  # step in pixels
    samples: int  # number of occluded samples of each class


def occlude(scores: DetectorScores, label: int, samples: ImageSet, train: ImageSet, patch: Patch) -> Occluded:
    """Computes occlusion maps of the samples of a class with the highest scores."""
    of_class = (scores.labels == label).nonzero().squeeze(1)
    order = of_class[scores.scores[of_class].argsort(descending=True, stable=True)]
    highest = order[: patch.samples]
    index, mean_image = scores.index[highest], train.images[train.of_class(label)].float().mean(dim=0)
    heat = torch.zeros(len(highest), *mean_image.shape[1:])
    for fold, detector in enumerate(scores.detectors):  # each sample by the detector that was not trained on it
        mine = scores.fold[highest] == fold
        if not mine.any():
            continue
        images, labels = samples.images[index[mine]], samples.labels[index[mine]]
        fill = mean_image.round().to(torch.uint8).expand_as(images)
        heat[mine] = occlusion(detector, images, labels, fill, patch.side, patch.stride)
    return Occluded(label, scores.auc(label)[1], index, heat, scores.index[order.flip(0)[:SHOWN]], mean_image)


def sample_picture(occluded: Sequence[Occluded], samples: ImageSet) -> Picture:
    """Draws the samples of each class with the highest scores beside their maps, and those with the lowest scores."""
    rows = [
        SampleRow(
            samples.info.class_names[each.label],
            to_pixels(samples.images[each.highest[:SHOWN]]),
            each.heat[:SHOWN].numpy(),
            to_pixels(samples.images[each.lowest]),
        )
        for each in occluded
    ]
    return Picture(
        "samples",
        samples_picture(rows),
        f"Left: the {SHOWN} samples of each class with the highest scores (most certainly generated), each beside its "
        "occlusion map. Vermilion: covering this part with the mean training image of the class lowers the score; each "
        f"map is relative to its own maximum. Right: the {SHOWN} samples with the lowest scores. The maps show only "
        "local differences from the mean image: they cannot show an image that is too smooth everywhere, and the "
        "strongest part need not be a visible fault.",
        "Rows of generated images by class: the highest scores with heat maps, then the lowest scores.",
    )


def map_picture(occluded: Sequence[Occluded], info: DatasetInfo, patch: Patch) -> Picture:
    """Draws the mean occlusion map of each class."""
    maps = []
    names = short_names(info.class_names)
    for each in occluded:
        title = f"{names[each.label]}: {100 * each.auc:.0f} %"
        mean = each.mean_image[0] if info.channels == 1 else each.mean_image.movedim(0, -1)
        maps.append(MeanMap(title, each.heat.mean(dim=0).numpy(), mean.numpy()))
    line = "The line is the outline of" if info.channels == 1 else "Beneath is"
    return Picture(
        "occlusion",
        maps_figure(maps, "Mean occlusion maps, and AUC of each class"),
        f"Titles: AUC. Maps: mean decrease of the logit when a patch of {patch.side} by {patch.side} pixels covers a "
        f"part, over the {patch.samples} samples of each class with the highest scores. {line} the mean training "
        "image. Colours are relative to the maximum of each map: compare parts, not classes. With an AUC near 50 %, a "
        "map is not informative.",
        "Heat maps, one per class, over its mean image.",
        lead=True,
    )

"""Diversity within the classes: how alike two samples of a class are."""

import torch
from torch import Tensor
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

from fmcgan.app.checks import MOST_IMAGES, whole_number
from fmcgan.data.classes import NUM_CLASSES
from fmcgan.metric.base import Measurement, Metric, RealImages
from fmcgan.metric.bootstrap import mean_interval, resample_counts
from fmcgan.metric.image_set import ImageSet, by_class, count_name

_WANG = (0.0448, 0.2856, 0.3001)  # exponents of the three finest of the five scales of Wang et al. 2003
WEIGHTS = tuple(weight / sum(_WANG) for weight in _WANG)
"""Exponents of the scales of 28, 14 and 7 pixels a side; they add up to 1."""

WINDOW = 7
"""Width of the Gaussian window: the largest that fits into the coarsest scale."""

SIGMA = 1.5 * WINDOW / 11
"""Its standard deviation in pixels: that of Wang's window of 11, shrunk with it."""

_PAIRS_AT_ONCE = 20  # the float64 convolution is quickest, and small in memory, on few images


def ms_ssim(a: Tensor, b: Tensor) -> Tensor:
    """Multi-scale structural similarity of pairs of images (Wang et al. 2003, eq. 7), by torchmetrics, in float64.

    Its five scales with a window of 11 need images of at least 161×161 there: 28×28 holds three scales with a window
    of 7. Images that are negatively correlated at some scale count as 0, since the power of a negative number would be
    NaN.

    Args:
        a: uint8 [P, 1, 28, 28].
        b: uint8 [P, 1, 28, 28].

    Returns:
        float64 [P] in 0..1; 1 for equal images.
    """
    return torch.cat(
        [
            multiscale_structural_similarity_index_measure(
                first.double(),
                second.double(),
                sigma=SIGMA,
                kernel_size=WINDOW,
                reduction="none",
                data_range=255.0,
                betas=WEIGHTS,
                normalize="relu",
            )
            for first, second in zip(a.split(_PAIRS_AT_ONCE), b.split(_PAIRS_AT_ONCE), strict=True)
        ]
    )


def pairs_within_classes(samples: ImageSet, most: int) -> Tensor:
    """Draws pairs of samples of the same class; no sample is in two pairs.

    They are drawn at random, so that a class in which each image comes several times gives equal pairs as often as two
    draws from it would, and from `ImageSet.content_order`, so that the order of the samples is of no influence.

    Args:
        samples: the set to draw from.
        most: pairs of a class; a class of fewer than twice as many samples gives half as many pairs as samples.

    Returns:
        Indices, int64 [P, 2], class after class; P is 0 if no class has two samples.
    """
    labels, pairs = samples.labels[samples.content_order], []
    for label in range(NUM_CLASSES):
        members = samples.content_order[labels == label]
        drawn = members[torch.randperm(len(members), generator=torch.Generator().manual_seed(0))]
        pairs.append(drawn[: 2 * min(most, len(members) // 2)].view(-1, 2))
    return torch.cat(pairs)


class WithinClassMsSsim(Metric):
    """``ms_ssim_within_class_{n}``: mean MS-SSIM of two samples of the same class, in 0..1.

    Odena et al. 2017, section 4.2. Lower is more diverse and a collapsed class gives 1, but noise is the most diverse
    of all: the target is the value of real images. It says nothing of quality.
    """

    begins = ("ms_ssim_within_class",)

    def __init__(self, pairs_per_class: int = 200) -> None:
        """Checks the parameter.

        Args:
            pairs_per_class: pairs of a class; Odena et al. take 100.

        Raises:
            InvalidValueError: it is no whole number of at least 1.
        """
        whole_number(maximum=MOST_IMAGES, pairs_per_class=pairs_per_class)
        self.pairs_per_class = pairs_per_class

    @property
    def protocol(self) -> str:
        """Pairs, window and weights."""
        weights = ", ".join(f"{weight:.6f}" for weight in WEIGHTS)
        return f"MS-SSIM of {self.pairs_per_class} pairs a class, window {WINDOW}, sigma {SIGMA:.6f}, weights {weights}"

    def measure(self, samples: ImageSet, real: RealImages) -> dict[str, Measurement]:
        """Measures the similarity, with a bootstrap interval over the pairs; nothing if no class has two samples.

        A class of fewer than two samples is left out.
        """
        pairs = pairs_within_classes(samples, self.pairs_per_class)
        if len(pairs) == 0:
            return {}
        similarities = ms_ssim(samples.images[pairs[:, 0]], samples.images[pairs[:, 1]])
        labels = samples.labels[pairs[:, 0]]
        interval = mean_interval(similarities, resample_counts(labels, samples.bootstrap_samples))
        measured = Measurement(similarities.mean().item(), "real", interval, by_class(similarities, labels))
        return {f"ms_ssim_within_class_{count_name(len(samples))}": measured}

"""Diversity within classes: MS-SSIM of pairs of samples of the same class."""

from functools import partial
from typing import ClassVar

import torch
from torch import Tensor
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

from fmcgan.app.checks import MOST_IMAGES, whole_number
from fmcgan.metric.base import Metric
from fmcgan.metric.image_set import ImageSet, RealImages, resample_counts
from fmcgan.metric.value import MetricValue, Quantity, by_class, mean_interval

_WANG = (0.0448, 0.2856, 0.3001)  # exponents of the three finest of the five scales of Wang et al. 2003
WINDOW = 7  # width of the Gaussian window: the largest that fits into the coarsest scale of 28 pixels
SIGMA = 1.5 * WINDOW / 11  # of the window in pixels, scaled from the 1.5 of Wang's window of 11
_PAIRS_AT_ONCE = 20  # the float64 convolution is fastest, and needs little memory, on few images


def ms_ssim(a: Tensor, b: Tensor) -> Tensor:
    """Computes the multi-scale structural similarity (Wang et al. 2003, eq. 7) of pairs of images uint8 [P, C, H, W].

    Images of 28×28 and more allow three scales with a window of 7, smaller ones two; the usual five with a window of 11
    need 161×161 in torchmetrics. The similarity of colour images is the mean over channels. Pairs that are negatively
    correlated at a scale count as 0 instead of NaN. Returns float64 [P] in 0..1; 1 for equal images.
    """
    measured = partial(
        multiscale_structural_similarity_index_measure,
        sigma=SIGMA,
        kernel_size=WINDOW,
        reduction="none",
        data_range=255.0,
        betas=scale_weights(a.shape[-1]),
        normalize="relu",
    )
    pairs = zip(a.split(_PAIRS_AT_ONCE), b.split(_PAIRS_AT_ONCE), strict=True)
    return torch.cat([measured(first.double(), second.double()) for first, second in pairs])


def scale_weights(size: int) -> tuple[float, ...]:
    """Returns the exponents of the scales, finest first: those on which images of this size hold the window."""
    fitting = [weight for scale, weight in enumerate(_WANG) if size >> scale >= WINDOW]
    return tuple(weight / sum(fitting) for weight in fitting)


def pairs_within_classes(samples: ImageSet, most: int) -> Tensor:
    """Draws up to ``most`` random pairs of samples of each class; no sample is in two pairs.

    The pairs do not depend on the order of the samples. Returns indices, int64 [P, 2], class after class; P is 0 if no
    class has two samples.
    """
    labels, pairs = samples.labels[samples.content_order], []
    for label in samples.info.labels:
        members = samples.content_order[labels == label]
        drawn = members[torch.randperm(len(members), generator=torch.Generator().manual_seed(0))]
        pairs.append(drawn[: 2 * min(most, len(members) // 2)].view(-1, 2))
    return torch.cat(pairs)


class WithinClassMsSsim(Metric):
    """``ms_ssim_within_class_{n}``: mean MS-SSIM of two samples of the same class, in 0..1.

    Odena et al. 2017, section 4.2. Lower means more diverse; a collapsed class gives 1. It does not measure quality,
    and noise has the lowest values: the target is the value of real images.
    """

    kinds: ClassVar = {"ms_ssim_within_class": Quantity("MS-SSIM within classes", "real", lowest=0, highest=1)}
    uses_reference = False

    def __init__(self, pairs_per_class: int = 200) -> None:
        """Sets the number of pairs per class, at least 1; Odena et al. use 100."""
        whole_number(maximum=MOST_IMAGES, pairs_per_class=pairs_per_class)
        self.pairs_per_class = pairs_per_class
        self.settle()

    def settle(self) -> None:
        """Sets the protocol."""
        weights = ", ".join(f"{weight:.6f}" for weight in scale_weights(self.info.size))
        window = f"window {WINDOW}, sigma {SIGMA:.6f}, weights {weights}"
        self.protocol = f"MS-SSIM of {self.pairs_per_class} pairs a class, {window}"

    def measure(self, samples: ImageSet, real: RealImages) -> dict[str, MetricValue]:
        """Measures the similarity over classes of at least two samples; without any, there is no value."""
        pairs = pairs_within_classes(samples, self.pairs_per_class)
        if len(pairs) == 0:
            return {}
        similarities = ms_ssim(samples.images[pairs[:, 0]], samples.images[pairs[:, 1]])
        labels = samples.labels[pairs[:, 0]]
        bounds = mean_interval(similarities, resample_counts(labels, samples.bootstrap_samples))
        means = by_class(similarities, labels, samples.info.num_classes)
        return {"ms_ssim_within_class": MetricValue(similarities.mean().item(), bounds, means)}

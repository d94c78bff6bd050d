from typing import ClassVar

from torch import Tensor

from fmcgan.metric.base import Metric
from fmcgan.metric.image_set import ImageSet, RealImages, resample_counts
from fmcgan.metric.value import MetricValue, Quantity, by_class, mean_interval


def variation(images: Tensor) -> Tensor:
    """Computes the mean absolute difference of neighbouring pixels of images uint8 [N, C, H, W]: float32 [N]."""
    values = images.float()
    down, right = values.diff(dim=2).abs(), values.diff(dim=3).abs()
    return (down.flatten(1).mean(dim=1) + right.flatten(1).mean(dim=1)) / 2


class Variation(Metric):
    """``variation_{n}``: mean difference of neighbouring pixels; blur lowers it, noise raises it.

    The target is the value of real images.
    """

    kinds: ClassVar = {"variation": Quantity("Difference of neighbouring pixels", "real", "levels", 0, 255)}
    protocol = "mean absolute difference of vertical and horizontal neighbours"
    uses_reference = False

    def measure(self, samples: ImageSet, real: RealImages) -> dict[str, MetricValue]:
        """Measures the mean over all images, its interval, and the mean of each class."""
        values = variation(samples.images)
        bounds = mean_interval(values, resample_counts(samples.labels, samples.bootstrap_samples))
        means = by_class(values, samples.labels, samples.info.num_classes)
        return {"variation": MetricValue(values.mean().item(), bounds, means)}

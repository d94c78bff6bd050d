"""What the parts of a probe read: the classifier, the judge, generated and real images with their verdicts."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from fmcgan.app.checks import MOST_SHOWN, whole_number
from fmcgan.data.info import DatasetInfo
from fmcgan.metric.image_set import ImageSet, RealImages
from fmcgan.probing.classifier import Classifier


@dataclass(frozen=True)
class Effort:
    """How much is measured.

    Args:
        bins: of an attribute, by its quantiles within each class; at least 2.
        directions: of SeFa.
        latents_per_class: latent vectors of each class that are moved along a direction.
        latents: latent vectors that are shown in all classes; at least 10.
        flips_per_class: images of each class whose smallest change is searched.
        steps: of that search by gradient.
        generations: of that search by CMA-ES, for a classifier without a gradient.
    """

    bins: int = 5
    directions: int = 5
    latents_per_class: int = 20
    latents: int = 300
    flips_per_class: int = 3
    steps: int = 150
    generations: int = 100

    def __post_init__(self) -> None:
        whole_number(minimum=2, maximum=MOST_SHOWN, **{"effort.bins": self.bins})
        whole_number(maximum=MOST_SHOWN, **{"effort.directions": self.directions})
        whole_number(maximum=MOST_SHOWN, **{"effort.flips_per_class": self.flips_per_class})
        whole_number(minimum=10, maximum=100_000, **{"effort.latents": self.latents})
        for name in ("latents_per_class", "steps", "generations"):
            whole_number(minimum=2, maximum=10_000, **{f"effort.{name}": getattr(self, name)})


@dataclass(frozen=True, eq=False)
class Verdicts:
    """Images with the classes that the classifier and the judge predict, int64 [N] each."""

    images: ImageSet
    model: Tensor
    judge: Tensor

    @property
    def labels(self) -> NDArray[np.int64]:
        """The true class of real images, the class asked for of generated ones, [N]."""
        return self.images.labels.numpy()

    @cached_property
    def hits(self) -> NDArray[np.bool_]:
        """Where the classifier predicts the label, [N]."""
        return (self.model == self.images.labels).numpy()

    @cached_property
    def judge_hits(self) -> NDArray[np.bool_]:
        """Where the judge predicts the label, [N]."""
        return (self.judge == self.images.labels).numpy()


@dataclass(frozen=True, eq=False)
class Subject:
    """Inputs of all parts."""

    model: Classifier
    judge: Classifier
    generated: Verdicts
    real: Verdicts  # the test images
    data: RealImages
    generator: nn.Module | None  # ``None``: samples of a file
    seed: int
    effort: Effort

    @property
    def info(self) -> DatasetInfo:
        """Classes and shape of the images."""
        return self.data.info

"""A classifier that is read, whatever it is made of."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from fmcgan.app.device import full_float32
from fmcgan.data.images import to_float
from fmcgan.metric.feature.classifier import ClassifierFeatures

_BATCH = 250


@dataclass(eq=False)
class Classifier:
    """A classifier of the images of a data set.

    Args:
        name: for texts.
        outputs: maps float images [B, C, H, W] in [-1, 1] on the device to log-probabilities [B, K], in the order of
            the classes of the data set.
        differentiable: whether the outputs have a gradient with respect to the images.
        device: of the images.
        on_reading: called with the number of images after each batch.
    """

    name: str
    outputs: Callable[[Tensor], Tensor]
    differentiable: bool
    device: torch.device
    on_reading: Callable[[int], object] = lambda n: None

    def log_probabilities(self, images: Tensor) -> Tensor:
        """Reads float images [B, C, H, W] in [-1, 1]: float32 [B, K] on their device."""
        found = self.outputs(images).float()
        self.on_reading(len(images))
        return found.to(images.device)

    @torch.no_grad()
    @full_float32()
    def read(self, images: Tensor) -> Tensor:
        """Reads images uint8 [N, C, H, W]: log-probabilities, float32 [N, K] on the CPU."""
        batches = (to_float(some.to(self.device)) for some in images.split(_BATCH))
        return torch.cat([self.log_probabilities(batch).cpu() for batch in batches])

    def verdicts(self, images: Tensor) -> Tensor:
        """Returns the most probable class of images uint8 [N, C, H, W], int64 [N]."""
        return self.read(images).argmax(dim=1)


def judge(features: ClassifierFeatures, device: torch.device) -> Classifier:
    """Returns the project's own classifier, the one of the metrics, as the reference."""
    network = features.network.to(device)
    return Classifier(
        "the judge",
        lambda images: network.head(network.features_of(images)).log_softmax(dim=1),
        True,
        device,
    )

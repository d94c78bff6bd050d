from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from fmcgan.app.checks import number, whole_number


class Penalty(ABC):
    """A scalar added to the discriminator's loss. A new penalty is one file with one subclass and one yaml.

    Args:
        interval: the training step computes the penalty at every ``interval``-th discriminator update and multiplies it
            by ``interval`` (lazy regularization: Karras et al. 2020, StyleGAN2, section 3.1).
        weight: factor on the penalty, at least 0; a subclass applies it.
    """

    is_none: bool = False
    """Whether this is the option ``none``."""

    def __init__(self, interval: int = 1, weight: float = 1.0) -> None:
        whole_number(interval=interval)
        number(minimum=0, weight=weight)
        self.interval, self.weight = interval, weight

    @abstractmethod
    def __call__(self, discriminator: nn.Module, real: Tensor, fake: Tensor, labels: Tensor, epsilon: Tensor) -> Tensor:
        """Computes the penalty, a scalar, multiplied by its weight but not by its interval.

        Args:
            discriminator: D(images [B, C, H, W], labels [B]) -> logits [B].
            real: real images after augmentation, [B, C, H, W], mostly in [-1, 1] (see `augment/brightness.py`).
            fake: generated images of the same labels and shape, detached from the generator.
            labels: int64 [B].
            epsilon: uniform in [0, 1), one for each sample, [B, 1, 1, 1], whatever the number of devices.
        """


def input_gradient(discriminator: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Returns the gradient of each sample's logit with respect to its own image, with ``create_graph=True``.

    Its shape is [B, C * H * W]. The gradient of the sum of the logits is per sample, because D treats the samples of a
    batch independently (no discriminator of this project has batch normalisation).
    """
    images = images.detach().requires_grad_()
    logits = discriminator(images, labels)
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradient.flatten(1).float()

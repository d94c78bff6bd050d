"""Base class of every augmentation."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

BACKGROUND = -1.0
"""Value of an empty pixel, which shifts bring in at the edge and holes show."""


class Augmentation(nn.Module, ABC):
    """A random change of the images that the discriminator sees. A new one is one file with one subclass and one yaml.

    It changes real and generated images, and the generator learns through it, so it is differentiable in the images.
    Each image has its own random numbers, from the default generator of the images' device, which the training seeds
    for each step. Nothing in it waits for the device or depends on a value on the device: a CUDA graph can record it.

    No augmentation mirrors images: shoes point one way in Fashion-MNIST, and a generator would learn mirrored ones.
    """

    is_none: bool = False
    """Whether this is the option ``none``, which the training step skips."""
    reads_signs: bool = False
    """Whether `update` needs logits that are positive for images taken for real."""

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """Changes each image at random.

        Args:
            images: [B, 1, 28, 28] in [-1, 1], background -1.

        Returns:
            Same shape and dtype.
        """

    def update(self, real_logits: Tensor) -> dict[str, Tensor]:
        """Adapts to the discriminator, once at each of its updates.

        Args:
            real_logits: logits of real images, [B], detached.

        Returns:
            Scalars to record, by name.
        """
        return {}

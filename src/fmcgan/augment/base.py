"""What the training step asks of every augmentation."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

BACKGROUND = -1.0
"""The value of an empty pixel: what a shift brings in at the edge and what a hole shows."""


class Augmentation(nn.Module, ABC):
    """A random change of the images that the discriminator sees. A new one is one file with one subclass and one yaml.

    The discriminator sees real and generated images through it, and the generator learns through it. It is therefore
    differentiable in the images. Each image has random numbers of its own, from the default generator of the images'
    device, which the training sets for each step. Nothing in it waits for the device or decides by a value on the
    device, so that a CUDA graph can record it.

    None of them mirrors an image: shoes point one way in Fashion-MNIST, and a generator would learn mirrored ones.
    """

    reads_signs: bool = False
    """Whether `update` needs logits whose sign says what the discriminator takes an image for."""

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """Changes each image at random.

        Args:
            images: [B, 1, 28, 28] in [-1, 1], background -1.

        Returns:
            Same shape and dtype.
        """

    def update(self, real_logits: Tensor) -> dict[str, Tensor]:
        """Learns how the discriminator judges real images; called once at each of its updates.

        Args:
            real_logits: logits of real images, [B], detached.

        Returns:
            What is to be recorded, scalars by name; usually nothing.
        """
        return {}

from abc import ABC, abstractmethod

from torch import Tensor, nn

BACKGROUND = -1.0
"""Value of background pixels, which fill holes and the edges of shifted images."""


class Augmentation(nn.Module, ABC):
    """A random transformation of the discriminator's images. A new one is one file, one subclass, one yaml.

    It is applied to real and generated images, and differentiable, since the generator's gradient passes through it.
    Each image has its own random numbers, from the default generator of its device, which the training seeds at each
    step. It neither synchronises with the device nor depends on a value on it, so that CUDA graphs can record it. No
    augmentation here mirrors images, since mirroring would leak into the samples. One that does takes an argument
    ``flips``, which its yaml sets to ``${dataset.flips}``: mirrored digits and letters are none.
    """

    is_none: bool = False
    """Whether this is the option ``none``, which the training step skips."""
    reads_signs: bool = False
    """Whether `update` needs a loss whose positive logits mean "real"."""

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """Transforms each image at random: [B, C, H, W] in [-1, 1], background -1, to the same shape and dtype."""

    def update(self, real_logits: Tensor) -> dict[str, Tensor]:
        """Adapts to the detached logits [B] of real images, at each discriminator update; returns scalars to log."""
        return {}

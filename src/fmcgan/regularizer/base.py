from abc import ABC, abstractmethod

from torch import Tensor, nn


class Regularizer(nn.Module, ABC):
    """A scalar added to the discriminator's loss at each of its updates. A new one is one file, one class, one yaml.

    Unlike a penalty it uses no gradient with respect to images, and it may have buffers, which checkpoints contain. It
    never synchronises with the device, so that CUDA graphs can record it.
    """

    is_none: bool = False
    """Whether this is the option ``none``, which the training step skips."""

    @abstractmethod
    def forward(
        self,
        discriminator: nn.Module,
        real: Tensor,
        fake: Tensor,
        labels: Tensor,
        real_logits: Tensor,
        fake_logits: Tensor,
    ) -> Tensor:
        """Computes the term, a scalar, already multiplied by its weight.

        Args:
            discriminator: D(images [B, C, H, W], labels [B]) -> logits [B].
            real: real images after augmentation, [B, C, H, W].
            fake: generated images after augmentation, same shape, detached from the generator.
            labels: int64 [B], of real and of generated images.
            real_logits: D(real, labels), [B], with their graph.
            fake_logits: D(fake, labels), [B], with their graph.
        """

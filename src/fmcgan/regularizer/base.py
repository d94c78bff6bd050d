"""What the training step asks of every regulariser of the discriminator."""

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Regularizer(nn.Module, ABC):
    """A scalar added to the discriminator's loss at each of its updates.

    Unlike a penalty it takes no gradient with respect to images, so it need not be measured seldom, and it may
    remember: what it remembers are buffers, which are saved with the checkpoint and stay on the device. Nothing in it
    waits for the device, so that a CUDA graph can record it. A new regulariser is one file with one subclass and one
    yaml.
    """

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
        """Measures the term, already multiplied by its weight.

        Args:
            discriminator: D(images [B, 1, 28, 28], labels [B]) -> logits [B].
            real: real images as the discriminator has just judged them, [B, 1, 28, 28].
            fake: generated images as it has judged them, same shape, detached from the generator.
            labels: int64 [B], of both.
            real_logits: D(real, labels), [B], with their graph.
            fake_logits: D(fake, labels), [B], with their graph.

        Returns:
            A scalar.
        """

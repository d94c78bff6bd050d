import torch
from torch import Tensor, nn
from typing_extensions import override

from fmcgan.app.checks import number, one_of
from fmcgan.app.errors import InvalidValueError
from fmcgan.regularizer.base import Regularizer


class Consistency(Regularizer):
    """Makes the discriminator invariant to an augmentation T, on real images (CR-GAN) or on both kinds (balanced).

    * real: weight * E[(D(x, y) - D(T(x), y))^2]  (Zhang et al. 2020, consistency regularisation)
    * both: that of real + fake_weight * E[(D(G(z, y), y) - D(T(G(z, y)), y))^2]  (Zhao et al. 2020)

    Gradients flow into both logits. The adversarial loss and the generator do not use T, so augmentations cannot leak
    into the samples. With dropout in the discriminator, the two logits differ even for T(x) = x.

    Args:
        augmentation: T, images -> images of the same shape; not `Adaptive`, whose probability is not updated here.
        weight: of real images; both papers use 10.
        fake_weight: of generated images, for ``images="both"``; the paper uses 10.
        images: ``real`` or ``both``.
    """

    def __init__(
        self, augmentation: nn.Module, weight: float = 10.0, fake_weight: float = 10.0, images: str = "real"
    ) -> None:
        super().__init__()
        number(minimum=0, weight=weight, fake_weight=fake_weight)
        one_of(("real", "both"), images=images)
        if getattr(augmentation, "reads_signs", False):
            kind = type(augmentation).__name__
            raise InvalidValueError(f"consistency needs an augmentation that acts from the start, got {kind}")
        self.augmentation, self.images = augmentation, images
        self.weight, self.fake_weight = weight, fake_weight

    @override
    def forward(
        self,
        discriminator: nn.Module,
        real: Tensor,
        fake: Tensor,
        labels: Tensor,
        real_logits: Tensor,
        fake_logits: Tensor,
    ) -> Tensor:
        if self.images == "real":
            return self.weight * _distance(real_logits, discriminator(self.augmentation(real), labels))
        # One forward pass: the discriminator treats the samples of a batch independently.
        images, twice = torch.cat([real, fake]), torch.cat([labels, labels])
        real_again, fake_again = discriminator(self.augmentation(images), twice).chunk(2)
        on_fake = self.fake_weight * _distance(fake_logits, fake_again)
        return self.weight * _distance(real_logits, real_again) + on_fake


def _distance(logits: Tensor, again: Tensor) -> Tensor:
    return (logits.float() - again.float()).square().mean()

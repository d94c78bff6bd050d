import torch
from torch import Tensor
from typing_extensions import override

from fmcgan.app.checks import number
from fmcgan.app.distributed import device_count, mean_over_devices
from fmcgan.augment.base import Augmentation


class Adaptive(Augmentation):
    """Augments each image with a probability p that adapts to overfitting (Karras et al. 2020, ADA, section 3).

    If the discriminator overfits, the mean of sign(D(real)) rises. p starts at 0, grows while that mean is above the
    target and shrinks while it is below. Unlike in the paper, one draw decides for all transformations of an image, and
    p changes at every update, not at every fourth. `ConditionalGAN` rejects losses without a decision boundary, as the
    sign of their logits has no meaning.

    Args:
        augmentation: applied with probability p.
        target: target mean of sign(D(real)); the paper uses 0.6.
        kimg: thousands of real images over which p can go from 0 to 1; the paper uses 500.
    """

    p: Tensor
    reads_signs = True

    def __init__(self, augmentation: Augmentation, target: float = 0.6, kimg: float = 500.0) -> None:
        super().__init__()
        number(minimum=-0.99, maximum=0.99, target=target)  # at -1 p could only rise, at 1 only fall
        number(minimum=0.001, kimg=kimg)
        self.augmentation, self.target, self.kimg = augmentation, target, kimg
        self.register_buffer("p", torch.zeros(()))

    @override
    def forward(self, images: Tensor) -> Tensor:
        chosen = torch.rand(len(images), 1, 1, 1, device=images.device) < self.p
        return torch.where(chosen, self.augmentation(images), images)

    @override
    @torch.no_grad()
    def update(self, real_logits: Tensor) -> dict[str, Tensor]:
        overfitting = mean_over_devices(real_logits.float().sign().mean())
        direction = (overfitting - self.target).sign()
        self.p.add_(direction * (len(real_logits) * device_count() / (1000 * self.kimg))).clamp_(0, 1)
        return {"augmentation/probability": self.p.clone()} | self.augmentation.update(real_logits)

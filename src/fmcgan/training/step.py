"""Training step of a class-conditional GAN, without Lightning."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim import Optimizer

from fmcgan.augment.base import Augmentation
from fmcgan.augment.none import NoAugmentation
from fmcgan.loss.base import AdversarialLoss
from fmcgan.network.base import Discriminator, Generator
from fmcgan.penalty.base import Penalty
from fmcgan.regularizer.base import Regularizer
from fmcgan.regularizer.none import NoRegularizer

Metrics = dict[str, Tensor]


@dataclass(eq=False)
class AdversarialStep:
    """Updates the discriminator and, if requested, the generator.

    Images are generated once: first the discriminator is updated on them, then the generator on the same images,
    through the updated discriminator (Goodfellow et al. 2014, algorithm 1, draws new ones). The step never synchronises
    with the device, nor depends on a value on it; it varies by two booleans only, so that CUDA graphs can record it.
    `ConditionalGAN` describes the fields; `backward` computes the gradients of a loss.
    """

    generator: Generator
    discriminator: Discriminator
    loss: AdversarialLoss
    penalty: Penalty
    generator_optimizer: Optimizer
    discriminator_optimizer: Optimizer
    generator_clip: float | None = None
    discriminator_clip: float | None = None
    augmentation: Augmentation = field(default_factory=NoAugmentation)
    regularizer: Regularizer = field(default_factory=NoRegularizer)
    backward: Callable[[Tensor], None] = Tensor.backward

    def __call__(
        self,
        real: Tensor,
        labels: Tensor,
        latents: Tensor,
        epsilon: Tensor,
        penalty_factor: Tensor | None = None,
        *,
        with_generator: bool = True,
        with_penalty: bool = True,
    ) -> Metrics:
        """Takes one step; returns detached scalars on the device.

        Args:
            real: real images [B, C, H, W] in [-1, 1].
            labels: int64 [B], of the real and of the generated images.
            latents: standard normal [B, Z].
            epsilon: uniform in [0, 1), [B, 1, 1, 1], for the penalty.
            penalty_factor: factor on the penalty, a scalar on the device; ``None`` means 1.
            with_generator: whether to update the generator too.
            with_penalty: whether to add the penalty, multiplied by its interval (lazy regularization, see `Penalty`).
        """
        with torch.set_grad_enabled(with_generator):
            fake = self._augmented(self.generator(latents, labels))
        real = self._augmented(real)
        loss, metrics = self._discriminator_loss(real, fake.detach(), labels, epsilon, penalty_factor, with_penalty)
        norm = self._update(self.discriminator, self.discriminator_optimizer, loss, self.discriminator_clip)
        self.loss.constrain(self.discriminator)
        metrics |= {"loss/discriminator": loss.detach(), "gradient_norm/discriminator": norm}
        if with_generator:
            self.discriminator.requires_grad_(False)
            try:
                loss = self._generator_loss(real, fake, labels)
                norm = self._update(self.generator, self.generator_optimizer, loss, self.generator_clip)
            finally:
                self.discriminator.requires_grad_(True)
            metrics |= {"loss/generator": loss.detach(), "gradient_norm/generator": norm}
        return metrics

    def _augmented(self, images: Tensor) -> Tensor:
        """Augments images, once a step: the loss, the penalty and the generator's gradient all use the result."""
        return images if self.augmentation.is_none else self.augmentation(images)

    def _outputs(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor | None]:
        """Returns logits and, if any, the auxiliary loss of each sample."""
        discriminator = self.discriminator
        method = getattr(discriminator, "logits_and_auxiliary", getattr(discriminator, "judge", None))  # its old name
        return method(images, labels) if method else (discriminator(images, labels), None)

    def _discriminator_loss(
        self, real: Tensor, fake: Tensor, labels: Tensor, epsilon: Tensor, factor: Tensor | None, with_penalty: bool
    ) -> tuple[Tensor, Metrics]:
        """Returns the discriminator's total loss and the scalars to log."""
        real_logits, real_auxiliary = self._outputs(real, labels)
        fake_logits, fake_auxiliary = self._outputs(fake, labels)
        loss = self.loss.discriminator(real_logits, fake_logits)
        metrics = {"loss/adversarial": loss.detach()} | _logit_metrics(real_logits.detach(), fake_logits.detach())
        if real_auxiliary is not None and fake_auxiliary is not None:
            auxiliary = real_auxiliary.mean() + fake_auxiliary.mean()
            loss = loss + auxiliary
            metrics["loss/auxiliary"] = auxiliary.detach()
        if with_penalty:
            penalty = self.penalty(self.discriminator, real, fake, labels, epsilon)
            penalty = penalty if factor is None else factor * penalty
            loss = loss + self.penalty.interval * penalty
            metrics["loss/penalty"] = penalty.detach()
        if self.regularizer.is_none:
            metrics["loss/regularizer"] = real.new_zeros(())
        else:
            term = self.regularizer(self.discriminator, real, fake, labels, real_logits, fake_logits)
            loss = loss + term
            metrics["loss/regularizer"] = term.detach()
        if not self.augmentation.is_none:
            metrics |= self.augmentation.update(real_logits.detach())
        return loss, metrics

    def _generator_loss(self, real: Tensor, fake: Tensor, labels: Tensor) -> Tensor:
        fake_logits, auxiliary = self._outputs(fake, labels)
        real_logits = self.discriminator(real, labels) if self.loss.generator_needs_real else None
        loss = self.loss.generator(real_logits, fake_logits)
        return loss if auxiliary is None else loss + auxiliary.mean()

    def _update(self, network: nn.Module, optimizer: Optimizer, loss: Tensor, max_norm: float | None) -> Tensor:
        """Updates a network; returns the global norm of its gradient, before it is clipped to ``max_norm``."""
        optimizer.zero_grad()
        self.backward(loss)
        norm = get_total_norm([each.grad for each in network.parameters() if each.grad is not None])
        if max_norm is not None:
            clip_grads_with_norm_(network.parameters(), max_norm, norm)
        optimizer.step()
        return norm


def _logit_metrics(real: Tensor, fake: Tensor) -> Metrics:
    return {
        "logit/real": real.mean(),
        "logit/fake": fake.mean(),
        "judged_real/real": (real > 0).float().mean(),
        "judged_real/fake": (fake > 0).float().mean(),
    }

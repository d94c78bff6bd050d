"""The training step of a class-conditional GAN: tensors in, tensors out, and nothing of Lightning."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim import Optimizer

Metrics = dict[str, Tensor]


class AdversarialStep:
    """One discriminator update and, when it is the generator's turn, one generator update.

    Two rules keep it fast on every device, and let it be captured in a CUDA graph (`cuda_graphs.py`):

    - Nothing in it waits for the device or decides by a value on the device; all a step may differ in is two booleans.
    - Generated images are made once: the discriminator learns from them, then the generator from the same ones through
      the updated discriminator (Goodfellow et al. 2014, algorithm 1, draws new ones). The generator does not change in
      between, so its stored activations still hold.

    Args:
        generator: G(latents [B, Z], labels [B]) -> images [B, 1, 28, 28] in [-1, 1].
        discriminator: D(images, labels) -> logits [B].
        loss: an `fmcgan.loss.base.AdversarialLoss`.
        penalty: an `fmcgan.penalty.base.Penalty`.
        generator_optimizer: of the generator's parameters.
        discriminator_optimizer: of the discriminator's parameters.
        generator_clip: largest global gradient norm of the generator; ``None`` does not clip.
        discriminator_clip: the same for the discriminator.
        augmentation: an `fmcgan.augment.base.Augmentation`, which both players' images pass in front of the
            discriminator; ``None`` shows them as they are.
        regularizer: an `fmcgan.regularizer.base.Regularizer`; ``None`` adds nothing.
        backward: loss -> its gradients; Lightning's where several devices share a batch.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        loss: Any,
        penalty: Any,
        generator_optimizer: Optimizer,
        discriminator_optimizer: Optimizer,
        generator_clip: float | None = None,
        discriminator_clip: float | None = None,
        augmentation: Any = None,
        regularizer: Any = None,
        backward: Callable[[Tensor], None] = Tensor.backward,
    ) -> None:
        self.generator = generator
        self.discriminator = discriminator
        self.loss = loss
        self.penalty = penalty
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer
        self.generator_clip = generator_clip
        self.discriminator_clip = discriminator_clip
        self.augmentation = augmentation
        self.regularizer = regularizer
        self.backward = backward

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
        """Takes one step.

        Args:
            real: real images [B, 1, 28, 28] in [-1, 1].
            labels: int64 [B], of the real and of the generated images.
            latents: standard normal [B, Z].
            epsilon: uniform in [0, 1), [B, 1, 1, 1], for penalties between real and generated images.
            penalty_factor: a scalar on the device that the penalty is multiplied by; ``None`` leaves it as it is.
            with_generator: whether the generator is updated too.
            with_penalty: whether this update bears the penalty, `penalty.interval` times as heavy (Karras et al. 2020,
                StyleGAN2, section 3.1, lazy regularisation).

        Returns:
            Detached scalars on the device.
        """
        with torch.set_grad_enabled(with_generator):
            fake = self._augmented(self.generator(latents, labels))
        real = self._augmented(real)
        terms = self._discriminator_terms(real, fake.detach(), labels, epsilon, penalty_factor, with_penalty)
        metrics = self._update_discriminator(*terms)
        if with_generator:
            metrics |= self._update_generator(real, fake, labels)
        return metrics

    def _augmented(self, images: Tensor) -> Tensor:
        """Both players' images, once a step: the generator learns through the change that the discriminator saw.

        Penalties flatten the discriminator where it judges: at the changed images, with respect to these.
        """
        return images if self.augmentation is None else self.augmentation(images)

    def _judge(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor | None]:
        """Logits, and the auxiliary loss of each sample where the discriminator also names the class."""
        judge = getattr(self.discriminator, "judge", None)
        return judge(images, labels) if judge else (self.discriminator(images, labels), None)

    def _discriminator_terms(
        self,
        real: Tensor,
        fake: Tensor,
        labels: Tensor,
        epsilon: Tensor,
        penalty_factor: Tensor | None,
        with_penalty: bool,
    ) -> tuple[Tensor, Metrics]:
        """The discriminator's whole loss, and what to report of it."""
        real_logits, real_auxiliary = self._judge(real, labels)
        fake_logits, fake_auxiliary = self._judge(fake, labels)
        loss = self.loss.discriminator(real_logits, fake_logits)
        metrics = {"loss/adversarial": loss.detach()} | _of_logits(real_logits.detach(), fake_logits.detach())
        if real_auxiliary is not None and fake_auxiliary is not None:
            auxiliary = real_auxiliary.mean() + fake_auxiliary.mean()
            loss = loss + auxiliary
            metrics["loss/auxiliary"] = auxiliary.detach()
        if with_penalty:
            penalty = self.penalty(self.discriminator, real, fake, labels, epsilon)
            penalty = penalty if penalty_factor is None else penalty_factor * penalty
            loss = loss + self.penalty.interval * penalty
            metrics["loss/penalty"] = penalty.detach()
        if self.regularizer is not None:
            term = self.regularizer(self.discriminator, real, fake, labels, real_logits, fake_logits)
            loss = loss + term
            metrics["loss/regularizer"] = term.detach()
        if self.augmentation is not None:
            metrics |= self.augmentation.update(real_logits.detach())
        return loss, metrics

    def _update_discriminator(self, loss: Tensor, metrics: Metrics) -> Metrics:
        self.discriminator_optimizer.zero_grad()
        self.backward(loss)
        norm = _clip(self.discriminator, self.discriminator_clip)
        self.discriminator_optimizer.step()
        self.loss.constrain(self.discriminator)
        return metrics | {"loss/discriminator": loss.detach(), "gradient_norm/discriminator": norm}

    def _update_generator(self, real: Tensor, fake: Tensor, labels: Tensor) -> Metrics:
        with _frozen(self.discriminator):
            fake_logits, auxiliary = self._judge(fake, labels)
            real_logits = self.discriminator(real, labels) if self.loss.generator_needs_real else None
            loss = self.loss.generator(real_logits, fake_logits)
            if auxiliary is not None:
                loss = loss + auxiliary.mean()
            self.generator_optimizer.zero_grad()
            self.backward(loss)
        norm = _clip(self.generator, self.generator_clip)
        self.generator_optimizer.step()
        return {"loss/generator": loss.detach(), "gradient_norm/generator": norm}


def _of_logits(real: Tensor, fake: Tensor) -> Metrics:
    return {
        "logit/real": real.mean(),
        "logit/fake": fake.mean(),
        "judged_real/real": (real > 0).float().mean(),
        "judged_real/fake": (fake > 0).float().mean(),
    }


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """Computes no gradients of the weights, which would only be thrown away."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)


def _clip(network: nn.Module, max_norm: float | None) -> Tensor:
    """Clips the global gradient norm where asked; returns the norm before clipping."""
    parameters = [parameter for parameter in network.parameters() if parameter.grad is not None]
    norm = get_total_norm([parameter.grad for parameter in parameters])  # type: ignore[misc]
    if max_norm is not None:
        clip_grads_with_norm_(parameters, max_norm, norm)
    return norm

"""The training step of a class-conditional GAN, and nothing else."""

from collections.abc import Callable
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim import Optimizer

from fmcgan.checks import number, whole_number
from fmcgan.training.ema import EMA
from fmcgan.training.latent import seed_of

Metrics = dict[str, Tensor]


class ConditionalGAN(LightningModule):
    """Two players, optimised by hand: `n_critic` discriminator updates for each generator update.

    Every batch is one discriminator update; every `n_critic`-th is followed by a generator update. The only clock is
    `images_seen`, the real images shown to the discriminator over all devices. All random numbers of a step follow from
    (seed, images_seen, rank) alone: a resumed run repeats them, and nothing done between two steps can change them.

    Args:
        generator: G(latent [B, Z], labels [B]) -> images [B, 1, 28, 28] in [-1, 1]; has `latent_dim`.
        discriminator: D(images, labels) -> logits [B].
        loss: an `fmcgan.loss.base.AdversarialLoss`.
        penalty: an `fmcgan.penalty.base.Penalty`.
        generator_optimizer: parameters -> optimizer.
        discriminator_optimizer: parameters -> optimizer.
        ema: generator -> its moving average.
        n_critic: discriminator updates for each generator update.
        generator_clip: largest global gradient norm of the generator; ``None`` does not clip.
        discriminator_clip: the same for the discriminator.
        channels_last: lay convolutions out channels last, about a quarter faster on CPUs and tensor cores.
        seed: of the run.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        loss: Any,
        penalty: Callable[..., Tensor],
        generator_optimizer: Callable[..., Optimizer],
        discriminator_optimizer: Callable[..., Optimizer],
        ema: Callable[[nn.Module], EMA],
        n_critic: int = 1,
        generator_clip: float | None = None,
        discriminator_clip: float | None = None,
        channels_last: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__()
        whole_number(n_critic=n_critic)
        whole_number(minimum=0, seed=seed)
        clips = {"generator_clip": generator_clip, "discriminator_clip": discriminator_clip}
        number(minimum=1e-12, **{name: clip for name, clip in clips.items() if clip is not None})
        self.automatic_optimization = False
        layout = torch.channels_last if channels_last else torch.contiguous_format
        self.generator = generator.to(memory_format=layout)  # type: ignore[call-overload]
        self.latent_dim = int(generator.latent_dim)  # type: ignore[arg-type]
        self.discriminator = discriminator.to(memory_format=layout)  # type: ignore[call-overload]
        self.ema = ema(generator)
        self.loss = loss
        self.penalty = penalty
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer
        self.n_critic = n_critic
        self.generator_clip = generator_clip
        self.discriminator_clip = discriminator_clip
        self.seed = seed
        self.images_seen = 0
        self.discriminator_updates = 0

    def configure_optimizers(self) -> list[Optimizer]:
        """Generator first, discriminator second."""
        return [
            self.generator_optimizer(self.generator.parameters()),
            self.discriminator_optimizer(self.discriminator.parameters()),
        ]

    def on_train_start(self) -> None:
        """Lets this run's own learning rates and betas stand after a checkpoint has brought back its own."""
        for optimizer in self.trainer.optimizers:
            for group in optimizer.param_groups:
                group.update(optimizer.defaults)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Metrics:
        """One discriminator update and, every `n_critic`-th time, one generator update.

        Args:
            batch: real images [B, 1, 28, 28] in [-1, 1] and their labels [B]; B is this device's share.
            batch_idx: not used.

        Returns:
            Detached scalars on the device, this device's share of the batch.
        """
        real, labels = batch
        self._seed_this_step()
        metrics = self._update_discriminator(real, labels)
        self.images_seen += len(real) * self.trainer.world_size
        self.discriminator_updates += 1
        if self.discriminator_updates % self.n_critic == 0:
            metrics |= self._update_generator(real, labels)
            images = self.n_critic * len(real) * self.trainer.world_size
            self.ema.update(self.generator, images, self.images_seen)
        return metrics

    def _update_discriminator(self, real: Tensor, labels: Tensor) -> Metrics:
        with torch.no_grad():
            fake = self.generator(self._normal(len(real), self.latent_dim), labels)
        _forget_cast_weights()
        real_logits = self.discriminator(real, labels)
        fake_logits = self.discriminator(fake, labels)
        adversarial = self.loss.discriminator(real_logits, fake_logits)
        penalty = self.penalty(self.discriminator, real, fake, labels, self._uniform(len(real), 1, 1, 1))
        _, optimizer = self.optimizers(use_pl_optimizer=False)  # type: ignore[misc]
        optimizer.zero_grad()
        self.manual_backward(adversarial + penalty)
        gradient_norm = _clip(self.discriminator, self.discriminator_clip)
        # The plain torch optimizer: `global_step` counts LightningOptimizer steps, so it counts generator updates only.
        optimizer.step()
        self.loss.constrain(self.discriminator)
        _forget_cast_weights()
        return {
            "loss/discriminator": (adversarial + penalty).detach(),
            "loss/adversarial": adversarial.detach(),
            "loss/penalty": penalty.detach(),
            "logit/real": real_logits.detach().mean(),
            "logit/fake": fake_logits.detach().mean(),
            "judged_real/real": (real_logits > 0).float().mean(),
            "judged_real/fake": (fake_logits > 0).float().mean(),
            "gradient_norm/discriminator": gradient_norm,
        }

    def _update_generator(self, real: Tensor, labels: Tensor) -> Metrics:
        self.discriminator.requires_grad_(False)  # its weight gradients would be computed and thrown away
        fake = self.generator(self._normal(len(real), self.latent_dim), labels)
        fake_logits = self.discriminator(fake, labels)
        real_logits = self.discriminator(real, labels) if self.loss.generator_needs_real else None
        loss = self.loss.generator(real_logits, fake_logits)
        optimizer, _ = self.optimizers()  # type: ignore[misc, attr-defined]
        optimizer.zero_grad()
        self.manual_backward(loss)
        gradient_norm = _clip(self.generator, self.generator_clip)
        optimizer.step()
        self.discriminator.requires_grad_(True)
        return {"loss/generator": loss.detach(), "gradient_norm/generator": gradient_norm}

    def _seed_this_step(self) -> None:
        torch.manual_seed(seed_of(self.seed, self.images_seen, self.global_rank))  # dropout: its own on each device
        self._shared = torch.Generator(self.device).manual_seed(seed_of(self.seed, self.images_seen))

    def _normal(self, n: int, dim: int) -> Tensor:
        """[n, dim]: this device's rows of what one device would draw for the whole batch."""
        whole = torch.randn(n * self.trainer.world_size, dim, device=self.device, generator=self._shared)
        return whole[self.global_rank * n : (self.global_rank + 1) * n]

    def _uniform(self, n: int, *shape: int) -> Tensor:
        """[n, ...] in [0, 1): this device's rows of what one device would draw for the whole batch."""
        whole = torch.rand(n * self.trainer.world_size, *shape, device=self.device, generator=self._shared)
        return whole[self.global_rank * n : (self.global_rank + 1) * n]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds the clock."""
        checkpoint["images_seen"] = self.images_seen
        checkpoint["discriminator_updates"] = self.discriminator_updates

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restores the clock."""
        self.images_seen = checkpoint["images_seen"]
        self.discriminator_updates = checkpoint["discriminator_updates"]


def _forget_cast_weights() -> None:
    """Lets mixed precision cast the weights again.

    Lightning runs the whole step in one autocast region, which keeps its low-precision copies of the weights until the
    end: without this the generator update would see the discriminator of before its update, and a generator whose
    copies were made under `no_grad` and so receive no gradient.
    """
    torch.clear_autocast_cache()


def _clip(network: nn.Module, max_norm: float | None) -> Tensor:
    """Clips the global gradient norm where asked; returns the norm before clipping."""
    parameters = [parameter for parameter in network.parameters() if parameter.grad is not None]
    norm = get_total_norm([parameter.grad for parameter in parameters])  # type: ignore[misc]
    if max_norm is not None:
        clip_grads_with_norm_(parameters, max_norm, norm)
    return norm

"""What Lightning trains: both players, their clock, their random numbers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer

from fmcgan.app.checks import positive_number, seed_number, whole_number
from fmcgan.app.errors import InvalidValueError
from fmcgan.training.checkpoint_format import CHECKPOINT_FORMAT
from fmcgan.training.cuda_graphs import CapturedStep, cuda_graph
from fmcgan.training.ema import EMA
from fmcgan.training.latent import latent_dim_of, seed_of
from fmcgan.training.optimizers import validate_optimizer
from fmcgan.training.schedules import Schedules
from fmcgan.training.step import AdversarialStep, Metrics


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
        schedules: what changes with the images seen; ``None``: nothing.
        augmentation: an `fmcgan.augment.base.Augmentation` in front of the discriminator; ``None``: none.
        regularizer: an `fmcgan.regularizer.base.Regularizer` of the discriminator; ``None``: none.
        n_critic: discriminator updates for each generator update.
        generator_clip: largest global gradient norm of the generator; ``None`` does not clip.
        discriminator_clip: the same for the discriminator.
        channels_last: lay convolutions out channels last, about a quarter faster on CPUs and tensor cores.
        cuda_graphs: on a GPU, replay the step as CUDA graphs (`CapturedStep`).
        seed: of the run.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        loss: Any,
        penalty: Any,
        generator_optimizer: Callable[..., Optimizer],
        discriminator_optimizer: Callable[..., Optimizer],
        ema: Callable[[nn.Module], EMA],
        schedules: Schedules | None = None,
        augmentation: nn.Module | None = None,
        regularizer: nn.Module | None = None,
        n_critic: int = 1,
        generator_clip: float | None = None,
        discriminator_clip: float | None = None,
        channels_last: bool = True,
        cuda_graphs: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim_of(generator)
        whole_number(n_critic=n_critic)
        seed_number(seed=seed)
        clips = {"generator_clip": generator_clip, "discriminator_clip": discriminator_clip}
        positive_number(**{name: clip for name, clip in clips.items() if clip is not None})
        if getattr(augmentation, "reads_signs", False) and not loss.has_decision_boundary:
            kinds = f"{type(augmentation).__name__} with {type(loss).__name__}"
            raise InvalidValueError(f"this augmentation follows the sign of logits, which here means nothing: {kinds}")
        loss.check_discriminator(discriminator, penalty.penalizes)
        self.schedules = schedules or Schedules()
        optimizers = {"generator_optimizer": generator_optimizer, "discriminator_optimizer": discriminator_optimizer}
        self.schedules.check_optimizers([validate_optimizer(name, make) for name, make in optimizers.items()])
        self.automatic_optimization = False
        layout = torch.channels_last if channels_last else torch.contiguous_format
        self.generator = generator.to(memory_format=layout)  # type: ignore[call-overload]
        self.discriminator = discriminator.to(memory_format=layout)  # type: ignore[call-overload]
        self.ema = ema(generator)
        self.schedules.tell_of_idle(penalty.penalizes, self.ema.half_life > 0)
        self.augmentation = augmentation
        self.regularizer = regularizer
        self.loss = loss
        self.penalty = penalty
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer
        self.n_critic = n_critic
        self.generator_clip = generator_clip
        self.discriminator_clip = discriminator_clip
        self.cuda_graphs = cuda_graphs
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
        """Lets this run's own learning rates and betas stand after a checkpoint has brought back its own.

        Where they are scheduled, each step sets them anew.
        """
        for optimizer in self.trainer.optimizers:
            for group in optimizer.param_groups:
                group.update(optimizer.defaults)
        epochs, data = self.trainer.max_epochs, self.trainer.datamodule  # type: ignore[attr-defined]
        batches = None if data is None or not epochs or epochs < 0 else int(epochs * self.trainer.num_training_batches)
        self.set_total_batches(batches, getattr(data, "batch_size", None))
        self._step = self._build_step()

    def set_total_batches(self, batches: int | None, batch_size: int | None) -> None:
        """Fits schedules to the length of the run: batches in all (``None``: nobody knows), and images in each.

        Raises:
            InvalidValueError: there are too few, or no end that a schedule needs.
        """
        if batches is not None and batches < self.n_critic:
            raise InvalidValueError(
                f"n_critic={self.n_critic}: the generator would never learn, for this run has {batches} batches in all;"
                " choose fewer, or a longer run (trainer.max_epochs, trainer.limit_train_batches)"
            )
        if batch_size == 1 and any(isinstance(module, nn.BatchNorm1d) for module in self.generator.modules()):
            raise InvalidValueError("data.batch_size=1: this generator normalises over the batch, it needs at least 2")
        self.schedules.set_total_images(None if batches is None or batch_size is None else batches * batch_size)

    def _build_step(self) -> Callable[..., Metrics]:
        generator_optimizer, discriminator_optimizer = self.trainer.optimizers
        step = AdversarialStep(
            self.generator,
            self.discriminator,
            self.loss,
            self.penalty,
            generator_optimizer,
            discriminator_optimizer,
            self.generator_clip,
            self.discriminator_clip,
            self.augmentation,
            self.regularizer,
            backward=self.manual_backward,
        )
        # Before torch 2.15 a capture that failed left the device in a state in which nothing could go on.
        possible = self.device.type == "cuda" and self.trainer.world_size == 1 and torch.__version__ >= "2.15"
        if not (self.cuda_graphs and possible):
            return step
        return CapturedStep(step, cuda_graph, self.schedules.moving_rates(self.trainer.optimizers))

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Metrics:
        """One discriminator update and, every `n_critic`-th time, one generator update.

        Args:
            batch: real images [B, 1, 28, 28] in [-1, 1] and their labels [B]; B is this device's share.
            batch_idx: not used.

        Returns:
            Detached scalars on the device, this device's share of the batch.
        """
        real, labels = batch
        latents, epsilon = self._draw(len(real))
        images = len(real) * self.trainer.world_size
        with_penalty = self.discriminator_updates % self.penalty.interval == 0
        self.schedules.set_rates(self.trainer.optimizers, self.images_seen)
        penalty_factor = self.schedules.penalty_factor(self.images_seen, self.device)
        half_life_factor = self.schedules.half_life_factor(self.images_seen)
        self.images_seen += images
        self.discriminator_updates += 1
        with_generator = self.discriminator_updates % self.n_critic == 0
        turn = {"with_generator": with_generator, "with_penalty": with_penalty}
        with tensor_cores() if self.device.type == "cuda" else nullcontext():
            metrics = self._step(real, labels, latents, epsilon, penalty_factor, **turn)
        if with_generator:
            self.ema.update(self.generator, self.n_critic * images, self.images_seen, half_life_factor)
            self._count_generator_update()
        return metrics

    def _count_generator_update(self) -> None:
        """Makes `trainer.global_step` the number of generator updates; Lightning itself would count both players'."""
        progress = self.trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress
        progress.increment_ready()
        progress.increment_completed()

    def _draw(self, n: int) -> tuple[Tensor, Tensor]:
        """Latents [n, Z] and epsilon [n, 1, 1, 1] of this step: this device's rows of what one device would draw."""
        seed_device(self.device, seed_of(self.seed, self.images_seen, 1 + self.global_rank))  # dropout: its own
        shared = torch.Generator(self.device).manual_seed(seed_of(self.seed, self.images_seen))
        whole, mine = n * self.trainer.world_size, slice(self.global_rank * n, (self.global_rank + 1) * n)
        latents = torch.randn(whole, self.latent_dim, device=self.device, generator=shared)
        epsilon = torch.rand(whole, 1, 1, 1, device=self.device, generator=shared)
        return latents[mine], epsilon[mine]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds the clock, and how the networks count their vectors."""
        checkpoint["format"] = CHECKPOINT_FORMAT
        checkpoint["images_seen"] = self.images_seen
        checkpoint["discriminator_updates"] = self.discriminator_updates

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restores the clock."""
        self.images_seen = checkpoint["images_seen"]
        self.discriminator_updates = checkpoint["discriminator_updates"]


@contextmanager
def tensor_cores() -> Iterator[None]:
    """Matrix products in TF32 where the precision is fp32; scores, measured outside, keep full fp32."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def seed_device(device: torch.device, seed: int) -> None:
    """Seeds the random numbers of one device, for dropout.

    `torch.manual_seed` would seed every kind of accelerator, also those that are not there: a millisecond each time,
    and a stack trace kept for each.
    """
    place = torch.default_generator if device.type == "cpu" else getattr(torch, device.type)  # the present device
    place.manual_seed(seed)

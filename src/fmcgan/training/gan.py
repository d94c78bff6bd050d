import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.strategies import SingleDeviceStrategy
from torch import Tensor, nn
from torch.optim import Optimizer

from fmcgan.app.checks import positive_number, seed_number, whole_number
from fmcgan.app.errors import InvalidValueError
from fmcgan.augment.base import Augmentation
from fmcgan.layer.fused import Fused, check_fused, set_fused
from fmcgan.loss.base import AdversarialLoss
from fmcgan.network.base import Discriminator, Generator
from fmcgan.penalty.base import Penalty
from fmcgan.regularizer.base import Regularizer
from fmcgan.training.checkpoint_file import CHECKPOINT_FORMAT, Checkpoint
from fmcgan.training.cuda_graphs import CapturedStep, CudaGraphs
from fmcgan.training.ema import EMA
from fmcgan.training.latent import latent_dim_of, seed_of
from fmcgan.training.schedules import Schedules
from fmcgan.training.step import AdversarialStep, Metrics

log = logging.getLogger(__name__)


class ConditionalGAN(LightningModule):
    """LightningModule for conditional GANs with manual optimization.

    Every batch updates the discriminator; every `n_critic`-th batch then updates the generator. The only clock is
    `images_seen`, the real images shown to the discriminator over all devices. All random numbers of a step follow from
    (seed, images_seen, rank), also in a resumed run.

    Args:
        generator: any module with `latent_dim` and the call of an `fmcgan.network.base.Generator`.
        augmentation: applied to real and generated images before the discriminator.
        generator_optimizer: builds the generator's optimizer from its parameters.
        discriminator_optimizer: builds the discriminator's.
        ema: builds the moving average of a generator.
        n_critic: discriminator updates for each generator update.
        generator_clip: largest global gradient norm of the generator; ``None``: no clipping.
        discriminator_clip: the same for the discriminator.
        channels_last: uses the channels-last memory format, about a quarter faster on CPUs and tensor cores.
        cuda_graphs: replays the step as CUDA graphs on a GPU (`CapturedStep`).
        fused: normalises by a fused function on a CPU (`fmcgan.layer.fused`); ``"auto"``: where it can be compiled.
    """

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        loss: AdversarialLoss,
        penalty: Penalty,
        augmentation: Augmentation,
        regularizer: Regularizer,
        generator_optimizer: Callable[..., Optimizer],
        discriminator_optimizer: Callable[..., Optimizer],
        ema: Callable[[Generator], EMA],
        schedules: Schedules,
        n_critic: int = 1,
        generator_clip: float | None = None,
        discriminator_clip: float | None = None,
        channels_last: bool = True,
        cuda_graphs: bool = True,
        fused: Fused = "auto",
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim_of(generator)
        whole_number(n_critic=n_critic)
        seed_number(seed=seed)
        check_fused(fused)
        clips = {"generator_clip": generator_clip, "discriminator_clip": discriminator_clip}
        positive_number(**{name: clip for name, clip in clips.items() if clip is not None})
        if augmentation.reads_signs and not loss.has_decision_boundary:
            raise InvalidValueError(
                f"{type(augmentation).__name__} follows the sign of logits, which has no meaning with "
                f"{type(loss).__name__}: choose another augment= or loss="
            )
        loss.check_discriminator(discriminator, not penalty.is_none)
        self.schedules = schedules
        optimizers = {"generator_optimizer": generator_optimizer, "discriminator_optimizer": discriminator_optimizer}
        schedules.check_optimizers([_validate_optimizer(name, make) for name, make in optimizers.items()])
        self.automatic_optimization = False
        layout = torch.channels_last if channels_last else torch.contiguous_format
        self.generator, self.discriminator = generator, discriminator
        for network in (generator, discriminator):
            network.to(memory_format=layout)  # type: ignore[call-overload]  # in place; torch's annotations lack it
        self.ema = ema(generator)
        schedules.warn_unused(not penalty.is_none, self.ema.half_life > 0)
        self.augmentation, self.regularizer = augmentation, regularizer
        self.loss, self.penalty = loss, penalty
        self.generator_optimizer, self.discriminator_optimizer = generator_optimizer, discriminator_optimizer
        self.generator_clip, self.discriminator_clip = generator_clip, discriminator_clip
        self.n_critic, self.cuda_graphs, self.fused, self.seed = n_critic, cuda_graphs, fused, seed
        self.images_seen = self.discriminator_updates = 0

    def configure_optimizers(self) -> list[Optimizer]:
        """Returns the generator's optimizer, then the discriminator's."""
        generator, discriminator = self.generator.parameters(), self.discriminator.parameters()
        return [self.generator_optimizer(generator), self.discriminator_optimizer(discriminator)]

    def on_train_start(self) -> None:
        """Restores the configured learning rates and betas, which a loaded checkpoint has replaced by its own."""
        for optimizer in self.trainer.optimizers:
            for group in optimizer.param_groups:
                group.update(optimizer.defaults)
        epochs, data = self.trainer.max_epochs, getattr(self.trainer, "datamodule", None)
        batches = None if data is None or not epochs or epochs < 0 else int(epochs * self.trainer.num_training_batches)
        self.set_total_batches(batches, getattr(data, "batch_size", None))
        self._step = self._build_step()

    def set_total_batches(self, batches: int | None, batch_size: int | None) -> None:
        """Fits the schedules to the length of the run.

        Args:
            batches: of the whole run; ``None`` if unknown.
            batch_size: images in each, over all devices; ``None`` if unknown.

        Raises:
            InvalidValueError: the run is too short, a batch too small, or a schedule needs an end that is unknown.
        """
        if batches is not None and batches < self.n_critic:
            raise InvalidValueError(
                f"n_critic={self.n_critic} exceeds the {batches} batches of this run: the generator would never be"
                " updated; choose a smaller n_critic or a longer run (trainer.max_epochs, trainer.limit_train_batches)"
            )
        if batch_size == 1 and any(isinstance(module, nn.BatchNorm1d) for module in self.generator.modules()):
            raise InvalidValueError("data.batch_size=1 must be at least 2 for a generator with batch normalisation")
        self.schedules.set_total_images(None if batches is None or batch_size is None else batches * batch_size)

    @property
    def cycle(self) -> int:
        """Number of steps after which their kinds repeat: with or without the penalty, with or without a generator."""
        return math.lcm(self.penalty.interval, self.n_critic)

    def adversarial_step(
        self, optimizers: list[Optimizer], backward: Callable[[Tensor], None] = Tensor.backward
    ) -> AdversarialStep:
        """Builds the training step for the optimizers of `configure_optimizers`."""
        generator_optimizer, discriminator_optimizer = optimizers
        set_fused(self.generator, self.fused, self.device)
        return AdversarialStep(
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
            backward,
        )

    def _build_step(self) -> Callable[..., Metrics]:
        step = self.adversarial_step(self.trainer.optimizers, self.manual_backward)
        if (reason := self._obstacle()) is None:
            return CapturedStep(step, CudaGraphs(), self.schedules.moving_rates(self.trainer.optimizers))
        if self.device.type != "cpu" and self.trainer.is_global_zero:
            log.info("CUDA graphs: no (%s)", reason)
        return step

    def _obstacle(self) -> str | None:
        """Returns why the step is not captured in CUDA graphs; ``None`` if it is."""
        if self.device.type != "cuda":
            return f"the device is {self.device.type}"
        if not self.cuda_graphs:
            return "training.cuda_graphs=false"
        if not isinstance(strategy := self.trainer.strategy, SingleDeviceStrategy):  # others wrap the networks
            return f"{type(strategy).__name__} exchanges gradients within the step"
        return None

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Metrics:
        """Updates the discriminator and, every `n_critic`-th time, the generator.

        The batch is this device's share: real images [B, C, H, W] in [-1, 1] and labels [B]. Returns detached scalars
        on the device, measured on this share.
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
        decisions = {"with_generator": with_generator, "with_penalty": with_penalty}
        with allow_tf32() if self.device.type == "cuda" else nullcontext():
            metrics = self._step(real, labels, latents, epsilon, penalty_factor, **decisions)
        if with_generator:
            self.ema.update(self.generator, self.n_critic * images, self.images_seen, half_life_factor)
            # trainer.global_step counts generator updates; Lightning would count the steps of both optimizers.
            progress = self.trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress
            progress.increment_ready()
            progress.increment_completed()
        return metrics

    def _draw(self, n: int) -> tuple[Tensor, Tensor]:
        """Draws latents [n, Z] and epsilon [n, 1, 1, 1]: this device's slice of those of the global batch."""
        _seed_device(self.device, seed_of(self.seed, self.images_seen, 1 + self.global_rank))  # dropout, by device
        shared = torch.Generator(self.device).manual_seed(seed_of(self.seed, self.images_seen))
        whole, mine = n * self.trainer.world_size, slice(self.global_rank * n, (self.global_rank + 1) * n)
        latents = torch.randn(whole, self.latent_dim, device=self.device, generator=shared)
        epsilon = torch.rand(whole, 1, 1, 1, device=self.device, generator=shared)
        return latents[mine], epsilon[mine]

    def on_save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Adds the clock and the number of the checkpoint format."""
        counts = {"images_seen": self.images_seen, "discriminator_updates": self.discriminator_updates}
        checkpoint |= {"format": CHECKPOINT_FORMAT, **counts}

    def on_load_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Restores the clock."""
        self.images_seen = checkpoint["images_seen"]
        self.discriminator_updates = checkpoint["discriminator_updates"]


def _validate_optimizer(name: str, make: Callable[..., Optimizer]) -> Optimizer:
    """Builds an optimizer of a scalar parameter, to check its values when the GAN is built."""
    try:
        optimizer = make([nn.Parameter(torch.zeros(()))])
    except ValueError as error:
        raise InvalidValueError(f"{name}: {error}", name) from error
    except TypeError as error:
        if "unexpected keyword" not in str(error):
            raise  # a value of the wrong type, which another check explains better
        how = f"~training.{name}.KEY removes a value that an experiment sets"
        raise InvalidValueError(f"{name}: {error}; {how}", name) from error
    positive_number(**{f"{name}.lr": optimizer.defaults["lr"]})  # with 0 nothing would be learnt
    return optimizer


@contextmanager
def allow_tf32() -> Iterator[None]:
    """Computes float32 matrix products in TF32; metrics are computed outside, in full float32."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _seed_device(device: torch.device, seed: int) -> None:
    """Seeds one device; `torch.manual_seed` would seed every kind of accelerator, which takes a millisecond."""
    module = torch.default_generator if device.type == "cpu" else getattr(torch, device.type)  # the current device
    module.manual_seed(seed)

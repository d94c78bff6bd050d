"""The training step of this project in a for loop, without Lightning, callbacks and logging."""

import itertools
from collections.abc import Callable

import torch

from fmcgan.data.batches import ImageBatches, ShuffledBatches
from fmcgan.data.datamodule import ImageSplits
from fmcgan.training.cuda_graphs import CapturedStep, cuda_graph
from fmcgan.training.gan import ConditionalGAN
from fmcgan.training.step import AdversarialStep, Metrics


class BareLoop:
    """Trains a GAN's networks step by step; both networks are updated at every batch.

    Args:
        gan: a `ConditionalGAN` on the device.
        images: the data set on the same device.
        batch_size: images in a batch.
        precision: ``"32-true"`` or ``"bf16-mixed"``.
        cuda_graphs: on a GPU, replay CUDA graphs.
    """

    def __init__(
        self, gan: ConditionalGAN, images: ImageSplits, batch_size: int, precision: str, cuda_graphs: bool = True
    ) -> None:
        self.gan = gan
        self.batch_size = batch_size
        self.mixed = precision == "bf16-mixed"
        self.updates = 0
        generator_optimizer, discriminator_optimizer = gan.configure_optimizers()
        plain = AdversarialStep(
            gan.generator, gan.discriminator, gan.loss, gan.penalty, generator_optimizer, discriminator_optimizer
        )
        self.adversarial_step: Callable[..., Metrics] = plain
        if cuda_graphs and gan.device.type == "cuda":
            torch.set_float32_matmul_precision("high")  # TF32, as in training
            self.adversarial_step = CapturedStep(plain, cuda_graph)
        self.data = ImageBatches(images.train_images, images.train_labels)
        order = ShuffledBatches(len(self.data), batch_size, seed=0, device=gan.device)
        self.indices = itertools.chain.from_iterable(itertools.repeat(order))

    def run(self, steps: int) -> None:
        """Runs several steps."""
        for _ in range(steps):
            self.step()

    def step(self) -> Metrics:
        """Updates discriminator, generator and moving average once."""
        gan, n = self.gan, self.batch_size
        real, labels = self.data[next(self.indices)]
        latents = torch.randn(n, gan.latent_dim, device=gan.device)
        epsilon = torch.rand(n, 1, 1, 1, device=gan.device)
        with_penalty = self.updates % gan.penalty.interval == 0
        self.updates += 1
        with torch.autocast(gan.device.type, torch.bfloat16, enabled=self.mixed):
            metrics = self.adversarial_step(
                real, labels, latents, epsilon, with_generator=True, with_penalty=with_penalty
            )
        gan.ema.update(gan.generator, n, self.updates * n)
        return metrics

"""The training step of this project in a for loop, without Lightning, callbacks, schedules and logging."""

import itertools
from collections.abc import Callable
from contextlib import nullcontext

import torch

from fmcgan.data.batches import ImageBatches, ShuffledBatches
from fmcgan.data.datamodule import ImageSplits
from fmcgan.training.cuda_graphs import CapturedStep, CudaGraphs, Record
from fmcgan.training.gan import ConditionalGAN, allow_tf32
from fmcgan.training.step import AdversarialStep, Metrics


class BareLoop:
    """Trains a GAN's networks step by step, with the same computations as the Trainer.

    Args:
        gan: a `ConditionalGAN` on the device.
        images: the data set on the same device.
        batch_size: images in a batch.
        precision: ``"32-true"`` or ``"bf16-mixed"``.
        recorder: makes the function that records the step, see `CapturedStep`; ``None``: CUDA graphs on a GPU, if the
            GAN uses them.
        eager: records nothing.
    """

    def __init__(
        self,
        gan: ConditionalGAN,
        images: ImageSplits,
        batch_size: int,
        precision: str,
        recorder: Callable[[AdversarialStep], Record] | None = None,
        eager: bool = False,
    ) -> None:
        self.gan = gan
        self.batch_size = batch_size
        self.mixed = precision == "bf16-mixed"
        self.updates = 0
        plain = gan.adversarial_step(gan.configure_optimizers())
        self.adversarial_step: Callable[..., Metrics] = plain
        if recorder is None and gan.cuda_graphs and gan.device.type == "cuda":
            recorder = lambda step: CudaGraphs()  # noqa: E731
        if recorder is not None and not eager:
            self.adversarial_step = CapturedStep(plain, recorder(plain))
        self.data = ImageBatches(images.train_images, images.train_labels)
        order = ShuffledBatches(len(self.data), batch_size, seed=0, device=gan.device)
        self.indices = itertools.chain.from_iterable(itertools.repeat(order))

    def run(self, steps: int) -> None:
        """Runs several steps."""
        for _ in range(steps):
            self.step()

    def step(self) -> Metrics:
        """Updates the discriminator and, if it is its turn, the generator and its moving average."""
        gan, n = self.gan, self.batch_size
        real, labels = self.data[next(self.indices)]
        latents = torch.randn(n, gan.latent_dim, device=gan.device)
        epsilon = torch.rand(n, 1, 1, 1, device=gan.device)
        with_penalty = self.updates % gan.penalty.interval == 0
        self.updates += 1
        decisions = {"with_generator": self.updates % gan.n_critic == 0, "with_penalty": with_penalty}
        tf32 = allow_tf32() if gan.device.type == "cuda" else nullcontext()
        with tf32, torch.autocast(gan.device.type, torch.bfloat16, enabled=self.mixed):
            metrics = self.adversarial_step(real, labels, latents, epsilon, **decisions)
        if decisions["with_generator"]:
            gan.ema.update(gan.generator, gan.n_critic * n, self.updates * n)
        return metrics

"""The training loop of typical public GAN projects, as a baseline for the speed of this project.

Network, loss, penalty and batch come from the configuration. The rest is typical: fp32, contiguous feature maps,
per-image torchvision transforms and a DataLoader, two batches of fakes per step, discriminator gradients in the
generator update, plain Adam, the penalty at every update, and both losses read at each step.
"""

import copy
import itertools
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from fmcgan.layer.layout import ToMap, ToVector
from fmcgan.training.gan import ConditionalGAN


class PerImageData(Dataset[tuple[Tensor, int]]):
    """A data set that applies torchvision's transforms to each image (uint8 [N, C, H, W])."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images = images.cpu()
        self.labels = labels.tolist()
        self.transform = transforms.Compose(
            [transforms.ToPILImage(), transforms.ToTensor(), transforms.Normalize(0.5, 0.5)]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Returns an image, float32 [C, H, W] in [-1, 1], and its label."""
        return self.transform(self.images[index]), self.labels[index]


class OrdinaryLoop:
    """Trains a copy of a GAN's networks with the typical loop, on images uint8 [N, C, H, W] and labels int64 [N]."""

    def __init__(self, gan: ConditionalGAN, images: Tensor, labels: Tensor, batch_size: int) -> None:
        self.device = gan.device
        self.latent_dim = gan.latent_dim
        self.loss = gan.loss
        self.penalty = gan.penalty
        self.generator = contiguous(gan.generator).train()
        self.discriminator = contiguous(gan.discriminator).train()
        settings = [optimizer.defaults for optimizer in gan.configure_optimizers()]
        networks = (self.generator, self.discriminator)
        self.generator_optimizer, self.discriminator_optimizer = (
            torch.optim.Adam(network.parameters(), lr=each["lr"], betas=each["betas"])
            for network, each in zip(networks, settings, strict=True)
        )
        loader = DataLoader(PerImageData(images, labels), batch_size, shuffle=True, drop_last=True)
        self.batches: Iterator[list[Tensor]] = itertools.chain.from_iterable(itertools.repeat(loader))

    def run(self, steps: int) -> None:
        """Runs several steps."""
        for _ in range(steps):
            real, labels = next(self.batches)
            self.step(real.to(self.device), labels.to(self.device))

    def step(self, real: Tensor, labels: Tensor) -> tuple[float, float]:
        """Updates discriminator and generator once and returns their losses. Images are [B, C, H, W] in [-1, 1]."""
        self.discriminator_optimizer.zero_grad()
        fake = self.generator(self._latents(len(real)), labels).detach()
        epsilon = torch.rand(len(real), 1, 1, 1, device=self.device)
        discriminator_loss = self.loss.discriminator(self.discriminator(real, labels), self.discriminator(fake, labels))
        discriminator_loss = discriminator_loss + self.penalty(self.discriminator, real, fake, labels, epsilon)
        discriminator_loss.backward()
        self.discriminator_optimizer.step()

        self.generator_optimizer.zero_grad()
        fake = self.generator(self._latents(len(real)), labels)
        generator_loss = self.loss.generator(None, self.discriminator(fake, labels))
        generator_loss.backward()
        self.generator_optimizer.step()
        return discriminator_loss.item(), generator_loss.item()

    def _latents(self, n: int) -> Tensor:
        return torch.randn(n, self.latent_dim, device=self.device)


def contiguous(network: nn.Module) -> nn.Module:
    """Copies a network to contiguous memory format, with `nn.Unflatten` and `nn.Flatten` between vectors and maps.

    This changes the order of a vector's elements, which does not matter for random weights.
    """
    network = copy.deepcopy(network).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if isinstance(child, ToMap):
                height, width, channels = child.shape
                setattr(parent, name, nn.Unflatten(1, (channels, height, width)))
            elif isinstance(child, ToVector):
                setattr(parent, name, nn.Flatten())
    return network

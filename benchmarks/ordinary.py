"""The training loop that public GAN projects have, written out: what this project's loop is measured against.

The network, loss, penalty and batch are those of the configuration. The rest is as usual: fp32, contiguous maps, images
through per-image torchvision transforms and a DataLoader, fakes drawn twice, a discriminator that also gathers
gradients while the generator learns, plain Adam, the penalty at every update, both losses read at each step.
"""

import copy
import itertools
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from fmcgan.layer.layout import ToMap, ToVector


class PerImageData(Dataset[tuple[Tensor, int]]):
    """Images that go one by one through torchvision's transforms.

    Args:
        images: uint8 [N, 1, 28, 28].
        labels: int64 [N].
    """

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images = images.cpu()
        self.labels = labels.tolist()
        self.transform = transforms.Compose(
            [transforms.ToPILImage(), transforms.ToTensor(), transforms.Normalize(0.5, 0.5)]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Image float32 [1, 28, 28] in [-1, 1] and its label."""
        return self.transform(self.images[index]), self.labels[index]


class OrdinaryLoop:
    """Trains a copy of a GAN's networks the ordinary way.

    Args:
        gan: a `ConditionalGAN`; its networks, loss, penalty and optimizers' settings are taken over.
        images: uint8 [N, 1, 28, 28].
        labels: int64 [N].
        batch_size: images in a batch.
    """

    def __init__(self, gan: Any, images: Tensor, labels: Tensor, batch_size: int) -> None:
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
        self.batches: Iterator[Any] = itertools.chain.from_iterable(itertools.repeat(loader))

    def run(self, steps: int) -> None:
        """Takes several steps."""
        for _ in range(steps):
            real, labels = next(self.batches)
            self.step(real.to(self.device), labels.to(self.device))

    def step(self, real: Tensor, labels: Tensor) -> tuple[float, float]:
        """One update of each player.

        Args:
            real: [B, 1, 28, 28] in [-1, 1].
            labels: int64 [B].

        Returns:
            The losses of discriminator and generator.
        """
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
    """A copy in the ordinary memory order: maps and vectors cross as `nn.Unflatten` and `nn.Flatten` do it.

    Another order of a vector's elements: as good at random weights, of no use for trained ones.
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

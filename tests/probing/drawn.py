"""A small world with known answers: bars whose height is the class, and whose brightness is the style."""

import torch
from torch import Tensor, nn

from fmcgan.data.info import DatasetInfo
from fmcgan.metric.image_set import ImageSet, RealImages
from fmcgan.probing.classifier import Classifier
from fmcgan.probing.measurement import Measured, measure
from fmcgan.probing.subject import Effort
from fmcgan.training.sampling import render

INFO = DatasetInfo("bars", ("low", "middle", "high"), size=16, flips=False)
HEIGHTS = torch.tensor([3, 7, 11])
SMALL = Effort(bins=4, directions=1, latents_per_class=30, latents=60, flips_per_class=4, steps=60, generations=40)


class Bars(nn.Module):
    """Draws a bar of the height of the class; the first two dimensions are its brightness and its width."""

    latent_dim = 4

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        rows, columns = torch.arange(16.0)[:, None], torch.arange(16.0)[None]
        self.register_buffer("rows", rows)
        self.register_buffer("columns", columns)

    def forward(self, latent: Tensor, labels: Tensor) -> Tensor:
        heights = HEIGHTS.to(latent.device)[labels].float()[:, None, None]
        half = (3 + 1.5 * latent[:, 1].clamp(-1.5, 1.5))[:, None, None]
        inside = torch.sigmoid(4 * (heights + 0.5 - self.rows)) * torch.sigmoid(4 * (half - (self.columns - 7.5).abs()))
        level = (0.55 + 0.2 * latent[:, 0].clamp(-2, 2))[:, None, None]
        return (2 * level * inside - 1)[:, None] * self.weight


def bars(n_per_class: int, seed: int) -> ImageSet:
    labels = torch.arange(3).repeat_interleave(n_per_class)
    latents = torch.randn(len(labels), 4, generator=torch.Generator().manual_seed(seed))
    return ImageSet(render(Bars(), latents, labels), labels, INFO)


class Shape(nn.Module):
    """Reads the height of the bar: the share of the brightest grey of each row, whatever its brightness."""

    def forward(self, images: Tensor) -> Tensor:
        rows = ((images + 1) / 2).amax(dim=(1, 3))
        height = (rows / rows.amax(dim=1, keepdim=True).clamp(min=1e-6)).sum(dim=1)
        return -((height[:, None] - (HEIGHTS.float() + 1)) ** 2)


class Brightness(nn.Module):
    """Reads the level of the brightest pixel: dark is low, bright is high."""

    def forward(self, images: Tensor) -> Tensor:
        level = ((images + 1) / 2).amax(dim=(1, 2, 3))
        return -((level[:, None] - torch.tensor([0.4, 0.55, 0.7])) ** 2) / 0.01


def noise(array):
    """Reads a number that hardly anything but chance decides, on NumPy arrays."""
    import numpy as np

    weights = np.arange(1, array[0].size + 1) ** 2 % 7919
    codes = (np.abs(array.reshape(len(array), -1) @ weights) * 997).astype(np.int64) % 3
    return 3 * np.eye(3, dtype=np.float32)[codes]


def reader(network: nn.Module, name: str = "planted") -> Classifier:
    return Classifier(name, lambda images: network(images).log_softmax(dim=1), True, torch.device("cpu"))


def probed(model: Classifier, generator: nn.Module | None = None) -> Measured:
    real = RealImages(bars(200, 1), bars(200, 2))
    return measure(model, reader(Shape(), "the judge"), bars(200, 3), real, generator, 0, SMALL)

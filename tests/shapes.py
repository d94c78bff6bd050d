"""Small sets of images of other shapes than garments."""

from collections.abc import Sequence

import torch
from torch import nn

from fmcgan.data.info import DatasetInfo
from fmcgan.metric.feature.classifier import ClassifierFeatures
from fmcgan.metric.image_set import FeatureNetwork, ImageSet

LETTERS = DatasetInfo("letters", tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), size=16, flips=False)
PETS = DatasetInfo("pets", ("cat", "dog/wolf", "guinea pig", "all", "golden retriever of the neighbour"), 3, 32)


def drawn(info: DatasetInfo, counts: Sequence[int], seed: int = 0) -> ImageSet:
    """Draws so many images of each class: rectangles in the colour of the class, of random size and brightness."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(info.num_classes).repeat_interleave(torch.tensor(counts))
    images = torch.randint(0, 12, (len(labels), *info.shape), dtype=torch.uint8, generator=generator)
    colours = torch.randint(60, 256, (info.num_classes, info.channels), generator=torch.Generator().manual_seed(9))
    quarter = info.size // 4
    for image, label in zip(images, labels.tolist(), strict=True):
        top, left, bottom, right = torch.randint(0, quarter, (4,), generator=generator).tolist()
        share = 0.6 + 0.4 * torch.rand(1, generator=generator)
        colour = (colours[label] * share).to(torch.uint8)
        image[:, top : info.size - bottom, left : info.size - right] = colour[:, None, None]
        image[:, quarter : quarter + 1 + label % (2 * quarter), quarter : 3 * quarter] = 240
    return ImageSet(images, labels, info)


class FirstPixel(ClassifierFeatures):
    """A classifier that reads the class off the left upper pixel; as features it has a few pixels."""

    name = "first_pixel"
    version = "1"
    num_features = 8
    batch_size = 500
    outputs = FeatureNetwork.outputs

    def __init__(self, info: DatasetInfo) -> None:
        self.info = info

    @property
    def network(self):
        return self

    def to(self, device):
        return self

    def features_of(self, images):
        return images[:, 0, 8, :8]

    def fit(self, real):
        self.fitted = real

    def _extract(self, images):
        predicted = images[:, 0, 0, 0].long() % self.info.num_classes
        logits = 5 * nn.functional.one_hot(predicted, self.info.num_classes).float()
        return {"features": images[:, 0, 8, :8].float(), "logits": logits}


class Painter(nn.Module):
    """A generator of smooth images of any shape: brighter with the first dimension, tinted by the class."""

    latent_dim = 4

    def __init__(self, info: DatasetInfo) -> None:
        super().__init__()
        self.shape = info.shape
        self.embedding = nn.Embedding(info.num_classes, info.channels)
        self.first = nn.Linear(self.latent_dim, 6)
        self.last = nn.Linear(6, info.pixels)
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(0)
            for each in self.parameters():
                each.normal_(0, 0.5)

    def forward(self, latent, labels):
        image = self.last(self.first(latent).tanh()).unflatten(1, self.shape)
        return (image + self.embedding(labels)[:, :, None, None]).tanh()

"""The default pair: a label-conditional DCGAN for 28 x 28 images, batch normalisation in G and none in D."""

import torch
from torch import Tensor, nn

from fmcgan.checks import whole_number
from fmcgan.network.batch_norm import BatchNorm2d
from fmcgan.network.layout import ToMap, ToVector


class Generator(nn.Module):
    """Latent vector and label to image, by fractionally strided convolutions (Radford et al. 2016).

    The label's embedding is concatenated with the latent vector, as in Mirza & Osindero 2014.

    Args:
        latent_dim: Z, size of the latent vector.
        width: channels at full resolution; twice and four times as many at 14 x 14 and 7 x 7.
        embedding_dim: size of the label's embedding.
        num_classes: number of labels.
    """

    def __init__(self, latent_dim: int = 100, width: int = 32, embedding_dim: int = 50, num_classes: int = 10) -> None:
        super().__init__()
        whole_number(latent_dim=latent_dim, width=width, embedding_dim=embedding_dim, num_classes=num_classes)
        self.latent_dim = latent_dim
        self.num_classes = num_classes
        self.embedding = nn.Embedding(num_classes, embedding_dim)
        self.project = nn.Sequential(
            nn.Linear(latent_dim + embedding_dim, 4 * width * 7 * 7, bias=False),
            ToMap(4 * width, 7),
            BatchNorm2d(4 * width),
            nn.ReLU(inplace=True),
        )
        self.upsample = nn.Sequential(
            nn.ConvTranspose2d(4 * width, 2 * width, 4, stride=2, padding=1, bias=False),  # [B, 2w, 14, 14]
            BatchNorm2d(2 * width),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1, bias=False),  # [B, w, 28, 28]
            BatchNorm2d(width),
            nn.ReLU(inplace=True),
        )
        self.to_image = nn.Sequential(nn.Conv2d(width, 1, 3, padding=1), nn.Tanh())
        self.apply(_initialise)

    def forward(self, latent: Tensor, labels: Tensor) -> Tensor:
        """Makes images.

        Args:
            latent: [B, Z], standard normal.
            labels: int64 [B].

        Returns:
            [B, 1, 28, 28] in [-1, 1].
        """
        hidden = self.project(torch.cat([latent, self.embedding(labels)], dim=1))  # [B, 4w, 7, 7]
        return self.to_image(self.upsample(hidden))


class Discriminator(nn.Module):
    """Image and label to logit, by strided convolutions; the label enters by projection (Miyato & Koyama 2018, eq. 3).

    No batch normalisation: the gradient penalties need samples that do not see each other.

    Args:
        width: channels at 14 x 14; twice and four times as many at 7 x 7 and 4 x 4.
        num_classes: number of labels.
    """

    def __init__(self, width: int = 32, num_classes: int = 10) -> None:
        super().__init__()
        whole_number(width=width, num_classes=num_classes)
        self.features = nn.Sequential(
            nn.Conv2d(1, width, 4, stride=2, padding=1),  # [B, w, 14, 14]
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),  # [B, 2w, 7, 7]
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1),  # [B, 4w, 4, 4]
            nn.LeakyReLU(0.2, inplace=True),
            ToVector(),
        )
        self.logit = nn.Linear(4 * width * 4 * 4, 1)
        self.projection = nn.Embedding(num_classes, 4 * width * 4 * 4)
        for layer in self.features:
            if isinstance(layer, nn.Conv2d):  # He et al. 2015: 0.02 is meant for layers that are normalised
                nn.init.kaiming_normal_(layer.weight, a=0.2)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        nn.init.normal_(self.projection.weight, 0.0, 0.02)

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Judges images.

        Args:
            images: [B, 1, 28, 28] in [-1, 1].
            labels: int64 [B].

        Returns:
            Logits, float32 [B]: positive means real.
        """
        features = self.features(images)
        return (self.logit(features).squeeze(1) + (features * self.projection(labels)).sum(dim=1)).float()


def _initialise(module: nn.Module) -> None:
    """Weights from N(0, 0.02^2) (Radford et al. 2016, section 4); scales of normalisation from N(1, 0.02^2) (its code).

    The generator's label embedding keeps torch's N(0, 1), so that the label is as loud as the latent vector beside it.
    """
    if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    if isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
    bias = getattr(module, "bias", None)
    if isinstance(bias, nn.Parameter):
        nn.init.zeros_(bias)

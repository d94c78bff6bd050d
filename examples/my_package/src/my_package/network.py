import torch
from torch import Tensor, nn

from fmcgan.app.checks import whole_number
from fmcgan.network import base


class Generator(base.Generator):
    """A linear layer and two upsampling convolutions; the label's embedding is concatenated with the latent vector.

    Args:
        latent_dim: size of the latent vector.
        width: channels at half of the size.
        num_classes: number of labels.
        image_size: height and width of an image, a multiple of 4.
        channels: of an image.
    """

    def __init__(self, latent_dim: int, width: int, num_classes: int, image_size: int, channels: int) -> None:
        super().__init__()
        whole_number(latent_dim=latent_dim, width=width)
        self.latent_dim, self.num_classes = latent_dim, num_classes
        self.embedding = nn.Embedding(num_classes, latent_dim)
        self.layers = nn.Sequential(
            nn.Linear(2 * latent_dim, 2 * width * (image_size // 4) ** 2),
            nn.Unflatten(1, (2 * width, image_size // 4, image_size // 4)),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.ConvTranspose2d(width, channels, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, latent: Tensor, labels: Tensor) -> Tensor:
        """Maps latent vectors [B, Z] and labels [B] to images [B, C, H, W] in [-1, 1]."""
        return self.layers(torch.cat([latent, self.embedding(labels)], dim=1))


class Discriminator(base.Discriminator):
    """Two strided convolutions and a projection on the label's embedding (Miyato and Koyama 2018).

    The arguments are those of `Generator`.
    """

    def __init__(self, width: int, num_classes: int, image_size: int, channels: int) -> None:
        super().__init__()
        whole_number(width=width)
        self.num_classes = num_classes
        features = 2 * width * (image_size // 4) ** 2
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
        )
        self.linear = nn.Linear(features, 1)
        self.embedding = nn.Embedding(num_classes, features)

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Maps images [B, C, H, W] and labels [B] to logits [B]."""
        features = self.layers(images)
        projection = (features * self.embedding(labels)).mean(dim=1)
        return (self.linear(features).squeeze(1) + projection).float()

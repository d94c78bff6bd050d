"""Features of an untrained network with random weights: no download, no labels, no learned invariances."""

import hashlib
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from fmcgan.app.checks import seed_number, whole_number
from fmcgan.metric.image_set import FeatureNetwork
from fmcgan.metric.results_store import Arrays

CHANNELS = (32, 32)
GRID = 2
UNIT = 16.0  # levels per input unit: features are then about 1, where a polynomial kernel is curved
DESIGN = f"grey/{UNIT:g} {CHANNELS[0]} edges relu mean2 {CHANNELS[1]} relu mean{GRID}x{GRID}"


class RandomConvolutions(FeatureNetwork):
    """Two random 3×3 convolutions with ReLU: 128 features, the mean of 32 maps over each quarter of the image.

    Naeem et al. 2020 propose networks of random weights for images unlike photographs, whose features are not biased by
    other training data. This network complements the classifier. Its first filters have mean zero: they respond to
    edges, grain and blur, not to brightness. On colour images each of them sees one channel. Means over quarters
    preserve positions, so mirrored or shifted images differ. Without biases and with zero padding, black gives 0, at
    the border too.

    It separates classes less well than the classifier.
    """

    name = "random"
    num_features = CHANNELS[-1] * GRID**2

    def __init__(self, seed: int = 0, batch_size: int = 100) -> None:
        """Draws the weights; features of different seeds are not comparable.

        The batch size affects rounding only. On a CPU, 500 takes twice as long.
        """
        seed_number(seed=seed)
        whole_number(batch_size=batch_size)
        self.batch_size = batch_size
        generator = torch.Generator().manual_seed(seed)
        self._edges = _weights(1, CHANNELS[0], generator, mean_zero=True)
        self._mixtures = _weights(CHANNELS[0], CHANNELS[1], generator, mean_zero=False)
        content = hashlib.sha256(DESIGN.encode())
        for weights in (self._edges, self._mixtures):
            content.update(weights.numpy().tobytes())
        self.version = content.hexdigest()[:16]

    def _extract(self, images: Tensor) -> Arrays:
        edges, mixtures = self._edges.to(images.device), self._mixtures.to(images.device)
        x = images.float() / UNIT
        if (channels := x.shape[1]) > 1:  # filter k sees channel k modulo 3; the mixtures combine them
            seen = torch.arange(CHANNELS[0], device=x.device) % channels
            x = F.conv2d(x[:, seen], edges, padding=1, groups=CHANNELS[0])
        else:
            x = F.conv2d(x, edges, padding=1)
        x = F.avg_pool2d(F.relu(x), 2)  # [B, 32, H / 2, W / 2]
        x = F.relu(F.conv2d(x, mixtures, padding=1))
        return {"features": F.avg_pool2d(x, x.shape[-1] // GRID).flatten(1)}


def _weights(channels_in: int, channels_out: int, generator: torch.Generator, mean_zero: bool) -> Tensor:
    """Draws 3×3 filters, float32 [channels_out, channels_in, 3, 3], variance 2 / inputs (He et al. 2015)."""
    inputs = channels_in * 9  # drawn uniformly as whole numbers, which have the same bits on every machine
    weights = torch.randint(-1024, 1025, (channels_out, inputs), generator=generator).double()
    if mean_zero:
        weights = weights - weights.mean(dim=1, keepdim=True)
    weights = weights / 1024 * math.sqrt(6 / inputs)
    return weights.float().reshape(channels_out, channels_in, 3, 3)

"""A feature network whose features can be computed in the head."""

import pytest
import torch
from torch import Tensor

from fmcgan.metric.image_set import FeatureNetwork


class Quadrants(FeatureNetwork):
    """The mean grey level of each quarter of the image."""

    name = "quadrants"
    version = "1"
    num_features = 4
    batch_size = 100

    def _extract(self, images: Tensor) -> dict[str, Tensor]:
        return {"features": torch.nn.functional.adaptive_avg_pool2d(images.float(), 2).flatten(1)}


@pytest.fixture
def quadrants() -> Quadrants:
    return Quadrants()

"""The real data set, read once for the whole room, and a feature network whose features can be computed in the head."""

import pytest
import torch
from torch import Tensor

from fmcgan.data.datamodule import GarmentImages
from fmcgan.data.fashion_mnist import FashionMNISTData
from fmcgan.metric.feature.base import FeatureNetwork
from fmcgan.metric.image_set import ImageSet
from fmcgan.metric.score import RealImages


class Quadrants(FeatureNetwork):
    """The mean grey level of each quarter of the image."""

    name = "quadrants"
    version = "1"
    num_features = 4
    batch_size = 100

    def _read(self, images: Tensor) -> dict[str, Tensor]:
        return {"features": torch.nn.functional.adaptive_avg_pool2d(images.float(), 2).flatten(1)}


@pytest.fixture
def quadrants() -> Quadrants:
    return Quadrants()


@pytest.fixture(scope="session")
def fashion_mnist(mirror: str, tmp_path_factory: pytest.TempPathFactory) -> GarmentImages:
    return FashionMNISTData(tmp_path_factory.mktemp("data"), mirror, batch_size=100, seed=0).load()


@pytest.fixture(scope="session")
def real_train(fashion_mnist: GarmentImages) -> ImageSet:
    return ImageSet(fashion_mnist.train_images, fashion_mnist.train_labels)


@pytest.fixture(scope="session")
def real_test(fashion_mnist: GarmentImages) -> ImageSet:
    return ImageSet(fashion_mnist.test_images, fashion_mnist.test_labels)


@pytest.fixture(scope="session")
def real(real_train: ImageSet, real_test: ImageSet) -> RealImages:
    return RealImages(real_train, real_test)

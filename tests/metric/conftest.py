"""The real data set, read once for the whole room."""

import pytest

from fmcgan.data.datamodule import GarmentImages
from fmcgan.data.fashion_mnist import FashionMNISTData
from fmcgan.metric.score import LabelledImages


@pytest.fixture(scope="session")
def fashion_mnist(mirror: str, tmp_path_factory: pytest.TempPathFactory) -> GarmentImages:
    return FashionMNISTData(tmp_path_factory.mktemp("data"), mirror, batch_size=100, seed=0).load()


@pytest.fixture(scope="session")
def real_train(fashion_mnist: GarmentImages) -> LabelledImages:
    return LabelledImages(fashion_mnist.train_images, fashion_mnist.train_labels)


@pytest.fixture(scope="session")
def real_test(fashion_mnist: GarmentImages) -> LabelledImages:
    return LabelledImages(fashion_mnist.test_images, fashion_mnist.test_labels)

from typing import ClassVar

from torchvision.datasets import MNIST

from fmcgan.data.downloaded import MNISTFormat
from fmcgan.data.info import DatasetInfo


class MNISTData(MNISTFormat):
    """MNIST (LeCun et al. 1998): 60,000 training and 10,000 test images of handwritten digits."""

    title = "MNIST"
    published = MNIST
    sizes: ClassVar = {
        "train-images-idx3-ubyte.gz": 20_000_000,
        "train-labels-idx1-ubyte.gz": 100_000,
        "t10k-images-idx3-ubyte.gz": 5_000_000,
        "t10k-labels-idx1-ubyte.gz": 100_000,
    }  # generous: the checksums decide
    source = DatasetInfo("mnist", tuple("0123456789"), flips=False)

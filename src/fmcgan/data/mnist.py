from torchvision.datasets import MNIST

from fmcgan.data.downloaded import MNISTFormat
from fmcgan.data.info import DatasetInfo


class MNISTData(MNISTFormat):
    """MNIST (LeCun et al. 1998): 60,000 training and 10,000 test images of handwritten digits."""

    title = "MNIST"
    published = MNIST
    sizes = (20_000_000, 100_000, 5_000_000, 100_000)  # generous: the checksums decide
    source = DatasetInfo("mnist", tuple("0123456789"), flips=False)

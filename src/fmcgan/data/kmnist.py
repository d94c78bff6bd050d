from torchvision.datasets import KMNIST

from fmcgan.data.downloaded import MNISTFormat
from fmcgan.data.info import DatasetInfo


class KMNISTData(MNISTFormat):
    """Kuzushiji-MNIST (Clanuwat et al. 2018, arXiv:1812.01718): 60,000 training and 10,000 test images of hiragana."""

    title = "Kuzushiji-MNIST"
    published = KMNIST
    sizes = (40_000_000, 100_000, 8_000_000, 100_000)  # generous: the checksums decide
    source = DatasetInfo("kmnist", ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"), flips=False)

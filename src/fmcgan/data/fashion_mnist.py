from torchvision.datasets import FashionMNIST

from fmcgan.data.downloaded import MNISTFormat
from fmcgan.data.garments import GARMENTS
from fmcgan.data.info import DatasetInfo


class FashionMNISTData(MNISTFormat):
    """Fashion-MNIST (Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747): 60,000 training and 10,000 test images."""

    title = "Fashion-MNIST"
    published = FashionMNIST
    sizes = (26_421_880, 29_515, 4_422_102, 5_148)
    source: DatasetInfo = GARMENTS

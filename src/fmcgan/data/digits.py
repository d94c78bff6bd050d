from typing import Any

import numpy as np
import torch

from fmcgan.app.checks import number, seed_number
from fmcgan.app.extras import require_extra
from fmcgan.data.datamodule import ImageDataModule, ImageSplits
from fmcgan.data.info import DatasetInfo
from fmcgan.data.split import split


class DigitsData(ImageDataModule):
    """The handwritten digits in scikit-learn (Alpaydin and Kaynak 1998): 1,797 images of 8 x 8; needs no download.

    Args:
        test_share: share of the test images, drawn from each class.
        split_seed: of that choice.
        size: height and width after enlarging. The other arguments are those of `ImageDataModule`.
    """

    def __init__(self, test_share: float = 0.2, split_seed: int = 0, size: int = 16, **options: Any) -> None:
        super().__init__(size=size, **options)
        number(0.01, 0.9, test_share=test_share)
        seed_number(split_seed=split_seed)
        require_extra("analysis", "data=digits", "sklearn")
        self.test_share, self.split_seed = test_share, split_seed

    @property
    def source(self) -> DatasetInfo:
        """Ten digits, of the size that they are enlarged to."""
        return DatasetInfo("digits", tuple("0123456789"), size=self.resize.size or 16, flips=False)

    def load(self) -> ImageSplits:
        """Reads the file in scikit-learn, whose grey levels are 0 to 16."""
        from sklearn.datasets import load_digits

        pixels, labels = load_digits(return_X_y=True)
        grey = torch.from_numpy(np.rint(pixels * (255 / 16)).astype(np.uint8)).view(-1, 1, 8, 8)
        return split(grey, torch.from_numpy(labels), self.test_share, self.split_seed)

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from fmcgan.data.digits import DigitsData


def test_all_real_images_are_in_one_of_both_splits() -> None:
    images = DigitsData(batch_size=5, seed=0).load()
    both = torch.cat([images.train_images, images.test_images])[:, 0].numpy()
    pixels, labels = load_digits(return_X_y=True)
    expected = np.rint(pixels * 255 / 16).astype(np.uint8).reshape(-1, 8, 8)
    assert sorted(map(bytes, both)) == sorted(map(bytes, expected))
    assert both.max() == 255
    per_class = np.bincount(labels)
    assert images.test_labels.bincount().tolist() == [round(0.2 * int(n)) for n in per_class]


@pytest.mark.parametrize("size", [16, 28])
def test_sizes(size: int) -> None:
    data = DigitsData(batch_size=5, seed=0, size=size)
    data.setup()
    assert data.images.train_images.shape[1:] == data.info.shape == (1, size, size)


def test_the_split_depends_on_its_own_seed_alone() -> None:
    first, again = (DigitsData(batch_size=5, seed=seed).load() for seed in (0, 1))
    other = DigitsData(batch_size=5, seed=0, split_seed=1).load()
    assert torch.equal(first.test_images, again.test_images)
    assert not torch.equal(first.test_images, other.test_images)

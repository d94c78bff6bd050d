import time
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from fmcgan.data.datamodule import ImageSplits
from fmcgan.data.synthetic import SyntheticData

CONFIG = Path(__file__).parents[2] / "configs" / "data" / "synthetic.yaml"


def draw(**changes: int) -> ImageSplits:
    return SyntheticData(**{"batch_size": 10, "seed": 0, **changes}).load()


@pytest.fixture(scope="module")
def images() -> ImageSplits:
    return draw()


def test_format_and_balance(images: ImageSplits) -> None:
    assert images.train_images.shape == (2000, 1, 28, 28)
    assert images.test_images.shape == (1000, 1, 28, 28)
    assert images.train_images.dtype == images.test_images.dtype == torch.uint8
    assert images.train_labels.dtype == images.test_labels.dtype == torch.int64
    assert images.train_labels.bincount().tolist() == [200] * 10
    assert images.test_labels.bincount().tolist() == [100] * 10


def test_same_bits_for_a_drawing_seed_whatever_the_runs_seed(images: ImageSplits) -> None:
    torch.manual_seed(1)
    few = {"n_train": 200, "n_test": 100}
    again, other = draw(seed=7, **few), draw(drawing_seed=1, **few)
    assert torch.equal(again.train_images, images.train_images[:200])
    assert torch.equal(again.test_images, images.test_images[:100])
    assert not torch.equal(other.train_images, again.train_images)


def test_sizes_change_nothing_but_the_sizes(images: ImageSplits) -> None:
    fewer = draw(n_train=33, n_test=12)
    assert torch.equal(fewer.train_images, images.train_images[:33])
    assert torch.equal(fewer.test_images, images.test_images[:12])


def test_every_drawing_is_another(images: ImageSplits) -> None:
    everything = torch.cat([images.train_images, images.test_images]).flatten(1)
    assert len(everything.unique(dim=0)) == 3000


def test_a_garment_on_black(images: ImageSplits) -> None:
    drawn = (images.train_images > 0).flatten(1).float().mean(1)
    assert drawn.min() > 0.05
    assert drawn.max() < 0.75
    corners = images.train_images[:, 0, [0, 0, 27, 27], [0, 27, 0, 27]]
    assert (corners == 0).float().mean() > 0.99


def test_the_nearest_training_image_tells_the_class(images: ImageSplits) -> None:
    train, test = (part.flatten(1).float() for part in (images.train_images, images.test_images))
    nearest = torch.cdist(test, train).argmin(1)
    right = images.train_labels[nearest] == images.test_labels
    per_class = torch.stack([right[images.test_labels == label].float().mean() for label in range(10)])
    assert per_class.min() > 0.85
    # Yet no class is one picture: the images of a class differ from their mean by much more than the 6 % grain.
    for label in range(10):
        of_class = train[images.train_labels == label]
        assert (of_class - of_class.mean(0)).norm(dim=1).mean() > 0.3 * of_class.norm(dim=1).mean()


def test_fast() -> None:
    start = time.process_time()
    draw()
    assert time.process_time() - start < 1.5


def test_wrong_values() -> None:
    with pytest.raises(ValueError, match="n_train must be a whole number of at least 10, got 9"):
        SyntheticData(n_train=9, batch_size=1, seed=0)
    with pytest.raises(ValueError, match=r"n_test must be a whole number of at least 10, got 1000\.0"):
        SyntheticData(n_test=1000.0, batch_size=1, seed=0)
    with pytest.raises(ValueError, match="drawing_seed must be a whole number from 0 to 4294967295, got None"):
        SyntheticData(drawing_seed=None, batch_size=1, seed=0)


def test_config() -> None:
    config = OmegaConf.create({"seed": 3, "data": OmegaConf.load(CONFIG)})
    data = instantiate(config.data)
    assert isinstance(data, SyntheticData)
    assert (data.n_train, data.n_test, data.drawing_seed, data.batch_size, data.seed) == (2000, 1000, 0, 64, 3)

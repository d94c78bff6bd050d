from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from fmcgan.callback.samples import SampleGrid
from fmcgan.data.garments import GARMENTS
from fmcgan.data.info import DatasetInfo
from fmcgan.figure.grid import GAP, MARGIN, magnification


def names(folder):
    return sorted(path.name for path in (folder / "samples").iterdir())


def test_chosen_epochs_and_always_the_last(fit, tmp_path):
    fit(
        "trainer.max_epochs=3",
        "trainer.limit_train_batches=2",
        extra_callbacks=[SampleGrid(epochs=[0, 2], n_columns=4)],
    )
    assert names(tmp_path / "run") == ["epoch_000.png", "epoch_002.png", "epoch_003.png"]


def test_every_n_epochs(fit, tmp_path):
    fit("trainer.max_epochs=4", "trainer.limit_train_batches=2", extra_callbacks=[SampleGrid(every_n_epochs=2)])
    assert names(tmp_path / "run") == ["epoch_000.png", "epoch_002.png", "epoch_004.png"]
    with Image.open(tmp_path / "run" / "samples" / "epoch_004.png") as picture:
        assert picture.width > 10 * 28
        assert np.asarray(picture).std() > 10


def test_real_images_are_the_first_of_each_class():
    images = torch.arange(8, dtype=torch.uint8).view(8, 1, 1, 1).expand(8, 1, 16, 16)
    labels = torch.tensor([1, 0, 1, 1, 0, 1, 1, 2])
    info = DatasetInfo("three", ("a", "b", "c"), 1, 16)
    data = SimpleNamespace(info=info, images=SimpleNamespace(train_images=images, train_labels=labels))
    drawn = np.asarray(SampleGrid(n_columns=3).real_grid(data))
    side = (magnification(16) * 16) + GAP
    tops = drawn.shape[0] - MARGIN - 3 * side + GAP
    left = drawn.shape[1] - MARGIN - 3 * side + GAP
    found = [[drawn[tops + row * side, left + column * side] for column in range(3)] for row in range(3)]
    assert found == [[1, 4, 255], [0, 2, 3], [7, 255, 255]]  # white where a class has no more


def test_rows_are_classes_and_columns_the_same_noise(fit):
    grid = SampleGrid(n_columns=3)
    _, gan = fit("trainer.max_epochs=1", extra_callbacks=[grid])
    images = grid.images(gan, GARMENTS)
    assert images.shape == (10, 3, 28, 28)
    assert images.dtype == np.uint8
    assert np.array_equal(images, grid.images(gan, GARMENTS))  # fixed
    assert not np.array_equal(images[:, 0], images[:, 1])
    assert not np.array_equal(images[0], images[1])


def test_wrong_values_are_refused():
    with pytest.raises(ValueError, match=r"epochs\[1\] must be a whole number of at least 0, got -3"):
        SampleGrid(epochs=[0, -3])

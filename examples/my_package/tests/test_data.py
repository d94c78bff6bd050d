import torch

from my_package.data import StripesData


def data(**options):
    return StripesData(batch_size=8, seed=0, **options)


def test_images_are_balanced_and_of_the_named_shape():
    images = data(n_train=40, n_test=20).load()
    assert images.train_images.shape == (40, *StripesData.source.shape)
    assert images.train_images.dtype == torch.uint8
    assert images.train_labels.bincount().tolist() == [10] * 4
    assert images.test_labels.bincount().tolist() == [5] * 4


def test_the_same_seed_draws_the_same_images():
    first, again, other = data(), data(), data(drawing_seed=1)
    assert torch.equal(first.load().train_images, again.load().train_images)
    assert not torch.equal(first.load().train_images, other.load().train_images)


def test_each_class_varies_across_its_stripes_only():
    images = data().load()
    down, right = (images.train_images.float().diff(dim=axis).abs().mean(dim=(1, 2, 3)) for axis in (2, 3))
    flat, upright = (images.train_labels == label for label in (0, 1))
    assert (down > right)[flat].float().mean() > 0.95
    assert (right > down)[upright].float().mean() > 0.95

import pytest
import torch

from fmcgan.metric.assigned_classes import AssignedClasses
from fmcgan.metric.image_set import ImageSet, RealImages
from tests.shapes import LETTERS, FirstPixel

CLASSES = 4


def written(classes, seed):
    """Images whose first pixel says their class, under labels of chance."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (len(classes), 1, 16, 16), dtype=torch.uint8, generator=generator)
    images[:, 0, 0, 0] = torch.tensor(classes, dtype=torch.uint8)
    labels = torch.randint(LETTERS.num_classes, (len(classes),), generator=generator)
    return ImageSet(images, labels, LETTERS)


@pytest.fixture
def metric(monkeypatch):
    made = AssignedClasses()
    made.classifier = FirstPixel(LETTERS)
    networks = (made.classifier,)
    for inner in (made._distance, made._manifold):
        inner._given = inner.networks = networks
    return made


def test_classes_are_those_that_the_classifier_predicts(metric):
    real = written([0] * 40 + [1] * 20 + [2] * 20 + [3] * 20, 1)
    samples = written([0] * 20 + [1] * 40 + [2] * 20 + [3] * 20, 2)
    found = metric.measure(samples, RealImages(real, real))
    imbalance = next(value for name, value in found.items() if name.startswith("assigned_imbalance"))
    assert imbalance.value == pytest.approx(0.2)  # a fifth of the samples is of class 1 instead of 0
    assert imbalance.by_class[:5] == pytest.approx([-0.2, 0.2, 0, 0, 0])
    again = metric.measure(samples.relabelled(samples.labels.flip(0)), RealImages(real, real))
    assert again == found  # no label is read


def test_copies_of_real_images_are_perfect(metric):
    real = written([0, 1, 2, 3] * 20, 1)
    found = metric.measure(written([0, 1, 2, 3] * 20, 1), RealImages(real, real))
    values = {name.split("_first")[0].split("_classifier")[0]: value.value for name, value in found.items()}
    assert values["assigned_class_fd"] == pytest.approx(0, abs=1e-3)
    assert values["assigned_precision"] == values["assigned_recall"] == 1
    assert values["assigned_imbalance"] == 0

import hashlib

import pytest
import torch

from fmcgan.metric.base import format_count
from fmcgan.metric.image_set import ImageSet, class_balanced, class_counts
from fmcgan.metric.results_store import Store
from fmcgan.metric.value import by_class
from tests.garments import garment_set


def drawn(n: int = 40, seed: int = 0, **options) -> ImageSet:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (n, 1, 28, 28), dtype=torch.uint8, generator=generator)
    return garment_set(images, torch.arange(n) % 10, **options)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (torch.zeros(2, 1, 28, 28), torch.zeros(2, dtype=torch.int64), "images must be uint8"),
        (
            torch.zeros(2, 28, 28, dtype=torch.uint8),
            torch.zeros(2, dtype=torch.int64),
            r"got torch.uint8 \[2, 28, 28\]",
        ),
        (torch.zeros(2, 1, 28, 28, dtype=torch.uint8), torch.zeros(3, dtype=torch.int64), r"int64 \[2\]"),
        (torch.zeros(2, 1, 28, 28, dtype=torch.uint8), torch.zeros(2), "got torch.float32"),
    ],
)
def test_other_types_and_shapes_are_refused(images, labels, message):
    with pytest.raises(ValueError, match=message):
        garment_set(images, labels)


def test_each_thing_is_computed_once_for_each_protocol():
    images, calls = drawn(), []

    def compute():
        calls.append(1)
        return {"x": torch.zeros(1)}

    images.derived("a", compute)
    images.derived("a", compute)
    assert len(calls) == 1
    images.derived("b", compute)
    assert len(calls) == 2
    drawn(seed=1).derived("a", compute)
    assert len(calls) == 3


def test_on_disk_it_is_found_for_the_same_images_and_labels_only(tmp_path):
    def store() -> Store:
        return Store(tmp_path)

    def never():
        raise AssertionError("computed again")

    drawn(store=store()).derived("a", lambda: {"x": torch.ones(1)})
    assert drawn(store=store()).derived("a", never)["x"] == 1
    with pytest.raises(AssertionError, match="again"):
        drawn(seed=1, store=store()).derived("a", never)
    other_labels = garment_set(drawn().images, drawn().labels.flip(0), store=store())
    with pytest.raises(AssertionError, match="again"):
        other_labels.derived("a", never)


def test_the_fingerprint_is_the_sha256_of_the_bytes():
    images = drawn(3)
    content = images.images.numpy().tobytes() + images.labels.numpy().tobytes()
    assert images.fingerprint == hashlib.sha256(content).hexdigest()


def test_the_content_order_does_not_depend_on_the_order_given():
    images = drawn(50)
    shuffled = torch.randperm(50, generator=torch.Generator().manual_seed(3))
    other = garment_set(images.images[shuffled], images.labels[shuffled])
    assert torch.equal(images.images[images.content_order], other.images[other.content_order])
    assert torch.equal(images.labels[images.content_order], other.labels[other.content_order])
    assert not torch.equal(images.content_order, torch.arange(50))


def test_resamples_draw_an_image_as_often_in_whatever_order_it_is_given():
    images = drawn(50, bootstrap_samples=9)
    shuffled = torch.randperm(50, generator=torch.Generator().manual_seed(3))
    other = garment_set(images.images[shuffled], images.labels[shuffled], bootstrap_samples=9)
    assert torch.equal(images.resamples[:, shuffled], other.resamples)
    assert images.resamples.sum(dim=1).tolist() == [50] * 9


@pytest.mark.parametrize(("n", "name"), [(10000, "10k"), (2500, "2500"), (2000, "2k"), (50000, "50k"), (64, "64")])
def test_the_count_as_names_carry_it(n, name):
    assert format_count(n) == name


def test_the_choice_is_balanced_and_takes_the_first_of_each_class():
    labels = torch.tensor([3, 3, 3, 0, 0, 7, 3, 7])
    assert class_balanced(labels, 3).tolist() == [0, 3, 5]
    assert class_balanced(labels, 5).tolist() == [0, 1, 3, 4, 5]  # the remainder goes to the lowest labels


def test_a_class_that_runs_out_is_made_up_for_by_the_others():
    labels = torch.tensor([3, 3, 3, 0, 3])
    assert class_balanced(labels, 3).tolist() == [0, 1, 3]
    assert class_balanced(labels, 100).tolist() == [0, 1, 2, 3, 4]


def test_the_choice_has_given_proportions_rounded_as_by_sainte_lague():
    """53, 24 and 23 hundredths of seven seats: 3, 2 and 2 by Sainte-Laguë; 4, 2 and 1 by d'Hondt."""
    shares = torch.tensor([0.53, 0.24, 0.23], dtype=torch.float64)
    labels = torch.arange(3).repeat(20)
    chosen = class_balanced(labels, 7, shares)
    assert labels[chosen].bincount().tolist() == class_counts(shares, 7) == [3, 2, 2]
    assert chosen.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert class_counts(shares, 1000) == [530, 240, 230]
    assert class_counts(torch.tensor([0.5, 0.0, 0.5]).double(), 5) == [3, 0, 2]
    assert class_counts(torch.full((10,), 0.1, dtype=torch.float64), 10_000) == [1000] * 10
    assert class_counts(shares[:2], 77) == [53, 24]  # of the chosen classes alone


def test_equal_shares_choose_the_same_images_as_none():
    labels = torch.randint(10, (500,), generator=torch.Generator().manual_seed(0))
    for n in (1, 37, 200, 499):
        assert torch.equal(class_balanced(labels, n, torch.full((10,), 0.1).double()), class_balanced(labels, n))


def test_the_rarest_class_limits_the_images_in_proportion():
    """Class 3 has two images of 40, so 20 images have a tenth of each class; one in a hundred may be missing."""
    images = drawn(40)
    images.labels[images.labels == 3] = torch.tensor([3, 3, 4, 4])
    tenths = torch.full((10,), 0.1, dtype=torch.float64)
    assert images.available(tenths) == 22  # 2.2 of class 3, of which 0.2 are missing
    assert images.available(images.shares) == 40
    assert images.balanced(20, tenths).labels.bincount().tolist() == [2] * 10
    images.labels[images.labels == 3] = 4
    assert images.available(tenths) == 40  # no class 3


def test_a_balanced_set_is_made_once_and_is_the_set_itself_where_it_has_no_more():
    images = drawn(40, bootstrap_samples=7)
    assert images.balanced(40) is images.balanced(99) is images
    assert images.balanced(20) is images.balanced(20)
    assert images.balanced(20).labels.bincount().tolist() == [2] * 10
    assert images.balanced(20).bootstrap_samples == 7


def test_real_choice_holds_as_many_of_every_class(real_train):
    chosen = class_balanced(real_train.labels, 10_000)
    assert real_train.labels[chosen].bincount().tolist() == [1000] * 10
    assert chosen.unique().numel() == 10_000


def test_means_by_class_and_none_for_a_class_without_images():
    means = by_class(torch.tensor([1.0, 3.0, 5.0]), torch.tensor([2, 2, 9]), 10)
    assert means == (None, None, 2.0, None, None, None, None, None, None, 5.0)

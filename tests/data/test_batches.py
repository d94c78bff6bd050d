import pytest
import torch

from fmcgan.data.batches import DeviceLoader, ImageBatches, ShuffledBatches
from fmcgan.data.images import to_float


def one_epoch(sampler: ShuffledBatches, epoch: int = 0) -> list[list[int]]:
    sampler.set_epoch(epoch)
    return [index.tolist() for index in sampler]


def test_an_epoch_is_whole_batches_of_different_images() -> None:
    sampler = ShuffledBatches(n_images=23, batch_size=5, seed=0)
    batches = one_epoch(sampler)
    assert len(sampler) == 4
    assert [len(batch) for batch in batches] == [5, 5, 5, 5]
    assert len(set().union(*batches)) == 20
    assert set().union(*batches) <= set(range(23))


def test_order_is_a_function_of_seed_and_epoch() -> None:
    sampler = ShuffledBatches(64, 8, seed=3)
    torch.manual_seed(0)
    forward = [one_epoch(sampler, epoch) for epoch in range(4)]
    torch.manual_seed(1)
    backward = [one_epoch(ShuffledBatches(64, 8, seed=3), epoch) for epoch in reversed(range(4))]
    assert forward == backward[::-1]
    orders = [*forward, *(one_epoch(ShuffledBatches(64, 8, seed), 0) for seed in (0, 1, 2))]
    assert len({str(order) for order in orders}) == 7


def test_every_image_is_as_likely_first_as_last() -> None:
    sampler = ShuffledBatches(10, 10, seed=0)
    first = [one_epoch(sampler, epoch)[0][0] for epoch in range(2000)]
    # Binomial(2000, 1/10): mean 200, standard deviation 13.4; 5 of them leave room for 1 in a million.
    assert all(abs(first.count(image) - 200) < 67 for image in range(10))


def test_two_devices_share_the_batch_of_one() -> None:
    alone = one_epoch(ShuffledBatches(22, 6, seed=1), 2)
    first, second = (one_epoch(ShuffledBatches(22, 6, seed=1, rank=rank, world_size=2), 2) for rank in (0, 1))
    assert [left + right for left, right in zip(first, second, strict=True)] == alone
    assert {len(part) for part in first + second} == {3}


def test_the_epoch_and_the_place_in_it_are_asked_for_at_the_first_batch() -> None:
    done = 0
    sampler = ShuffledBatches(20, 4, seed=0, batches_done=lambda: done)
    whole = one_epoch(sampler, 1)
    sampler.set_epoch(0)
    started_early = iter(sampler)
    done = 3
    sampler.set_epoch(1)
    assert [index.tolist() for index in started_early] == whole[3:]
    assert len(sampler) == 5


def test_global_random_state_is_neither_read_nor_changed() -> None:
    loader = DeviceLoader(ImageBatches(torch.zeros(20, 1, 28, 28, dtype=torch.uint8), torch.arange(20)), SAMPLER)
    before = torch.get_rng_state()
    labels = [labels.tolist() for _, labels in loader]
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(5)
    assert [labels.tolist() for _, labels in loader] == labels


SAMPLER = ShuffledBatches(20, 5, seed=0)


def test_loader_hands_on_whole_batches_of_floats() -> None:
    pixels = torch.randint(0, 256, (20, 1, 28, 28), dtype=torch.uint8)
    loader = DeviceLoader(ImageBatches(pixels, torch.arange(20)), SAMPLER)
    assert len(loader) == 4
    for images, labels in loader:
        assert images.shape == (5, 1, 28, 28)
        assert torch.equal(images, to_float(pixels[labels]))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"batch_size": 21}, "batch_size must be at most 20, the number of training images, got 21"),
        ({"batch_size": 5, "world_size": 2}, "batch_size must be divisible by 2, the number of devices, got 5"),
        ({"batch_size": 4.0}, r"batch_size must be a whole number of at least 1, got 4\.0"),
        ({"seed": None}, "seed must be a whole number from 0 to 4294967295, got None"),
    ],
)
def test_wrong_values(wrong: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ShuffledBatches(**{"n_images": 20, "batch_size": 4, "seed": 0, **wrong})


def test_an_epoch_of_more_images_is_several_passes_in_new_orders() -> None:
    once, twice = (ShuffledBatches(12, 4, seed=3, epoch_images=n) for n in (None, 27))
    first, longer = (torch.cat(list(batches)) for batches in (once, twice))
    assert len(once) == 3
    assert len(twice) == 6  # of 27 images, 24 fill batches
    assert torch.equal(longer[:12], first)  # the first pass is the usual one
    assert sorted(longer[12:].tolist()) == list(range(12))
    assert not torch.equal(longer[12:], first)


def test_an_epoch_of_fewer_images_begins_like_a_whole_one() -> None:
    whole, part = (torch.cat(list(ShuffledBatches(12, 4, seed=3, epoch_images=n))) for n in (None, 8))
    assert torch.equal(part, whole[:8])


def test_a_batch_may_be_larger_than_the_data_set_but_not_than_an_epoch() -> None:
    counts = torch.cat(list(ShuffledBatches(3, 8, seed=0, epoch_images=8))).bincount()
    assert sorted(counts.tolist()) == [2, 3, 3]
    with pytest.raises(ValueError, match="batch_size must be at most 8, epoch_images, got 9"):
        ShuffledBatches(3, 9, seed=0, epoch_images=8)

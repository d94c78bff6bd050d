import pytest
import torch

from fmcgan.app.errors import InvalidValueError
from fmcgan.data.info import DatasetInfo
from fmcgan.data.subset import Subset
from fmcgan.data.synthetic import SyntheticData

INFO = DatasetInfo("x", ("a", "b", "c"))
LABELS = torch.tensor([0] * 100 + [1] * 60 + [2] * 40)[torch.randperm(200, generator=torch.Generator().manual_seed(0))]


def sizes(**options: object) -> list[int]:
    return LABELS[Subset(**options).choose(LABELS, INFO)].bincount(minlength=3).tolist()


def test_sizes() -> None:
    assert Subset().is_all
    assert sizes() == [100, 60, 40]
    assert sizes(n=20) == [10, 6, 4]  # the shares of the classes
    assert sizes(n=7) == [4, 2, 1]  # 3.5, 2.1, 1.4: the largest remainder is rounded up
    assert sizes(per_class=30) == [30, 30, 30]
    assert sizes(long_tail=100) == [100, 10, 1]
    assert sizes(per_class=40, long_tail=4) == [40, 20, 10]
    assert sizes(long_tail=4, n=35) == [20, 10, 5]  # of 100, 50 and 25


def test_a_smaller_choice_is_part_of_a_larger_one_and_the_seed_decides() -> None:
    small, large = (set(Subset(n=n).choose(LABELS, INFO).tolist()) for n in (20, 100))
    assert small < large
    assert small != set(Subset(n=20, seed=1).choose(LABELS, INFO).tolist())
    chosen = Subset(n=20).choose(LABELS, INFO)
    assert torch.equal(chosen, chosen.sort().values)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"per_class": 50}, "data.subset.per_class=50: class c has only 40"),
        ({"n": 201}, "data.subset.n must be at most 200, got 201"),
        ({"n": 0}, "^n must be a whole number of at least 1"),
        ({"n": 5, "per_class": 5}, "either n or per_class"),
        ({"long_tail": 0.5}, "^long_tail must be a number from 1"),
        ({"seed": -1}, "^seed must"),
    ],
    ids=str,
)
def test_wrong_values(options: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        sizes(**options)


def test_a_data_set_leaves_out_training_images_alone() -> None:
    whole, part = (
        SyntheticData(100, 50, batch_size=5, seed=0, subset=subset) for subset in (None, Subset(per_class=3))
    )
    assert whole.images_per_epoch == 100
    assert part.images_per_epoch is None
    part.setup()
    assert part.images.train_labels.bincount().tolist() == [3] * 10
    assert len(part.images.test_images) == 50

import pytest
import torch
from torch import nn

from fmcgan.augment.adaptive import Adaptive
from fmcgan.augment.diff_augment import DiffAugment


class Negative(nn.Module):
    """Marks every image it sees."""

    def forward(self, images):
        return -images

    def update(self, real_logits):
        return {}


def logits(positive, of=100):
    values = torch.full((of,), -3.0)
    values[:positive] = 0.5
    return values


def test_p_moves_by_the_images_of_an_update_towards_the_target():
    adaptive = Adaptive(Negative(), target=0.6, kimg=1)
    assert adaptive.p.item() == 0
    adaptive.update(logits(81))  # mean sign 0.62: overfitting
    adaptive.update(logits(100))
    assert adaptive.p.item() == pytest.approx(0.2)  # 2 * 100 images of 1000
    recorded = adaptive.update(logits(79))  # mean sign 0.58
    assert adaptive.p.item() == pytest.approx(0.1)
    adaptive.update(logits(79))
    assert {name: value.item() for name, value in recorded.items()} == {"augmentation/probability": pytest.approx(0.1)}


def test_on_the_target_p_stays():
    adaptive = Adaptive(Negative(), target=0.5, kimg=1)
    adaptive.p.fill_(0.25)
    adaptive.update(logits(75))  # mean sign 0.5, exactly
    assert adaptive.p.item() == 0.25


def test_p_ends_at_0_and_1():
    adaptive = Adaptive(Negative(), kimg=0.25)
    adaptive.update(logits(0))
    assert adaptive.p.item() == 0
    for _ in range(4):
        adaptive.update(logits(100))
    assert adaptive.p.item() == 1


def test_each_image_is_augmented_with_probability_p():
    images, adaptive = torch.ones(10_000, 1, 28, 28), Adaptive(Negative())
    assert torch.equal(adaptive(images), images)
    adaptive.p.fill_(0.3)
    torch.manual_seed(0)
    changed = adaptive(images).flatten(1)
    assert torch.equal(changed.amin(1), changed.amax(1))  # an image as a whole
    assert (changed[:, 0] == -1).float().mean().item() == pytest.approx(0.3, abs=0.02)  # four standard errors
    adaptive.p.fill_(1.0)
    assert torch.equal(adaptive(images), -images)


def test_gradients_flow_through_both_branches():
    images, adaptive = torch.ones(200, 1, 28, 28, requires_grad=True), Adaptive(Negative())
    adaptive.p.fill_(0.5)
    changed = adaptive(images)
    changed.sum().backward()
    assert torch.equal(images.grad, changed.detach())  # 1 where kept, -1 where negated
    assert set(changed.unique().tolist()) == {-1.0, 1.0}


def test_p_is_saved_and_stays_where_a_recorded_graph_reads_it():
    adaptive = Adaptive(Negative(), kimg=1)
    address = adaptive.p.data_ptr()
    adaptive.update(logits(100))
    assert adaptive.p.data_ptr() == address
    other = Adaptive(Negative())
    other.load_state_dict(adaptive.state_dict())
    assert other.p.item() == pytest.approx(0.1)


# Positive logits of 100 on each of two devices. Whole, the mean signs are 0.7, 0.7 and 0.5; those of the first device
# alone 0.4, 0.4 and 1, of the second 1, 1 and 0.
SHARES = [(70, 100), (70, 100), (100, 50)]


def follow_on_a_device(rank):
    adaptive, followed = Adaptive(Negative(), target=0.6, kimg=1), []
    for shares in SHARES:
        adaptive.update(logits(shares[rank]))
        followed.append(adaptive.p.item())
    return followed


def test_two_devices_follow_the_whole_batch(on_two_devices):
    adaptive, alone = Adaptive(Negative(), target=0.6, kimg=1), []
    for shares in SHARES:
        adaptive.update(torch.cat([logits(each) for each in shares]))
        alone.append(adaptive.p.item())
    assert on_two_devices(follow_on_a_device) == [alone, alone]
    assert alone == pytest.approx([0.2, 0.4, 0.2])  # 200 images of 1000 each time


def test_is_told_of_the_logits_inside_a_row_of_augmentations_too():
    adaptive = Adaptive(Negative(), kimg=1)
    DiffAugment({"adaptive": adaptive}).update(logits(100))
    assert adaptive.p.item() == pytest.approx(0.1)


def test_arguments_are_checked():
    with pytest.raises(ValueError, match=r"target must be a number from -0.99 to 0.99, got 2"):
        Adaptive(Negative(), target=2)
    with pytest.raises(ValueError, match=r"kimg must be a number of at least 0.001, got 0"):
        Adaptive(Negative(), kimg=0)

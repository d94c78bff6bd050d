import pytest
import torch

from fmcgan.augment.translation import Translation


def coded(n):
    """Images whose pixels tell where they are: row + column / 100, all above the background."""
    place = torch.arange(28.0)
    return (place[:, None] + place / 100).expand(n, 1, 28, 28)


def test_every_image_is_a_shifted_copy_with_background_at_the_edge():
    images = coded(300)
    torch.manual_seed(0)
    moved = Translation(0.125)(images)
    seen = set()
    for image in moved[:, 0]:
        row, column = divmod(image[14, 14].item(), 1)  # what was there before tells the shift
        down, right = 14 - int(row), 14 - round(column * 100)
        expected = torch.full((28, 28), -1.0)
        rows = slice(max(down, 0), 28 + min(down, 0)), slice(max(-down, 0), 28 - max(down, 0))
        columns = slice(max(right, 0), 28 + min(right, 0)), slice(max(-right, 0), 28 - max(right, 0))
        expected[rows[0], columns[0]] = images[0, 0][rows[1], columns[1]]
        assert torch.equal(image, expected)
        seen.add((down, right))
    downs, rights = ({shift[axis] for shift in seen} for axis in (0, 1))
    assert downs == rights == set(range(-4, 5))  # 1/8 of 28 is 3.5, rounded up
    assert len(seen) > 60  # of 81: down and right are independent


def test_share_0_moves_nothing():
    assert torch.equal(Translation(0)(coded(4)), coded(4))


def test_the_gradient_is_shifted_back_and_what_left_the_image_has_none():
    images = coded(200).clone().requires_grad_()
    moved = Translation(0.125)(images)
    moved.sum().backward()
    kept = (moved > -1).flatten(1).sum(1)
    assert torch.equal(images.grad.flatten(1).sum(1), kept.float())
    assert set(images.grad.unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("share", [-0.1, 1.5, "far"])
def test_share_is_checked(share):
    with pytest.raises(ValueError, match="share must be a number from 0 to 1, got"):
        Translation(share)

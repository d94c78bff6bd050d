import pytest
import torch

from fmcgan.augment.cutout import Cutout


def test_a_square_of_background_and_nothing_else():
    images = torch.rand(400, 1, 28, 28)
    torch.manual_seed(0)
    holed = Cutout(0.5)(images)
    hole = holed == -1
    assert torch.equal(holed[~hole], images[~hole])
    rows, columns = hole[:, 0].any(dim=2), hole[:, 0].any(dim=1)
    assert torch.equal(hole[:, 0], rows[:, :, None] & columns[:, None, :])  # a rectangle
    for covered in (rows, columns):
        sides = covered.sum(1)
        assert sides.max() == 14  # half of 28
        assert sides.min() == 7  # middle in a corner
        edges = (covered[:, 1:] != covered[:, :-1]).sum(1)
        assert edges.max() == 2  # in one piece
        assert covered.any(0).all()  # everywhere


@pytest.mark.parametrize(("side", "share"), [(13, 7 / 28), (14, 8 / 29)])
def test_both_ends_are_covered_as_often(side, share):
    """Of the 28 pixels or 29 corners that the middle may be, those whose square reaches the row."""
    torch.manual_seed(0)
    hole = Cutout(side / 28)(torch.zeros(40_000, 1, 28, 28))[:, 0] == -1
    for covered in (hole.any(2), hole.any(1)):
        assert covered.float().mean(0)[[0, -1]].tolist() == pytest.approx([share, share], abs=0.01)  # 4 deviations


def test_share_0_covers_nothing():
    images = torch.rand(50, 1, 28, 28)
    assert torch.equal(Cutout(0)(images), images)


def test_what_is_covered_has_no_gradient():
    images = torch.rand(20, 1, 28, 28, requires_grad=True)
    holed = Cutout(0.5)(images)
    holed.sum().backward()
    assert torch.equal(images.grad, (holed != -1).float())


def test_share_is_checked():
    with pytest.raises(ValueError, match="share must be a number from 0 to 1, got 2"):
        Cutout(2)

import pytest
import torch

from fmcgan.regularizer.lecam import LeCam

X = torch.zeros(2, 1, 28, 28)
UPDATES = [([1.0, 3.0], [-1.0, -3.0]), ([2.0, 4.0], [0.0, -2.0])]  # means 2 and -2, then 3 and -1


def measure(lecam, real, fake):
    return lecam(torch.nn.Identity(), X, X, torch.zeros(2), torch.as_tensor(real), torch.as_tensor(fake))


def test_by_hand_over_two_updates():
    lecam = LeCam(weight=0.3, decay=0.9, start=0)
    # The first anchors are the means themselves: 2 and -2.
    expected = ((1 + 2) ** 2 + (3 + 2) ** 2) / 2 + ((-1 - 2) ** 2 + (-3 - 2) ** 2) / 2
    assert measure(lecam, *UPDATES[0]).item() == pytest.approx(0.3 * expected)
    # 0.9 * 2 + 0.1 * 3 = 2.1 and 0.9 * -2 + 0.1 * -1 = -1.9.
    expected = ((2 + 1.9) ** 2 + (4 + 1.9) ** 2) / 2 + ((0 - 2.1) ** 2 + (-2 - 2.1) ** 2) / 2
    assert measure(lecam, *UPDATES[1]).item() == pytest.approx(0.3 * expected)
    assert (lecam.real_anchor.item(), lecam.fake_anchor.item()) == pytest.approx((2.1, -1.9))


def test_one_sided_leaves_alone_what_is_beyond_the_other_anchor():
    both, one = LeCam(1, 0, 0), LeCam(1, 0, 0, one_sided=True)
    real, fake = [5.0, -3.0], [-1.0, 3.0]  # anchors 1 and 1: -3 lies below, 3 above them already
    assert measure(both, real, fake).item() == pytest.approx((16 + 16) / 2 + (4 + 4) / 2)
    assert measure(one, real, fake).item() == pytest.approx((16 + 0) / 2 + (4 + 0) / 2)


def test_descending_it_brings_the_two_kinds_together_and_the_anchors_stand_still():
    real, fake = torch.tensor([1.0, 3.0], requires_grad=True), torch.tensor([-1.0, -3.0], requires_grad=True)
    measure(LeCam(weight=0.5, start=0), real, fake).backward()
    assert torch.allclose(real.grad, torch.tensor([1.5, 2.5]))  # 0.5 * 2 (x + 2) / 2
    assert torch.allclose(fake.grad, torch.tensor([-1.5, -2.5]))


def test_acts_after_its_start_and_follows_before():
    lecam = LeCam(weight=1, decay=0.9, start=1)
    real = torch.tensor(UPDATES[0][0], requires_grad=True)
    early = measure(lecam, real, UPDATES[0][1])
    early.backward()
    assert early.item() == 0.0
    assert real.grad.abs().sum() == 0
    assert measure(lecam, *UPDATES[1]).item() == pytest.approx((3.9**2 + 5.9**2 + 2.1**2 + 4.1**2) / 2)


def test_what_it_remembers_is_saved_and_stays_where_a_recorded_graph_reads_it():
    lecam, other = LeCam(decay=0.9, start=0), LeCam(decay=0.9, start=0)
    addresses = [buffer.data_ptr() for buffer in lecam.buffers()]
    measure(lecam, *UPDATES[0])
    assert [buffer.data_ptr() for buffer in lecam.buffers()] == addresses
    other.load_state_dict(lecam.state_dict())
    assert measure(other, *UPDATES[1]).item() == measure(lecam, *UPDATES[1]).item()


def follow(share=slice(None)):
    """The anchors and the term after each update."""
    lecam, seen = LeCam(weight=0.3, decay=0.9, start=0), []
    for real, fake in UPDATES:
        term = measure(lecam, real[share], fake[share])
        seen.append((lecam.real_anchor.item(), lecam.fake_anchor.item(), term.item()))
    return seen


def follow_on_a_device(rank):
    return follow(slice(rank, rank + 1))


def test_two_devices_share_the_anchors_of_the_whole_batch(on_two_devices):
    """One sample on each; the terms differ, and their mean is what averaged gradients descend."""
    first, second = on_two_devices(follow_on_a_device)
    for one, two, whole in zip(first, second, follow(), strict=True):
        assert one[:2] == two[:2] == whole[:2]
        assert one[2] != two[2]
        assert (one[2] + two[2]) / 2 == pytest.approx(whole[2])
    assert first[1][:2] == pytest.approx((2.1, -1.9))


def test_needs_no_value_on_the_host():
    """On the meta device there are no values, and reading one is an error."""
    logits = torch.empty(2, device="meta")
    assert LeCam().to("meta")(torch.nn.Identity(), X, X, X, logits, logits).shape == ()


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="decay must be a number from 0 to 1, got 2"):
        LeCam(decay=2)
    with pytest.raises(ValueError, match="start must be a whole number of at least 0, got -1"):
        LeCam(start=-1)

import pytest
import torch

from fmcgan.penalty.none import NoPenalty


def test_it_is_zero_and_takes_no_weight():
    nothing = torch.zeros(2, 1, 28, 28)
    assert NoPenalty()(None, nothing, nothing, None, None) == 0
    with pytest.raises(TypeError, match="weight"):
        NoPenalty(weight=5)

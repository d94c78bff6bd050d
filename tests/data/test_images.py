import pytest
import torch

from fmcgan.data.images import to_float, to_uint8

ALL_LEVELS = torch.arange(256, dtype=torch.uint8).view(16, 1, 4, 4)


def test_black_is_minus_one_and_white_is_one() -> None:
    values = to_float(torch.tensor([0, 51, 255], dtype=torch.uint8))
    assert values.dtype == torch.float32
    assert values[[0, 2]].tolist() == [-1.0, 1.0]
    assert values[1].item() == pytest.approx(-0.6)


def test_there_and_back_changes_nothing() -> None:
    assert torch.equal(to_uint8(to_float(ALL_LEVELS)), ALL_LEVELS)
    assert torch.equal(to_uint8(to_float(ALL_LEVELS).double()), ALL_LEVELS)


def test_rounds_to_the_nearest_level_and_clamps() -> None:
    values = torch.tensor([-9.0, -1.0, -1 + 0.4 / 127.5, -1 + 0.6 / 127.5, 1 - 0.6 / 127.5, 1.0, 9.0])
    assert to_uint8(values).tolist() == [0, 0, 0, 1, 254, 255, 255]


def test_input_is_left_as_it_was() -> None:
    levels, values = ALL_LEVELS.clone(), torch.linspace(-2, 2, 9)
    to_float(levels)
    to_uint8(values)
    assert torch.equal(levels, ALL_LEVELS)
    assert torch.equal(values, torch.linspace(-2, 2, 9))


def test_refuses_floats_whose_range_would_be_a_guess() -> None:
    with pytest.raises(TypeError, match=r"uint8 in 0\.\.255, got torch.float32"):
        to_float(torch.zeros(1))

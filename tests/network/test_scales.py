import pytest

from fmcgan.app.errors import InvalidValueError
from fmcgan.network.scales import map_channels, map_sizes

BY_HAND = {
    16: [4, 8, 16],
    20: [5, 10, 20],
    24: [6, 12, 24],
    28: [7, 14, 28],
    32: [8, 16, 32],
    36: [9, 18, 36],
    40: [5, 10, 20, 40],
    44: [11, 22, 44],
    48: [6, 12, 24, 48],
    52: [13, 26, 52],
    56: [7, 14, 28, 56],
    60: [15, 30, 60],
    64: [8, 16, 32, 64],
}


def test_every_allowed_size_is_known():
    assert list(BY_HAND) == list(range(16, 65, 4))


@pytest.mark.parametrize(("image_size", "sizes"), BY_HAND.items())
def test_sizes_by_hand(image_size, sizes):
    assert map_sizes(image_size) == sizes


def test_channels_double_with_each_halving():
    assert map_channels(28, 32) == [128, 64, 32]
    assert map_channels(44, 5) == [20, 10, 5]
    assert map_channels(64, 3) == [24, 12, 6, 3]


@pytest.mark.parametrize("image_size", [0, 12, 30, 68, 28.0, "28", True, None])
def test_other_sizes_are_refused_by_name(image_size):
    with pytest.raises(InvalidValueError, match=r"^image_size must be a multiple of 4 from 16 to 64, got") as error:
        map_sizes(image_size)
    assert error.value.name == "image_size"

import pytest
import torch

from fmcgan.app.errors import InvalidValueError
from fmcgan.data.info import DatasetInfo
from fmcgan.probing.input_format import InputFormat

GREY = DatasetInfo("grey", ("a", "b"), size=16, flips=False)
COLOUR = DatasetInfo("colour", ("a", "b"), channels=3, size=16, flips=False)


def prepared(images, info, **options):
    return InputFormat(**options).completed(info).prepare(images)


def test_ranges_means_and_deviations_by_hand():
    images = torch.full((2, 1, 16, 16), 0.5)  # three quarters of white
    for options, value in (
        ({}, 0.5),
        ({"range": [0, 1]}, 0.75),
        ({"range": [0, 255]}, 191.25),
        ({"range": [1, 0]}, 0.25),
        ({"range": [0, 1], "mean": 0.25, "std": 0.5}, 1.0),
    ):
        found = prepared(images, GREY, **options)
        assert found.shape == images.shape
        assert torch.allclose(found, torch.full_like(found, value), atol=1e-6)


def test_channels_layout_and_size():
    images = torch.rand(2, 1, 16, 16) * 2 - 1
    wide = prepared(images, GREY, channels=3, mean=[0.0, 1.0, 2.0])
    assert torch.allclose(wide, torch.stack([images[:, 0] - shift for shift in (0, 1, 2)], dim=1), atol=1e-6)
    assert torch.equal(prepared(images, GREY, layout="flat"), prepared(images, GREY).flatten(1))
    assert torch.equal(prepared(images, GREY, layout="no_channels"), prepared(images, GREY)[:, 0])
    last = prepared(images, GREY, channels=3, layout="channels_last")
    assert last.shape == (2, 16, 16, 3)
    assert torch.allclose(last[..., 1], images[:, 0], atol=1e-6)
    assert prepared(images, GREY, size=32).shape == (2, 1, 32, 32)
    assert torch.allclose(prepared(torch.ones(1, 1, 16, 16), GREY, size=20), torch.ones(1, 1, 20, 20))


def test_colour_becomes_its_luma():
    images = torch.zeros(1, 3, 16, 16) - 1
    images[:, 1] = 1  # green
    grey = prepared(images, COLOUR, channels=1, range=[0, 1])
    assert grey.shape == (1, 1, 16, 16)
    assert torch.allclose(grey, torch.full_like(grey, 0.587), atol=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"range": [1]},
        {"range": [1, 1]},
        {"range": "ab"},
        {"range": [0, "x"]},
        {"std": 0},
        {"channels": 2},
        {"size": 0},
        {"layout": "sideways"},
        {"layout": "no_channels", "channels": 3},
        {"mean": [0.1, 0.2]},
    ],
)
def test_wrong_values_are_refused(options):
    with pytest.raises(InvalidValueError):
        InputFormat(**options).completed(GREY)

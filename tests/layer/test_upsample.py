import pytest
import torch
from torch import nn

from fmcgan.layer.upsample import UPSAMPLINGS, Double, upsampling_layer


@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
def test_height_and_width_double_without_a_bias(upsampling):
    layer = upsampling_layer(3, 5, upsampling)
    assert layer(torch.randn(2, 3, 7, 6)).shape == (2, 5, 14, 12)
    assert not any(name.endswith("bias") for name, _ in layer.named_parameters())
    assert not layer(torch.zeros(1, 3, 4, 4)).any()


def test_nearest_repeats_each_pixel():
    image = torch.tensor([[1.0, 2.0], [3.0, 4.0]])[None, None]
    expected = [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]
    assert Double("nearest")(image)[0, 0].tolist() == expected


def test_bilinear_mixes_three_to_one():
    image = torch.tensor([[0.0, 4.0], [8.0, 12.0]])[None, None]
    expected = [[0, 1, 3, 4], [2, 3, 5, 6], [6, 7, 9, 10], [8, 9, 11, 12]]
    assert Double("bilinear")(image)[0, 0].tolist() == expected


@pytest.mark.parametrize("upsampling", ["nearest", "bilinear"])
def test_the_convolution_comes_first(upsampling):
    layer = upsampling_layer(3, 5, upsampling)
    convolution = nn.Conv2d(3, 5, 3, padding=1, bias=False)
    convolution.weight.data.copy_(layer[0].weight)
    x = torch.randn(2, 3, 4, 4)
    expected = nn.Upsample(scale_factor=2, mode=upsampling)(convolution(x))
    assert torch.allclose(layer(x), expected, atol=1e-6)


def test_other_names_are_refused():
    with pytest.raises(ValueError, match="upsampling must be one of nearest, bilinear, transposed, got 'cubic'"):
        upsampling_layer(1, 1, "cubic")

import pytest
import torch
import torch.nn.functional as F

from fmcgan.layer.resampled_conv import PooledConv2d, UpsampledConv2d


def convolve_and_pool(layer, x):
    return F.avg_pool2d(F.conv2d(x, layer.weight, layer.bias, padding=1), 2)


def repeat_and_convolve(layer, x):
    return F.conv2d(F.interpolate(x, scale_factor=2, mode="nearest"), layer.weight, layer.bias, padding=1)


KINDS = [(PooledConv2d, convolve_and_pool), (UpsampledConv2d, repeat_and_convolve)]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("kind", "two_steps"), KINDS)
def test_one_step_is_two_steps_up_to_the_second_derivative(kind, two_steps, layout):
    torch.manual_seed(0)
    layer = kind(3, 5).double().to(memory_format=layout)
    x = torch.randn(2, 3, 8, 6, dtype=torch.float64).to(memory_format=layout).requires_grad_()
    results = []
    for forward in (layer, lambda x: two_steps(layer, x)):
        output = forward(x)
        (gradient,) = torch.autograd.grad(output.pow(3).sum(), x, create_graph=True)
        second = torch.autograd.grad(gradient.square().sum(), list(layer.parameters()))
        results.append((output, gradient, *second))
    assert results[0][0].shape == ((2, 5, 4, 3) if kind is PooledConv2d else (2, 5, 16, 12))
    for one, two in zip(*results, strict=True):
        assert torch.allclose(one, two, atol=1e-9)


def test_the_upsampled_one_goes_without_a_bias():
    layer = UpsampledConv2d(3, 5, bias=False)
    assert layer.bias is None
    x = torch.randn(2, 3, 4, 4)
    assert torch.allclose(layer(x), repeat_and_convolve(layer, x), atol=1e-5)


@pytest.mark.parametrize("kind", [PooledConv2d, UpsampledConv2d])
def test_only_the_small_kernel_is_learnt(kind):
    assert [tuple(p.shape) for p in kind(3, 5).parameters()] == [(5, 3, 3, 3), (5,)]

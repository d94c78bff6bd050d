"""Two processes with half a batch each against torch's own layers with all of it."""

import pytest
import torch
import torch.distributed as dist
from torch import nn

from fmcgan.conditioning.generator.conditional_batch_norm import ConditionalBatchNorm
from fmcgan.layer.batch_norm import BatchNorm1d, BatchNorm2d
from fmcgan.layer.fused import norm_relu, set_fused

CHANNELS = 3
CASES = [(dimension, affine) for dimension in (1, 2) for affine in (True, False)]
STEPS = 2
OURS, TORCHS = {1: BatchNorm1d, 2: BatchNorm2d}, {1: nn.BatchNorm1d, 2: nn.BatchNorm2d}


def batches(dimension):
    """A batch and the gradient of its output for each step; the halves differ in mean and spread."""
    draw = torch.Generator().manual_seed(dimension)
    shape = (8, CHANNELS, 4, 5) if dimension == 2 else (8, CHANNELS)
    for _ in range(STEPS):
        batch, gradient = torch.randn(shape, generator=draw), torch.randn(shape, generator=draw)
        batch[:4] = 3 * batch[:4] + 5
        yield batch, gradient


def layer_of(kinds, dimension, affine):
    layer = kinds[dimension](CHANNELS, affine=affine)
    if affine:
        layer.weight.data.copy_(torch.tensor([0.5, -1.0, 2.0]))
        layer.bias.data.copy_(torch.tensor([0.1, 0.2, -0.3]))
    return layer


def train(layer, dimension, share=slice(None)):
    """Two steps in training and a look in evaluation: all that a layer gives and keeps."""
    seen = {"output": [], "input_gradient": []}
    for batch, gradient in batches(dimension):
        input = batch[share].clone().requires_grad_()
        output = layer(input)
        output.backward(gradient[share])
        seen["output"].append(output.detach())
        seen["input_gradient"].append(input.grad)
    seen["evaluated"] = [layer.eval()(batch[share]).detach() for batch, _ in batches(dimension)]
    statistics = {name: value.clone() for name, value in layer.named_buffers()}
    return seen, statistics, [parameter.grad for parameter in layer.parameters()]


def fused_chain(share=slice(None), fuse=True):
    """The same of the fused function, of which `norm` is a part."""
    torch.manual_seed(0)
    layer = ConditionalBatchNorm(num_classes=2).normalisation(16)
    set_fused(layer, fuse, torch.device("cpu"))
    draw = torch.Generator().manual_seed(3)
    maps, gradient = (torch.randn(8, 4, 5, 16, generator=draw).permute(0, 3, 1, 2) for _ in range(2))
    maps[:4] = 3 * maps[:4] + 5
    input = maps[share].detach().requires_grad_()
    output = norm_relu(layer, input, (torch.arange(8) % 2)[share])
    output.backward(gradient[share])
    statistics = {name: value.clone() for name, value in layer.named_buffers()}
    return (output.detach(), input.grad), statistics, [weight.grad for weight in layer.parameters()]


def on_a_device(rank):
    share, results = slice(4 * rank, 4 * rank + 4), {"fused": fused_chain(slice(4 * rank, 4 * rank + 4))}
    for case in CASES:
        results["together", *case] = train(layer_of(OURS, *case), case[0], share)
        alone = layer_of(OURS, *case)
        alone.across_devices = False
        results["alone", *case] = train(alone, case[0], share)
    assert dist.get_world_size() == 2
    layer = ConditionalBatchNorm(num_classes=2).normalisation(16)
    set_fused(layer, rank == 0, torch.device("cpu"))  # as on two machines, one without a compiler
    results["one without a compiler"] = layer.norm.fused
    return results


@pytest.fixture(scope="module")
def devices(on_two_devices):
    return on_two_devices(on_a_device)


def assert_close(one, two):
    torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("dimension", "affine"), CASES)
def test_a_split_batch_is_normalised_as_torch_normalises_the_whole(devices, dimension, affine):
    seen, statistics, gradients = train(layer_of(TORCHS, dimension, affine), dimension)
    first, second = (each["together", dimension, affine] for each in devices)
    for name, whole in seen.items():
        assert_close([torch.cat(halves) for halves in zip(first[0][name], second[0][name], strict=True)], whole)
    for _, of_device, _ in (first, second):
        assert_close(of_device, statistics)
        assert of_device["num_batches_tracked"].item() == STEPS
    # Each device has the gradients of its share; whoever trains adds them up.
    assert_close([sum(halves) for halves in zip(first[2], second[2], strict=True)], gradients)
    assert len(gradients) == (2 if affine else 0)


def test_the_fused_function_normalises_the_whole_batch_too(devices):
    first, second = (each["fused"] for each in devices)
    outputs, statistics, gradients = fused_chain(fuse=False)
    assert_close([torch.cat(halves) for halves in zip(first[0], second[0], strict=True)], list(outputs))
    assert_close(first[1], statistics)
    assert_close(second[1], statistics)
    assert_close([sum(halves) for halves in zip(first[2], second[2], strict=True)], gradients)
    assert not any(each["one without a compiler"] for each in devices)


@pytest.mark.parametrize(("dimension", "affine"), CASES)
def test_not_across_devices_each_process_goes_by_its_own_share(devices, dimension, affine):
    for rank, each in enumerate(devices):
        own = train(layer_of(TORCHS, dimension, affine), dimension, slice(4 * rank, 4 * rank + 4))
        assert_close(each["alone", dimension, affine], own)
        together = each["together", dimension, affine]
        assert not torch.allclose(together[0]["output"][0], own[0]["output"][0], atol=0.1)
        assert not torch.allclose(together[1]["running_mean"], own[1]["running_mean"], atol=0.1)


@pytest.mark.parametrize("dimension", [1, 2])
def test_in_one_process_they_are_torchs_own(dimension):
    torchs = layer_of(TORCHS, dimension, affine=True)
    ours = layer_of(OURS, dimension, affine=True)
    torch.testing.assert_close(train(ours, dimension), train(torchs, dimension), rtol=0, atol=0)

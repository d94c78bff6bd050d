"""The fused function against the plain layers, which compute the same with torch's operations."""

import copy
import logging
import os
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fmcgan.app.errors import InvalidValueError, UserError
from fmcgan.conditioning.generator.concatenation import Concatenation
from fmcgan.conditioning.generator.conditional_batch_norm import ConditionalBatchNorm
from fmcgan.conditioning.generator.shared_embedding import SharedEmbedding
from fmcgan.layer import compiled, fused
from fmcgan.layer.fused import check_fused, norm_relu, set_fused
from fmcgan.layer.upsample import Double, upsampling_layer
from fmcgan.network import dcgan, resnet

pytestmark = pytest.mark.process  # the compiler
CPU = torch.device("cpu")
WAYS = {"by sample": SharedEmbedding, "by class": ConditionalBatchNorm, "for all": Concatenation}


@pytest.fixture(scope="module", autouse=True)
def _compiler():
    compiled.compiled.cache_clear()  # another test may have compiled for a cache of its own
    try:
        compiled.compiled(fused._SOURCE)
    except compiled.CompilationError as error:
        pytest.skip(f"needs a C++ compiler: {error}")


def layers_of(way, channels):
    """The plain layer and one that may be fused, with gains of both signs."""
    torch.manual_seed(channels)
    plain = WAYS[way](latent_dim=6, num_classes=4).normalisation(channels)
    for parameter in plain.parameters():
        parameter.data.add_(torch.randn_like(parameter))
    other = copy.deepcopy(plain)
    set_fused(other, True, CPU)
    return plain, other


def inputs_of(way, channels, height, width, batch=5):
    draw = torch.Generator().manual_seed(1)
    maps = 2 * torch.randn(batch, channels, height, width, generator=draw) + 3
    condition = torch.arange(batch) % 4 if way == "by class" else torch.randn(batch, 56, generator=draw)
    return maps.to(memory_format=torch.channels_last), condition


def after_of(doubled):
    return nn.Sequential(nn.Identity(), Double("bilinear")) if doubled else None


def everything(layer, maps, condition, doubled, dtype=torch.float32):
    """Output, all gradients and the running statistics of one step."""
    maps = maps.to(dtype).detach().requires_grad_()
    output = norm_relu(layer, maps, condition, after_of(doubled))
    output.backward(torch.randn(output.shape, generator=torch.Generator().manual_seed(2)).to(dtype))
    gradients = [parameter.grad for parameter in layer.parameters()]
    return [output.detach(), maps.grad, *gradients, layer.norm.running_mean, layer.norm.running_var]


def is_fused(output):
    return type(output.grad_fn).__name__ == "_NormReluBackward"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("doubled", [False, True])
@pytest.mark.parametrize(("channels", "height", "width"), [(16, 3, 4), (48, 1, 2), (64, 5, 1)])
def test_values_gradients_and_statistics_are_those_of_the_plain_layers(way, doubled, channels, height, width):
    plain, other = layers_of(way, channels)
    maps, condition = inputs_of(way, channels, height, width)
    assert is_fused(norm_relu(copy.deepcopy(other), maps.requires_grad_(), condition, after_of(doubled)))
    pairs = zip(*(everything(each, maps.detach(), condition, doubled) for each in (plain, other)), strict=True)
    for expected, found in pairs:
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=2e-5 * expected.abs().max().item())
    assert other.norm.num_batches_tracked == 1


@pytest.mark.parametrize("doubled", [False, True])
def test_in_bfloat16_it_is_closer_to_float32_than_the_plain_layers(doubled):
    plain, other = layers_of("by sample", 32)
    maps, condition = inputs_of("by sample", 32, 7, 7, batch=16)
    maps = maps.bfloat16().float()
    truth = everything(copy.deepcopy(plain), maps, condition, doubled)
    with torch.autocast("cpu", torch.bfloat16):
        results = [everything(each, maps, condition, doubled, torch.bfloat16) for each in (plain, other)]
    assert results[1][0].dtype == results[1][1].dtype == torch.bfloat16
    for expected, before, found in zip(truth, *results, strict=True):
        error, error_before = ((each.float() - expected).norm() / expected.norm() for each in (found, before))
        assert error < max(1.2 * error_before, 1e-5)
        assert error < 0.04  # gain and bias are bfloat16 too


def test_bfloat16_is_rounded_to_nearest_even_and_nothing_is_lost():
    """Gain 1 and bias 0 of a map of mean 0 and variance 1: the output is the input where that is positive."""
    layer = layers_of("for all", 16)[1]
    nn.init.ones_(layer.norm.weight)
    nn.init.zeros_(layer.norm.bias)
    layer.norm.eps = 0.0
    maps = torch.tensor([1.0, -1.0]).repeat(8).view(1, 1, 4, 4).expand(2, 16, 4, 4)
    maps = maps.contiguous(memory_format=torch.channels_last)
    for dtype in (torch.float32, torch.bfloat16):
        assert torch.equal(norm_relu(layer, maps.to(dtype), None), maps.clamp(min=0).to(dtype))
    nn.init.constant_(layer.norm.weight, 1.00390625)  # in the middle of two bfloat16 numbers, the even one is 1
    assert norm_relu(layer, maps.bfloat16(), None).max() == 1
    nn.init.constant_(layer.norm.weight, float("nan"))
    assert norm_relu(layer, maps.bfloat16(), None).isnan().all()


@pytest.mark.parametrize("doubled", [False, True])
def test_a_gradient_of_a_gradient_is_that_of_the_plain_layers(doubled):
    """As the path length of a generator needs it (Karras et al. 2020, StyleGAN2, section 3.2)."""
    results = []
    for layer in layers_of("by sample", 16):
        maps, condition = inputs_of("by sample", 16, 3, 3)
        condition.requires_grad_()
        output = norm_relu(layer, maps.requires_grad_(), condition, after_of(doubled))
        (gradient,) = torch.autograd.grad((output * output.detach().cos()).sum(), condition, create_graph=True)
        gradient.square().sum().backward()
        results.append([gradient.detach(), maps.grad, *(each.grad for each in layer.parameters())])
    for expected, found in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4 * expected.abs().max().item())


def test_results_do_not_depend_on_the_number_of_threads():
    results, before = [], torch.get_num_threads()
    for threads in (1, 3):
        torch.set_num_threads(threads)
        results.append(everything(layers_of("by class", 32)[1], *inputs_of("by class", 32, 5, 5), True))
    torch.set_num_threads(before)
    for one, two in zip(*results, strict=True):
        assert torch.equal(one, two)


def plain_cases():
    maps, condition = inputs_of("by sample", 16, 3, 3)
    yield "evaluation", lambda layer: layer.eval(), maps, condition
    yield "mean over all batches", lambda layer: setattr(layer.norm, "momentum", None), maps, condition
    yield "contiguous", None, maps.contiguous(), condition
    yield "double precision", lambda layer: layer.double(), maps.double(), condition.double()
    yield "switched off", lambda layer: set_fused(layer, False, CPU), maps, condition
    yield "on another device", lambda layer: set_fused(layer, True, torch.device("cuda")), maps, condition
    yield "number of channels", None, *inputs_of("by sample", 24, 3, 3)


@pytest.mark.parametrize(
    ("change", "maps", "condition"), [pytest.param(*case, id=name) for name, *case in plain_cases()]
)
def test_all_else_is_left_to_the_plain_layers(change, maps, condition):
    plain, other = layers_of("by sample", maps.shape[1])
    for layer in (plain, other):
        (change or nn.Identity())(layer)
    output = norm_relu(other, maps.requires_grad_(), condition)
    assert not is_fused(output)
    assert torch.equal(output, F.relu(plain(maps, condition)))
    assert plain.state_dict().keys() == other.state_dict().keys()


@pytest.mark.parametrize("upsampling", ["nearest", "transposed"])
def test_other_ways_to_double_a_map_stay_before_the_fused_function(upsampling):
    plain, other = layers_of("for all", 16)
    maps, _ = inputs_of("for all", 16, 3, 3)
    layer = upsampling_layer(16, 16, upsampling)
    output = norm_relu(other, maps, None, after=layer)
    assert is_fused(output)
    torch.testing.assert_close(output, F.relu(plain(layer(maps), None)))


@pytest.mark.parametrize("network", [dcgan, resnet])
def test_generators_give_the_same_images_and_gradients(network):
    torch.manual_seed(0)
    generator = network.Generator(SharedEmbedding(latent_dim=8), width=16).to(memory_format=torch.channels_last)
    other = copy.deepcopy(generator)
    set_fused(other, "auto", CPU)
    latents, labels = torch.randn(4, 8), torch.arange(4)
    images = [each(latents, labels) for each in (generator, other)]
    for each in images:
        each.square().sum().backward()
    torch.testing.assert_close(*images, rtol=1e-4, atol=1e-5)
    gradients = [[weight.grad for weight in each.parameters()] for each in (generator, other)]
    largest = max(each.abs().max().item() for each in gradients[0])
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-5 * largest)  # some are 0 but for rounding
    statistics = (dict(each.named_buffers()) for each in (generator, other))
    torch.testing.assert_close(*statistics, rtol=1e-4, atol=1e-5)


@pytest.fixture
def forgotten():
    """Nothing has been compiled in this process."""
    compiled.compiled.cache_clear()
    yield
    compiled.compiled.cache_clear()


def test_the_second_process_compiles_nothing(forgotten, monkeypatch):
    monkeypatch.setattr(subprocess, "run", lambda *arguments, **options: pytest.fail("it compiles"))
    layers_of("for all", 16)


@pytest.mark.parametrize(
    "compiler", ["no-such-compiler", f"{sys.executable} -c raise(SystemExit('unknown_option'))", None]
)
def test_without_a_compiler_one_line_says_so_and_the_plain_layers_do_it(
    forgotten, monkeypatch, caplog, tmp_path, compiler
):
    monkeypatch.setenv("FMCGAN_CACHE", str(tmp_path))
    if compiler:
        monkeypatch.setenv("CXX", compiler)
    else:
        monkeypatch.delenv("CXX", raising=False)
        monkeypatch.setenv("PATH", os.fspath(tmp_path))
    plain, other = WAYS["for all"]().normalisation(16), WAYS["for all"]().normalisation(16)
    with caplog.at_level(logging.INFO):
        set_fused(other, "auto", CPU)
    (record,) = caplog.records
    assert "\n" not in record.getMessage()
    maps, _ = inputs_of("for all", 16, 3, 3)
    assert not is_fused(norm_relu(other, maps, None))
    with pytest.raises(UserError, match=r"training\.fused=true .*training\.fused=auto"):
        set_fused(plain, True, CPU)


def test_a_folder_that_cannot_be_written_is_no_obstacle(forgotten, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FMCGAN_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(compiled, "private_temp_dir", lambda: tmp_path)
    assert is_fused(norm_relu(layers_of("for all", 16)[1], inputs_of("for all", 16, 3, 3)[0], None))


@pytest.mark.parametrize("value", ["yes", None, 1])
def test_other_values_are_refused(value):
    with pytest.raises(InvalidValueError, match="fused must be true, false or auto"):
        check_fused(value)
    for allowed in (True, False, "auto"):
        check_fused(allowed)

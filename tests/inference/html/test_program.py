"""The page's JavaScript in an engine of its own, beside torch."""

import base64
import json
import re
from pathlib import Path

import pytest
import torch
from torch import nn

import fmcgan
from fmcgan.app.errors import UserError
from fmcgan.data.garments import GARMENTS
from fmcgan.inference.html.page import render_page
from fmcgan.inference.html.program import trace_program
from fmcgan.training.truncation import TruncatedGenerator

SCRIPT = (Path(fmcgan.__file__).parent / "inference" / "html" / "template" / "program.js").read_text(encoding="utf-8")
NETWORKS = {
    "dcgan": ["network.generator.refine=true"],
    "nearest": ["network.generator.upsampling=nearest", "conditioning/generator=conditional_batch_norm"],
    "transposed, spectral norm": ["network.generator.upsampling=transposed", "spectral_norm=both"],
    "product": ["conditioning/generator=embedding_product"],
    "concatenation": ["conditioning/generator=concatenation"],
    "resnet": ["network=resnet", "network.attention=true", "spectral_norm=both"],
    "r3": ["network=r3", "conditioning/generator=concatenation"],
    "conv": ["network=conv"],
    "mlp": ["network=mlp"],
}


@pytest.fixture
def javascript():
    """Evaluates an expression behind the page's program.js."""
    from py_mini_racer import MiniRacer

    engine = MiniRacer()
    engine.eval(SCRIPT)
    return lambda expression: json.loads(engine.eval(f"JSON.stringify({expression})"))


def program_in(page: str) -> tuple[str, str]:
    """The program of a page and its weights."""
    parts = [page.partition(f'id="{name}">')[2].partition("</script>")[0] for name in ("program", "weights")]
    return parts[0], parts[1]


def bytes_of(weights: str) -> list[int]:
    return list(base64.b64decode(weights))


@pytest.fixture(scope="module", params=NETWORKS.values(), ids=NETWORKS)
def network_and_page(small, request):
    network = small(*request.param)
    return network, render_page(trace_program(network), GARMENTS, {"images_seen": 1})


@pytest.mark.parametrize("psi", [1, 0.7])
def test_a_page_draws_what_torch_draws(network_and_page, javascript, psi):
    network, page = network_and_page
    program, weights = program_in(page)
    for label in (0, 7):
        latent = torch.randn(6)
        with torch.no_grad():
            image = TruncatedGenerator(network)(latent[None], torch.tensor([label]), torch.tensor(psi)).flatten()
        assert image.std() > 0.02
        draw = f"generatorOf({program}, Uint8Array.from({bytes_of(weights)}))"
        drawn = javascript(f"[...{draw}(Float32Array.from({latent.tolist()}), {label}, {psi})]")
        assert torch.allclose(torch.tensor(drawn), image, atol=2e-5)
        if psi == 1:
            untruncated = javascript(f"[...{draw}(Float32Array.from({latent.tolist()}), {label})]")
            assert untruncated == drawn


@pytest.fixture(scope="module")
def transposed(small):
    return trace_program(small("network.generator.upsampling=transposed", "spectral_norm=both"))


def test_what_follows_from_weights_alone_is_not_left_to_the_page(transposed):
    known = {"latent", "labels", "psi"}
    for step in transposed.steps:
        assert known & set(step["in"]), step
        known.add(step["out"])
    assert transposed.output in known


def test_half_precision_is_read_as_torch_reads_it(javascript):
    halves = torch.tensor([1.0, -2.0, 65504.0, 6e-8, -3e-5, 0.0, 1 / 3], dtype=torch.float16)
    numbers = javascript(f"[...numbersOf(Uint8Array.from({list(halves.numpy().tobytes())}), 'float16')]")
    assert numbers == halves.float().tolist()
    singles = torch.tensor([1.5, -1e-30])
    numbers = javascript(f"[...numbersOf(Uint8Array.from({list(singles.numpy().tobytes())}), 'float32')]")
    assert torch.equal(torch.tensor(numbers), singles)


class Odd(nn.Module):
    """Does what no generator here does."""

    latent_dim = 784

    def __init__(self, odd):
        super().__init__()
        self.odd = odd

    def forward(self, latent, labels):
        return self.odd(latent.reshape(1, 1, 28, 28))


@pytest.mark.parametrize(
    ("odd", "operation"),
    [
        (torch.sin, "sin.default"),
        (lambda x: torch.cat([x, x], 0)[:1], "cat.default"),
        (lambda x: torch.softmax(x, 2), "_softmax.default"),
        (nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True), "upsample_bilinear2d.vec"),
        (nn.Conv2d(1, 1, 3, dilation=2), "convolution.default"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_the_page_could_not_do_is_refused(odd, operation):
    told = f"aten.{operation} "
    with pytest.raises(UserError, match=re.escape(told)):
        trace_program(Odd(odd))

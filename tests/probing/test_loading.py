import logging
import sys
import types

import numpy as np
import pytest
import torch
from torch import nn

from fmcgan.app.errors import UserError
from fmcgan.probing.input_format import InputFormat
from fmcgan.probing.loading import check_source, load_model
from tests.probing.drawn import INFO, Brightness, Shape, bars, noise

IMAGES = bars(10, 0).images


def onnx_file(network, path, batch=None, shape=(1, 16, 16)):
    logging.getLogger("onnxscript").setLevel(logging.ERROR)
    axes = None if batch else ({0: torch.export.Dim("batch")},)
    example = torch.zeros(batch or 2, *shape)
    torch.onnx.export(network.eval(), (example,), path, dynamo=True, dynamic_shapes=axes, verbose=False)
    return str(path)


@pytest.fixture
def module(monkeypatch):
    """A module of the user's own, which the functions are put into."""
    made = types.ModuleType("my_models")
    monkeypatch.setitem(sys.modules, "my_models", made)
    return made


def loaded(source, **options):
    form = InputFormat(**options.pop("input", {}))
    return load_model(source, form, INFO, IMAGES, **options)


@pytest.mark.train
def test_onnx_and_python_give_the_same_numbers(tmp_path, module):
    network = nn.Sequential(nn.Flatten(), nn.Linear(256, 3))
    module.load = lambda: network
    module.arrays = lambda: lambda array: network(torch.from_numpy(array)).detach().numpy()
    by_module, by_arrays = loaded("my_models:load"), loaded("my_models:arrays")
    file = onnx_file(network, tmp_path / "mine.onnx")
    fixed = onnx_file(network, tmp_path / "fixed.onnx", batch=4)
    expected = by_module.read(IMAGES)
    assert torch.allclose(expected.exp().sum(dim=1), torch.ones(len(IMAGES)), atol=1e-5)
    for model in (by_arrays, loaded(file), loaded(fixed)):
        assert torch.allclose(model.read(IMAGES), expected, atol=1e-5)
    assert [model.differentiable for model in (by_module, by_arrays, loaded(file))] == [True, False, False]
    with pytest.raises(UserError, match=r"\[B, 3, 16, 16\]"):
        loaded(file, input={"channels": 3})
    with pytest.raises(UserError, match=r"input\.layout"):
        loaded(file, input={"layout": "flat"})


def test_probabilities_and_the_order_of_classes(module):
    module.logits = Brightness
    module.probabilities = lambda: nn.Sequential(Brightness(), nn.Softmax(dim=1))
    expected = loaded("my_models:logits").read(IMAGES)
    assert torch.allclose(loaded("my_models:probabilities").read(IMAGES), expected, atol=1e-4)
    turned = loaded("my_models:logits", order=[2, 0, 1]).read(IMAGES)  # its first output is class 2
    assert torch.allclose(turned[:, [2, 0, 1]], expected, atol=1e-5)
    with pytest.raises(UserError, match="probabilities"):
        loaded("my_models:logits", outputs="probabilities")


def test_a_model_without_a_gradient_is_known(module):
    module.hard = lambda: lambda array: noise(array)

    class Rounded(nn.Module):
        def forward(self, images):
            return nn.functional.one_hot(Shape()(images).argmax(dim=1), 3).float()

    module.rounded = Rounded
    assert not loaded("my_models:hard").differentiable
    assert not loaded("my_models:rounded").differentiable
    module.shape = Shape
    assert loaded("my_models:shape").differentiable


def raising():
    raise RuntimeError("no weights")


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (raising, "no weights"),
        (lambda: 3, "callable"),
        (lambda: nn.Linear(7, 3), "input"),
        (lambda: lambda array: np.zeros((len(array), 4)), r"\[30, 3\]"),
        (lambda: lambda array: np.full((len(array), 3), np.nan), "finite"),
        (lambda: lambda array: None, "must give"),
    ],
)
def test_a_model_that_does_not_fit_is_one_clear_error(module, made, said):
    module.load = made
    with pytest.raises(UserError, match=said):
        loaded("my_models:load")


def test_sources(tmp_path):
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    for source in ("mine.txt", "mine", 3, "", str(tmp_path / "missing.onnx"), "a:b:c"):
        with pytest.raises(UserError):
            check_source(source)
    assert check_source("a.b:c") == "a.b:c"
    with pytest.raises(UserError, match="not an ONNX model"):
        loaded(check_source(str(tmp_path / "broken.onnx")))
    with pytest.raises(UserError, match="cannot be loaded"):
        loaded("no_such_package_of_anyone:load")

"""Loads a user's classifier: an ONNX file, or what a Python function returns."""

import importlib
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fmcgan.app.errors import InvalidValueError, UserError
from fmcgan.app.extras import require_extra
from fmcgan.data.images import to_float
from fmcgan.data.info import DatasetInfo
from fmcgan.probing.classifier import Classifier
from fmcgan.probing.input_format import LAYOUTS, InputFormat

log = logging.getLogger(__name__)

OUTPUTS = ("auto", "logits", "probabilities")
_FUNCTION = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
_FLOATS = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}
_TINY = 1e-12  # smallest probability, whose logarithm is finite
_OFF = 1e-3  # by which the sum of probabilities may differ from 1

Raw = Callable[[Tensor], Tensor]  # prepared images [B, ...] -> outputs [B, K]


@dataclass(frozen=True)
class _Model:
    """A loaded model."""

    raw: Raw  # outputs for prepared images
    batch: int | None = None  # images that it takes at once; ``None``: any number


def check_source(model: object) -> str:
    """Checks the text of ``model=`` without importing or reading anything large; returns it.

    Raises:
        UserError: it is neither an existing ``.onnx`` file nor ``package.module:function``, or onnxruntime is missing.
    """
    if not isinstance(model, str) or not model:
        raise InvalidValueError(f"model must be FILE.onnx or package.module:function, got {model!r}")
    if _FUNCTION.fullmatch(model):
        return model
    if not model.endswith(".onnx"):
        raise InvalidValueError(f"model must be FILE.onnx or package.module:function, got {model}")
    if not Path(model).is_file():
        raise UserError(f"model={model}: no such file; give an ONNX file or package.module:function")
    require_extra("probe", "model=FILE.onnx", "onnxruntime")
    return model


def load_model(
    source: str,
    form: InputFormat,
    info: DatasetInfo,
    trial: Tensor,
    outputs: str = "auto",
    order: Sequence[int] | None = None,
    device: str = "cpu",
) -> Classifier:
    """Loads a classifier and tries it on some images.

    Args:
        source: text that `check_source` accepts. A function is called without arguments; it returns an `nn.Module`, or
            a callable from float32 arrays to arrays.
        form: what it takes.
        info: of the data set.
        trial: images uint8 [N, C, H, W], N at least 2.
        outputs: ``logits``, ``probabilities``, or ``auto``: probabilities if those of the trial sum to 1.
        order: label of each output; ``None``: the order of the data set.
        device: of a module's weights; ONNX files run on the CPU.

    Raises:
        UserError: it cannot be loaded, takes other images, or gives something else than K finite numbers per image.
    """
    form = form.completed(info)
    model = _load_onnx(source, form) if source.endswith(".onnx") else _load_function(source, device)
    images = to_float(trial).to(device)
    found = _tried(source, model, form, images, info)
    share = _are_probabilities(source, found, outputs)
    inverse = None if order is None else torch.tensor([list(order).index(label) for label in info.labels])

    def log_probabilities(batch: Tensor) -> Tensor:
        values = _batched(model, form.prepare(batch)).float()
        logs = values.clamp(min=_TINY).log() if share else values.log_softmax(dim=1)
        return logs if inverse is None else logs[:, inverse.to(logs.device)]

    differentiable = _has_gradient(log_probabilities, images[:2])
    if not differentiable:
        log.info("%s has no gradient: its smallest changes are searched by CMA-ES", source)
    name = Path(source).name if source.endswith(".onnx") else source
    return Classifier(name, log_probabilities, differentiable, torch.device(device))


def _batched(model: _Model, prepared: Tensor) -> Tensor:
    """Reads any number of images; for a model that takes a fixed number, the last batch is filled."""
    if model.batch is None or len(prepared) == model.batch:
        return model.raw(prepared)
    found = []
    for some in prepared.split(model.batch):
        filled = torch.cat([some, some[:1].expand(model.batch - len(some), *some.shape[1:])])
        found.append(model.raw(filled)[: len(some)])
    return torch.cat(found)


def _tried(source: str, model: _Model, form: InputFormat, images: Tensor, info: DatasetInfo) -> Tensor:
    """Reads the trial images; returns the outputs [N, K], which are finite."""
    try:
        with torch.no_grad():
            found = _batched(model, form.prepare(images))
    except Exception as error:  # foreign code may raise any error
        reason = " ".join(str(error).split())[:300]
        hint = f"it got {LAYOUTS[form.layout]} with one image as {list(form.shape)}; see the options input.*"
        raise UserError(f"model={source} fails on images: {type(error).__name__}: {reason}; {hint}") from error
    if not isinstance(found, Tensor) or found.shape != (len(images), info.num_classes):
        shape = list(found.shape) if isinstance(found, Tensor) else type(found).__name__
        expected = [len(images), info.num_classes]
        raise UserError(f"model={source} must give {expected}, one number per class of {info.name}, got {shape}")
    if not found.isfinite().all():
        raise UserError(f"model={source} gives values that are not finite; check input.range")
    return found


def _are_probabilities(source: str, found: Tensor, outputs: str) -> bool:
    sums = found.double().sum(dim=1)
    are = bool((found >= 0).all() and ((sums - 1).abs() < _OFF).all())
    if outputs == "probabilities" and not are:
        raise UserError(f"the outputs of model={source} are no probabilities: they must be at least 0 and sum to 1")
    return outputs == "probabilities" or (outputs == "auto" and are)


def _has_gradient(outputs: Raw, images: Tensor) -> bool:
    """Whether the outputs depend on the images by a gradient that is not 0 everywhere."""
    images = images.clone().requires_grad_()
    with torch.enable_grad():
        try:
            found = outputs(images)
            (slope,) = torch.autograd.grad(found[:, 0].sum(), images)
        except RuntimeError:  # it leaves the graph, or has no derivative
            return False
    return bool(slope.isfinite().all() and (slope != 0).any())


def _load_function(source: str, device: str) -> _Model:
    module, _, name = source.partition(":")
    try:
        function = getattr(importlib.import_module(module), name)
        made = function()
    except Exception as error:  # foreign code may raise any error
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"model={source} cannot be loaded: {type(error).__name__}: {reason}") from error
    if isinstance(made, nn.Module):
        return _Model(made.to(device).eval().requires_grad_(False))
    if not callable(made):
        raise UserError(f"model={source} must return a torch module or a callable, got {type(made).__name__}")

    def raw(prepared: Tensor) -> Tensor:
        return torch.from_numpy(np.asarray(made(prepared.detach().cpu().numpy()), dtype=np.float32))

    return _Model(raw)


def _load_onnx(source: str, form: InputFormat) -> _Model:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors
    try:
        session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # of several classes, none of which is public
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"model={source} is not an ONNX model that onnxruntime reads: {reason}") from error
    inputs = session.get_inputs()
    if len(inputs) != 1:
        raise UserError(f"model={source} must have one input, images; it has {', '.join(each.name for each in inputs)}")
    (given,) = inputs
    dtype = _dtype(source, given.type, form)
    _check_shape(source, given.shape, form)

    def raw(prepared: Tensor) -> Tensor:
        array = prepared.detach().cpu().numpy()
        array = np.rint(array).clip(0, 255) if dtype is np.uint8 else array
        return torch.from_numpy(np.asarray(session.run(None, {given.name: array.astype(dtype)})[0]))

    return _Model(raw, given.shape[0] if isinstance(given.shape[0], int) else None)


def _dtype(source: str, kind: str, form: InputFormat) -> Any:
    if kind == "tensor(uint8)":
        if tuple(form.range) != (0, 255) or form.mean is not None or form.std is not None:
            raise UserError(
                f"model={source} takes uint8: give input.range=[0,255] and neither input.mean nor input.std"
            )
        return np.uint8
    if kind not in _FLOATS:
        raise UserError(f"model={source} takes {kind}; images are {', '.join([*_FLOATS, 'tensor(uint8)'])}")
    return _FLOATS[kind]


def _check_shape(source: str, shape: Sequence[int | str | None], form: InputFormat) -> None:
    """Compares the shape that a file names with that of the images; symbolic dimensions fit any number."""
    expected = form.shape
    fits = len(shape) == 1 + len(expected) and all(
        not isinstance(own, int) or own == given for own, given in zip(shape[1:], expected, strict=True)
    )
    if not fits:
        raise UserError(
            f"model={source} takes images of shape {list(shape)}, the first number being the batch; these are "
            f"[B, {', '.join(map(str, expected))}]: set input.layout ({', '.join(LAYOUTS)}), input.channels or "
            "input.size"
        )

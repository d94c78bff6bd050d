"""A generator as a short list of array operations on fixed shapes, which any language can carry out."""

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Node
from torch.fx.node import map_arg

from fmcgan.app.errors import UserError

aten = torch.ops.aten


@dataclass
class Program:
    """What a generator computes for one image.

    Attributes:
        latent_dim: Z.
        tensors: constants by name, float32: weights, and what follows from weights alone.
        steps: in order. Each has ``op``, ``out`` (a name), ``shape`` (of what it gives), ``in`` (names of tensors, of
            earlier results, or of the inputs ``latent`` [1, Z] and ``labels`` [1]) and what else the operation needs.
        output: name of the image, [1, 1, 28, 28] in [-1, 1].
    """

    latent_dim: int
    tensors: dict[str, Tensor] = field(default_factory=dict)
    steps: list[dict[str, Any]] = field(default_factory=list)
    output: str = ""


def program_of(network: nn.Module) -> Program:
    """Writes down what a generator does for one image.

    What follows from weights alone, such as a weight divided by its largest singular value, is computed here.

    Args:
        network: G(latent [1, Z], labels [1]) -> [1, 1, 28, 28], on the CPU, in evaluation mode, with `latent_dim`.

    Raises:
        UserError: the network does something that `template/program.js` cannot.
    """
    latent_dim = int(network.latent_dim)  # type: ignore[arg-type]
    example = torch.zeros(1, latent_dim), torch.zeros(1, dtype=torch.int64)
    exported = torch.export.export(network, example).run_decompositions()
    known = _constants(exported)
    program = Program(latent_dim)
    for node in exported.graph.nodes:
        if node.op == "call_function" and node.name not in known and node.target not in _SILENT:
            program.steps.append(_step(node, known))
        elif node.op == "output":
            program.output = node.args[0][0].name
    used = {name for step in program.steps for name in step["in"]}
    program.tensors = {name: value.float().contiguous() for name, value in known.items() if name in used}
    return program


def _constants(exported: Any) -> dict[str, Any]:
    """The value of everything that the inputs have no part in, by its name."""
    held = {**exported.state_dict, **exported.constants}
    specs = exported.graph_signature.input_specs
    known = {spec.arg.name: held[spec.target].detach() for spec in specs if spec.target is not None}
    for node in exported.graph.nodes:
        if node.op == "call_function" and all(each.name in known for each in node.all_input_nodes):
            arguments, options = map_arg((node.args, node.kwargs), lambda each: known[each.name])
            known[node.name] = node.target(*arguments, **options)
    return known


def _step(node: Any, known: dict[str, Any]) -> dict[str, Any]:
    describe = _OPERATIONS.get(node.target)
    description = None if describe is None else describe(node, known)
    if description is None:
        raise UserError(
            f"format=html: a page cannot carry out {node.target} as this generator uses it; format=onnx can be exported"
        )
    value = node.meta["val"]
    shape = list((value if isinstance(value, Tensor) else value[0]).shape)
    inputs = [each.name if isinstance(each, Node) else each for each in description["in"]]
    return {**description, "out": node.name, "shape": shape, "in": inputs}


Description = Mapping[str, Any] | None
"""``op``, ``in`` and numbers; ``None`` for a form of the operation that no generator here has."""
_Describe = Callable[[Any, dict[str, Any]], Description]


def _plain(op: str, **numbers: Any) -> _Describe:
    return lambda node, known: {"op": op, "in": list(node.all_input_nodes), **numbers}


def _elementwise(op: str) -> _Describe:
    def describe(node: Any, known: dict[str, Any]) -> Description:
        left, right = node.args
        if node.kwargs:
            return None
        if isinstance(right, Node):
            return {"op": op, "in": [left, right]}
        return {"op": op, "in": [left], "number": float(right)}

    return describe


def _concatenation(node: Any, known: dict[str, Any]) -> Description:
    parts, axis = node.args[0], node.args[1] if len(node.args) > 1 else 0
    return {"op": "concatenate", "in": list(parts)} if axis == 1 else None


def _expansion(node: Any, known: dict[str, Any]) -> Description:
    (source,) = node.all_input_nodes
    same = math.prod(source.meta["val"].shape) == math.prod(node.meta["val"].shape)
    return {"op": "reshape", "in": [source]} if same else None


def _permutation(node: Any, known: dict[str, Any]) -> Description:
    return {"op": "permute", "in": [node.args[0]], "axes": list(node.args[1])}


def _leaky_relu(node: Any, known: dict[str, Any]) -> Description:
    return {"op": "leaky_relu", "in": [node.args[0]], "slope": node.args[1] if len(node.args) > 1 else 0.01}


def _softmax(node: Any, known: dict[str, Any]) -> Description:
    source, axis, half_to_float = node.args
    last = axis in (-1, source.meta["val"].dim() - 1)
    return {"op": "softmax", "in": [source]} if last and not half_to_float else None


def _batch_norm(node: Any, known: dict[str, Any]) -> Description:
    """A factor and a summand for each channel, which follow from the statistics."""
    source, weight, bias, mean, variance, _, epsilon = node.args
    factor = torch.rsqrt(known[variance.name] + epsilon)
    if weight is not None:
        factor = factor * known[weight.name]
    summand = -known[mean.name] * factor
    if bias is not None:
        summand = summand + known[bias.name]
    names = f"{node.name}_factor", f"{node.name}_summand"
    known.update(zip(names, (factor, summand), strict=True))
    return {"op": "by_channel", "in": [source, *names]}


def _convolution(node: Any, known: dict[str, Any]) -> Description:
    source, weight, bias, stride, padding, dilation, transposed, output_padding, groups = node.args
    if (*dilation, *output_padding) != (1, 1, 0, 0) or len(set(stride)) > 1 or len(set(padding)) > 1:
        return None
    numbers = {"stride": stride[0], "padding": padding[0], "groups": groups}
    inputs = [source, weight] if bias is None else [source, weight, bias]
    return {"op": "transposed_convolution" if transposed else "convolution", "in": inputs, **numbers}


def _bilinear(node: Any, known: dict[str, Any]) -> Description:
    aligned = node.args[2]
    return None if aligned else {"op": "bilinear", "in": [node.args[0]]}


def _first(node: Any, known: dict[str, Any]) -> Description:
    return {"op": "reshape", "in": [node.args[0]]} if node.args[1] == 0 else None


_SILENT = (aten._assert_tensor_metadata.default,)

_OPERATIONS: dict[Any, _Describe] = {
    aten.embedding.default: lambda node, known: {"op": "embedding", "in": list(node.args[:2])},
    aten.cat.default: _concatenation,
    aten.view.default: _plain("reshape"),
    aten.unsqueeze.default: _plain("reshape"),
    aten.squeeze.dims: _plain("reshape"),
    aten.clone.default: _plain("reshape"),
    aten.expand.default: _expansion,
    operator.getitem: _first,
    aten.permute.default: _permutation,
    aten.mm.default: lambda node, known: {"op": "matrix_product", "in": list(node.args)},
    aten.bmm.default: lambda node, known: {"op": "matrix_product", "in": list(node.args)},
    aten.addmm.default: lambda node, known: {"op": "matrix_product", "in": [*node.args[1:], node.args[0]]},
    aten.add.Tensor: _elementwise("add"),
    aten.mul.Tensor: _elementwise("multiply"),
    aten.relu.default: _plain("leaky_relu", slope=0.0),
    aten.leaky_relu.default: _leaky_relu,
    aten.tanh.default: _plain("tanh"),
    aten._softmax.default: _softmax,
    aten._native_batch_norm_legit_no_training.default: _batch_norm,
    aten.convolution.default: _convolution,
    aten.upsample_bilinear2d.vec: _bilinear,
    aten.upsample_nearest2d.vec: _plain("nearest"),
}

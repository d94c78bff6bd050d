"""Converts a generator to a short list of array operations on fixed shapes, for other languages."""

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
from fmcgan.training.latent import latent_dim_of

aten = torch.ops.aten

Step = dict[str, Any]  # one operation, as `Program` describes it

Constants = dict[str, Any]  # values of nodes by name, mostly tensors


@dataclass
class Program:
    """What a generator computes for one image.

    Attributes:
        latent_dim: Z.
        tensors: constants by name, float32: weights, and values computed from weights only.
        steps: in order. Each has ``op``, ``out`` (name of the result), ``shape`` (of the result), ``in`` (names of
            tensors, of earlier results, or of the inputs ``latent`` [1, Z] and ``labels`` [1]) and the parameters of
            the operation.
        output: name of the image, [1, 1, 28, 28] in [-1, 1].
    """

    latent_dim: int
    tensors: dict[str, Tensor] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    output: str = ""


def trace_program(network: nn.Module) -> Program:
    """Traces a generator for one image. Values that depend on weights only, such as a spectral norm, become constants.

    Args:
        network: G(latent [1, Z], labels [1]) -> [1, 1, 28, 28], on the CPU, in evaluation mode, with `latent_dim`.

    Raises:
        UserError: `template/program.js` lacks an operation of the network.
    """
    latent_dim = latent_dim_of(network)
    example = torch.zeros(1, latent_dim), torch.zeros(1, dtype=torch.int64)
    exported = torch.export.export(network, example).run_decompositions()
    known = _constants(exported)
    program = Program(latent_dim)
    for node in exported.graph.nodes:
        if node.op == "call_function" and node.name not in known and node.target not in _IGNORED:
            program.steps.append(_step(node, known))
        elif node.op == "output":
            program.output = _args(node)[0][0].name
    used = {name for step in program.steps for name in step["in"]}
    program.tensors = {name: value.float().contiguous() for name, value in known.items() if name in used}
    return program


def _constants(exported: torch.export.ExportedProgram) -> Constants:
    """Returns all values that do not depend on the inputs, by name."""
    held = {**exported.state_dict, **exported.constants}
    specs = exported.graph_signature.input_specs
    known = {spec.arg.name: held[spec.target].detach() for spec in specs if spec.target is not None}
    for node in exported.graph.nodes:
        if node.op == "call_function" and all(each.name in known for each in node.all_input_nodes):
            arguments, options = map_arg((node.args, node.kwargs), lambda each: known[each.name])
            known[node.name] = node.target(*arguments, **options)
    return known


def _step(node: Node, known: Constants) -> Step:
    describe = _OPERATIONS.get(node.target)
    description = None if describe is None else describe(node, known)
    if description is None:
        raise UserError(f"format=html does not support {node.target} as this generator uses it; use format=onnx")
    value = node.meta["val"]
    shape = list((value if isinstance(value, Tensor) else value[0]).shape)
    inputs = [each.name if isinstance(each, Node) else each for each in description["in"]]
    return {**description, "out": node.name, "shape": shape, "in": inputs}


def _args(node: Node) -> tuple[Any, ...]:
    """Returns the arguments of a node, untyped."""
    return node.args


Description = Mapping[str, Any] | None
"""``op``, ``in`` and parameters; ``None`` for a form of the operation that is not supported."""
_Describe = Callable[[Node, Constants], Description]


def _simple_operation(op: str, **parameters: float) -> _Describe:
    return lambda node, known: {"op": op, "in": list(node.all_input_nodes), **parameters}


def _elementwise(op: str) -> _Describe:
    def describe(node: Node, known: Constants) -> Description:
        left, right = _args(node)
        if node.kwargs:
            return None
        if isinstance(right, Node):
            return {"op": op, "in": [left, right]}
        return {"op": op, "in": [left], "number": float(right)}

    return describe


def _concatenation(node: Node, known: Constants) -> Description:
    parts, axis = _args(node)[0], _args(node)[1] if len(_args(node)) > 1 else 0
    return {"op": "concatenate", "in": list(parts)} if axis == 1 else None


def _expansion(node: Node, known: Constants) -> Description:
    (source,) = node.all_input_nodes
    same = math.prod(source.meta["val"].shape) == math.prod(node.meta["val"].shape)
    return {"op": "reshape", "in": [source]} if same else None


def _leaky_relu(node: Node, known: Constants) -> Description:
    slope = _args(node)[1] if len(_args(node)) > 1 else 0.01
    return {"op": "leaky_relu", "in": [_args(node)[0]], "slope": slope}


def _softmax(node: Node, known: Constants) -> Description:
    source, axis, half_to_float = _args(node)
    last = axis in (-1, source.meta["val"].dim() - 1)
    return {"op": "softmax", "in": [source]} if last and not half_to_float else None


def _batch_norm(node: Node, known: Constants) -> Description:
    """Computes a factor and a summand for each channel from the statistics."""
    source, weight, bias, mean, variance, _, epsilon = _args(node)
    factor = torch.rsqrt(known[variance.name] + epsilon)
    if weight is not None:
        factor = factor * known[weight.name]
    summand = -known[mean.name] * factor
    if bias is not None:
        summand = summand + known[bias.name]
    names = f"{node.name}_factor", f"{node.name}_summand"
    known.update(zip(names, (factor, summand), strict=True))
    return {"op": "by_channel", "in": [source, *names]}


def _convolution(node: Node, known: Constants) -> Description:
    source, weight, bias, stride, padding, dilation, transposed, output_padding, groups = _args(node)
    if (*dilation, *output_padding) != (1, 1, 0, 0) or len(set(stride)) > 1 or len(set(padding)) > 1:
        return None
    numbers = {"stride": stride[0], "padding": padding[0], "groups": groups}
    inputs = [source, weight] if bias is None else [source, weight, bias]
    return {"op": "transposed_convolution" if transposed else "convolution", "in": inputs, **numbers}


def _bilinear(node: Node, known: Constants) -> Description:
    align_corners = _args(node)[2]
    return None if align_corners else {"op": "bilinear", "in": [_args(node)[0]]}


def _first_output(node: Node, known: Constants) -> Description:
    return {"op": "reshape", "in": [_args(node)[0]]} if _args(node)[1] == 0 else None


_IGNORED = (aten._assert_tensor_metadata.default,)

_OPERATIONS: Mapping[object, _Describe] = {
    aten.embedding.default: lambda node, known: {"op": "embedding", "in": list(_args(node)[:2])},
    aten.cat.default: _concatenation,
    aten.view.default: _simple_operation("reshape"),
    aten.unsqueeze.default: _simple_operation("reshape"),
    aten.squeeze.dims: _simple_operation("reshape"),
    aten.clone.default: _simple_operation("reshape"),
    aten.expand.default: _expansion,
    operator.getitem: _first_output,
    aten.permute.default: lambda node, known: {"op": "permute", "in": [_args(node)[0]], "axes": list(_args(node)[1])},
    aten.mm.default: lambda node, known: {"op": "matrix_product", "in": list(_args(node))},
    aten.bmm.default: lambda node, known: {"op": "matrix_product", "in": list(_args(node))},
    aten.addmm.default: lambda node, known: {"op": "matrix_product", "in": [*_args(node)[1:], _args(node)[0]]},
    aten.add.Tensor: _elementwise("add"),
    aten.mul.Tensor: _elementwise("multiply"),
    aten.relu.default: _simple_operation("leaky_relu", slope=0.0),
    aten.leaky_relu.default: _leaky_relu,
    aten.tanh.default: _simple_operation("tanh"),
    aten._softmax.default: _softmax,
    aten._native_batch_norm_legit_no_training.default: _batch_norm,
    aten.convolution.default: _convolution,
    aten.upsample_bilinear2d.vec: _bilinear,
    aten.upsample_nearest2d.vec: _simple_operation("nearest"),
}

"""Converts a generator to a short list of array operations on fixed shapes, for other languages."""

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.fx import Node
from torch.fx.node import map_arg

from fmcgan.app.errors import UserError
from fmcgan.training.latent import latent_dim_of
from fmcgan.training.truncation import TruncatedGenerator, has_means

aten = torch.ops.aten

Step = dict[str, Any]  # one operation, as `Program` describes it
Constants = dict[str, Tensor]  # values of nodes by name


class Program(NamedTuple):
    """What a generator computes for one image.

    Each step has ``op``, ``out`` (name of the result), ``shape`` (of the result), ``in`` (names of tensors, of earlier
    results, or of the inputs ``latent`` [1, Z], ``labels`` [1] and ``psi`` []) and the parameters of the operation.
    """

    latent_dim: int
    tensors: dict[str, Tensor]  # float32: weights, and values computed from them only
    steps: list[Step]  # in order
    output: str  # name of the image, [1, C, H, W] in [-1, 1]
    has_means: bool  # whether truncation draws towards the means of the classes


def trace_program(network: nn.Module) -> Program:
    """Traces a generator, with truncation, for one image. What depends on weights only becomes a constant.

    The network is G(latent [1, Z], labels [1]) -> [1, C, H, W], on the CPU, in evaluation mode, with `latent_dim`.
    Raises `UserError` if `template/program.js` lacks one of its operations.
    """
    latent_dim = latent_dim_of(network)
    example = torch.zeros(1, latent_dim), torch.zeros(1, dtype=torch.int64), torch.ones(())
    exported = torch.export.export(TruncatedGenerator(network).eval(), example).run_decompositions()
    known, nodes = _constants(exported), exported.graph.nodes
    computed = [node for node in nodes if node.op == "call_function" and node.name not in known]
    steps = [_step(node, known) for node in computed if node.target not in _IGNORED]
    used = {name for step in steps for name in step["in"]}
    tensors = {name: value.float().contiguous() for name, value in known.items() if name in used}
    (output,) = exported.graph.output_node().all_input_nodes
    return Program(latent_dim, tensors, steps, output.name, has_means(network))


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
    description = None if describe is None else describe(node, known, *node.args)
    if description is None:
        raise UserError(f"format=html does not support {node.target} as this generator uses it; use format=onnx")
    value = node.meta["val"]
    shape = list((value if isinstance(value, Tensor) else value[0]).shape)
    inputs = [each.name if isinstance(each, Node) else each for each in description["in"]]
    return {**description, "out": node.name, "shape": shape, "in": inputs}


_Describe = Callable[..., Step | None]
"""Maps a node, the constants and the node's arguments to ``op``, ``in`` and parameters; ``None``: not supported."""


def _simple_operation(op: str, **parameters: float) -> _Describe:
    return lambda node, known, *arguments: {"op": op, "in": list(node.all_input_nodes), **parameters}


def _elementwise(op: str) -> _Describe:
    def describe(node: Node, known: Constants, left: Node, right: Node | float) -> Step | None:
        if node.kwargs:
            return None
        if isinstance(right, Node):
            return {"op": op, "in": [left, right]}
        return {"op": op, "in": [left], "number": float(right)}

    return describe


def _expansion(node: Node, known: Constants, source: Node, shape: object) -> Step | None:
    same = math.prod(source.meta["val"].shape) == math.prod(node.meta["val"].shape)
    return {"op": "reshape", "in": [source]} if same else None


def _softmax(node: Node, known: Constants, source: Node, axis: int, half_to_float: bool) -> Step | None:
    last = axis in (-1, source.meta["val"].dim() - 1)
    return {"op": "softmax", "in": [source]} if last and not half_to_float else None


def _batch_norm(node: Node, known: Constants, source: Node, *arguments: Any) -> Step:
    """Computes a factor and a summand for each channel from the statistics."""
    weight, bias, mean, variance, _, epsilon = arguments
    factor = torch.rsqrt(known[variance.name] + epsilon)
    if weight is not None:
        factor = factor * known[weight.name]
    summand = -known[mean.name] * factor
    if bias is not None:
        summand = summand + known[bias.name]
    names = f"{node.name}_factor", f"{node.name}_summand"
    known.update(zip(names, (factor, summand), strict=True))
    return {"op": "by_channel", "in": [source, *names]}


def _convolution(node: Node, known: Constants, source: Node, weight: Node, *arguments: Any) -> Step | None:
    bias, stride, padding, dilation, transposed, output_padding, groups = arguments
    if (*dilation, *output_padding) != (1, 1, 0, 0) or len(set(stride)) > 1 or len(set(padding)) > 1:
        return None
    inputs = [source, weight] if bias is None else [source, weight, bias]
    numbers = {"stride": stride[0], "padding": padding[0], "groups": groups}
    return {"op": "transposed_convolution" if transposed else "convolution", "in": inputs, **numbers}


def _bilinear(node: Node, known: Constants, source: Node, size: object, align_corners: bool, *_: object) -> Step | None:
    return None if align_corners else {"op": "bilinear", "in": [source]}


def _matrix_product(node: Node, known: Constants, *factors: Node) -> Step:
    return {"op": "matrix_product", "in": list(factors)}


_IGNORED = (aten._assert_tensor_metadata.default,)

_OPERATIONS: Mapping[object, _Describe] = {
    aten.embedding.default: lambda node, known, *arguments: {"op": "embedding", "in": arguments[:2]},
    aten.cat.default: lambda node, known, parts, axis=0: {"op": "concatenate", "in": parts} if axis == 1 else None,
    aten.view.default: _simple_operation("reshape"),
    aten.unsqueeze.default: _simple_operation("reshape"),
    aten.squeeze.dims: _simple_operation("reshape"),
    aten.clone.default: _simple_operation("reshape"),
    aten.expand.default: _expansion,
    operator.getitem: lambda node, known, source, index: None if index else {"op": "reshape", "in": [source]},
    aten.permute.default: lambda node, known, source, axes: {"op": "permute", "in": [source], "axes": list(axes)},
    aten.mm.default: _matrix_product,
    aten.bmm.default: _matrix_product,
    aten.addmm.default: lambda node, known, bias, *factors: _matrix_product(node, known, *factors, bias),
    aten.add.Tensor: _elementwise("add"),
    aten.sub.Tensor: _elementwise("subtract"),
    aten.mul.Tensor: _elementwise("multiply"),
    aten.relu.default: _simple_operation("leaky_relu", slope=0.0),
    aten.leaky_relu.default: lambda node, known, x, slope=0.01: {"op": "leaky_relu", "in": [x], "slope": slope},
    aten.tanh.default: _simple_operation("tanh"),
    aten._softmax.default: _softmax,
    aten._native_batch_norm_legit_no_training.default: _batch_norm,
    aten.convolution.default: _convolution,
    aten.upsample_bilinear2d.vec: _bilinear,
    aten.upsample_nearest2d.vec: _simple_operation("nearest"),
}

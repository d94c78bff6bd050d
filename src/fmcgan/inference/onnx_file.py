"""Writes a generator as an ONNX model.

Inputs ``latent`` [B, Z], ``labels`` [B] and ``truncation`` [], which may be left out (1); output ``images``
[B, C, H, W].
"""

import json
import logging
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fmcgan.app import run_dir
from fmcgan.app.extras import require_extra
from fmcgan.data.info import DatasetInfo
from fmcgan.inference.safetensors_file import Metadata
from fmcgan.training.latent import latent_dim_of
from fmcgan.training.truncation import TruncatedGenerator


def write_onnx(path: Path, network: nn.Module, info: DatasetInfo, about: Metadata) -> None:
    """Writes an ONNX model atomically; creates the folder.

    Its metadata are JSON: ``class_names`` (by label), ``image_shape`` (C, H, W), ``value_range``, and ``fmcgan``, the
    metadata of the generator. The batch size B is dynamic.

    Args:
        path: the file.
        network: G(latent float32 [B, Z], labels int64 [B]) -> float32 [B, C, H, W] in [-1, 1], on the CPU, in
            evaluation mode, with `latent_dim`.
        info: classes and shape of the images.
        about: metadata of the generator, of plain types.

    Raises:
        UserError: the extra `onnx` is not installed, or the file cannot be written.
    """
    require_extra("onnx", "format=onnx", "onnx", "onnxscript")  # imported by torch
    example = torch.zeros(2, latent_dim_of(network)), torch.zeros(2, dtype=torch.int64), torch.ones(())
    batch = {0: torch.export.Dim("batch")}
    for verbose in ("onnxscript", "onnx_ir"):
        logging.getLogger(verbose).setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from the exporter
        program = torch.onnx.export(
            TruncatedGenerator(network).eval(),
            example,
            input_names=["latent", "labels", "truncation"],
            output_names=["images"],
            dynamo=True,
            verbose=False,
            dynamic_shapes=(batch, batch, {}),
        )
    if program is None:
        raise RuntimeError("torch.onnx.export gave no model")
    _set_default(program.model.graph, example[2])
    metadata = {"class_names": info.class_names, "image_shape": info.shape, "value_range": [-1, 1], "fmcgan": about}
    program.model.metadata_props.update({name: json.dumps(each, allow_nan=False) for name, each in metadata.items()})
    path.parent.mkdir(parents=True, exist_ok=True)
    run_dir.write_atomically(path, program.model_proto.SerializeToString())


def _set_default(graph: Any, value: torch.Tensor) -> None:
    """Makes the last input optional: an initializer of the same name is its default."""
    from onnx_ir import tensor

    last = graph.inputs[-1]
    last.const_value = tensor(value.numpy(), name=last.name)
    graph.register_initializer(last)

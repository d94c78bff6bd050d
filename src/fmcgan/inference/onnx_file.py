"""Writes a generator as an ONNX model: inputs ``latent`` [B, Z], ``labels`` [B]; output ``images`` [B, 1, 28, 28]."""

import json
import logging
import warnings
from pathlib import Path

import torch
from torch import nn

from fmcgan.app import run_dir
from fmcgan.app.extras import require_extra
from fmcgan.inference.safetensors_file import Metadata
from fmcgan.training.latent import latent_dim_of


def write_onnx(path: Path, network: nn.Module, about: Metadata) -> None:
    """Writes an ONNX model atomically, with metadata under the key ``fmcgan``; creates the folder.

    The network is G(latent float32 [B, Z], labels int64 [B]) -> float32 [B, 1, 28, 28] in [-1, 1], on the CPU, in
    evaluation mode, with `latent_dim`. The batch size B is dynamic. Raises `UserError` if the extra `onnx` is not
    installed, or the file cannot be written.
    """
    require_extra("onnx", "format=onnx", "onnx", "onnxscript")  # imported by torch
    example = torch.zeros(2, latent_dim_of(network)), torch.zeros(2, dtype=torch.int64)
    batch = {0: torch.export.Dim("batch")}
    for verbose in ("onnxscript", "onnx_ir"):
        logging.getLogger(verbose).setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from the exporter
        program = torch.onnx.export(
            network,
            example,
            input_names=["latent", "labels"],
            output_names=["images"],
            dynamo=True,
            verbose=False,
            dynamic_shapes=(batch, batch),
        )
    if program is None:
        raise RuntimeError("torch.onnx.export gave no model")
    program.model.metadata_props["fmcgan"] = json.dumps(dict(about), allow_nan=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    run_dir.write_atomically(path, program.model_proto.SerializeToString())

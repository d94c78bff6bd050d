"""A generator as an ONNX model: ``latent`` [B, Z] and ``labels`` [B] in, ``images`` [B, 1, 28, 28] out."""

import json
import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fmcgan.app import run_dir
from fmcgan.app.extras import require_extra


def write_onnx(path: Path, network: nn.Module, about: Mapping[str, Any]) -> None:
    """Writes an ONNX model, whole or not at all, with what is known of the generator as its metadata ``fmcgan``.

    Args:
        path: the file, whose folder is made.
        network: G(latent float32 [B, Z], labels int64 [B]) -> float32 [B, 1, 28, 28] in [-1, 1], on the CPU, in
            evaluation mode, with `latent_dim`. B stays free.
        about: plain types.

    Raises:
        UserError: the extra `onnx` is not installed, or the file cannot be written.
    """
    require_extra("onnx", "format=onnx", "onnx", "onnxscript")  # torch imports both
    example = torch.zeros(2, int(network.latent_dim)), torch.zeros(2, dtype=torch.int64)  # type: ignore[arg-type]
    batch = {0: torch.export.Dim("batch")}
    names: dict[str, Any] = {"input_names": ["latent", "labels"], "output_names": ["images"]}
    for chatty in ("onnxscript", "onnx_ir"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's own workings
        program = torch.onnx.export(
            network, example, dynamo=True, verbose=False, dynamic_shapes=(batch, batch), **names
        )
    if program is None:
        raise RuntimeError("torch.onnx.export gave no model")
    program.model.metadata_props["fmcgan"] = json.dumps(dict(about), allow_nan=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    run_dir.write_atomically(path, program.model_proto.SerializeToString())

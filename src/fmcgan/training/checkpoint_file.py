"""Reads checkpoints: nothing in them is executed, a changed bit is noticed, and what is missing is named."""

import io
import pickletools
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fmcgan.app.errors import UserError
from fmcgan.app.untrusted_data import MAX_CONFIG_VALUES, check_data, check_schema, read_file
from fmcgan.training.checkpoint_format import CHECKPOINT_FORMAT
from fmcgan.training.checkpoint_schema import Checkpoint, ResumableCheckpoint
from fmcgan.training.weights import LARGEST_FILE, check_fit, check_weights

_BUILT = re.compile(r"collections OrderedDict|torch \w+Storage|torch\._utils (_rebuild_tensor_v2|_rebuild_parameter)")
"""What our checkpoints are built of. torch allows more: byte arrays of any size, sparse tensors and tensors without
values."""


def read_checkpoint(path: Path, for_resume: bool = False) -> dict[str, Any]:
    """Reads a checkpoint of this project; nothing in the file is executed (build from its configuration by `trusted`).

    Args:
        path: the file.
        for_resume: also checks all that training needs beside the generator.

    Raises:
        UserError: damaged, of another format, made by another program, or without what is needed.
    """
    content = read_file(path, LARGEST_FILE)
    try:
        _check_archive(content)
        checkpoint = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # the reader of pickles raises nearly every kind
        raise UserError(f"{path} cannot be read as a checkpoint: it is damaged or of another program") from error
    version = checkpoint.get("format", 1) if isinstance(checkpoint, dict) else CHECKPOINT_FORMAT
    if type(version) is int and version != CHECKPOINT_FORMAT and "state_dict" in checkpoint:
        raise UserError(
            f"{path} is of checkpoint format {version}, this program reads {CHECKPOINT_FORMAT}: some weights are "
            "in another order. Use it with the version that made it (environment.json of its run names the commit)."
        )
    try:
        _check(checkpoint, for_resume, len(content))
    except (ValueError, TypeError) as error:
        lacking = "cannot be resumed from" if for_resume else "is not a checkpoint of fmcgan"
        raise UserError(f"{path} {lacking}: {error}") from error
    return checkpoint


def check_fits(path: Path, gan: nn.Module) -> None:
    """Checks that a checkpoint that can be resumed from holds this GAN: torch would refuse it with a stack trace.

    Args:
        path: the checkpoint.
        gan: with `generator` and `discriminator`, whose optimizers the checkpoint holds in this order.

    Raises:
        UserError: names what does not fit.
    """
    checkpoint = read_checkpoint(path, for_resume=True)
    try:
        check_fit(gan, checkpoint["state_dict"])
        for name, optimizer in zip(("generator", "discriminator"), checkpoint["optimizer_states"], strict=True):
            _check_optimizer(name, list(getattr(gan, name).parameters()), optimizer)
    except ValueError as error:
        raise UserError(f"{path} cannot be resumed from: {error}") from error


def _check_optimizer(name: str, parameters: list[nn.Parameter], optimizer: dict[str, Any]) -> None:
    numbers = [number for group in optimizer["param_groups"] for number in group["params"]]
    if numbers != list(range(len(parameters))):
        raise ValueError(f"the optimizer of the {name} is one of {len(numbers)} tensors, not {len(parameters)}")
    if len({frozenset(state) for state in optimizer["state"].values()}) > 1:
        raise ValueError(f"the optimizer of the {name} remembers different things of different tensors")
    for number, state in optimizer["state"].items():
        shape = parameters[number].shape if number in numbers else None
        if any(value.shape not in (shape, ()) for value in state.values()):
            raise ValueError(f"the optimizer of the {name} holds other shapes than its tensor {number}")


def _check_archive(content: bytes) -> None:
    """Compares every member with its checksum, which torch does not, and looks at what the file asks to build.

    No member may unpack to more than the file holds.

    Raises:
        ValueError: the archive is damaged, or not as torch writes it.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        if any(each.compress_type != zipfile.ZIP_STORED for each in members):
            raise ValueError("compressed members")
        if sum(each.file_size for each in members) > len(content):
            raise ValueError("members that overlap")
        if archive.testzip() is not None:
            raise ValueError("a checksum does not fit")
        for each in members:
            if each.filename.lower().endswith(".pkl"):
                _check_names(archive.read(each))


def _check_names(pickled: bytes) -> None:
    for operation, value, _ in pickletools.genops(pickled):
        named = operation.name in ("GLOBAL", "INST", "STACK_GLOBAL")
        if named and not _BUILT.fullmatch(str(value)):
            raise ValueError(f"asks to build {value}")


def _check(checkpoint: Any, for_resume: bool, size: int) -> None:
    check_schema(checkpoint, ResumableCheckpoint if for_resume else Checkpoint)
    check_data(checkpoint["config"], MAX_CONFIG_VALUES)
    check_weights(checkpoint["state_dict"].items(), size)
    if for_resume:
        for part in ("loops", "callbacks", "lr_schedulers"):
            check_data(checkpoint[part])
        check_weights(_moments(checkpoint["optimizer_states"]), size)


def _moments(optimizers: list[dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    """What optimizers remember of each tensor."""
    for place, optimizer in enumerate(optimizers):
        for parameter, state in optimizer["state"].items():
            for name, value in state.items():
                yield f"optimizer_states[{place}].state[{parameter}].{name}", value

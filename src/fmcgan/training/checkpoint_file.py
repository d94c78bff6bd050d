"""Safe reading of checkpoints: executes no code, rejects damaged and foreign files, names the invalid field."""

import io
import pickletools
import re
import zipfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, NotRequired, TypedDict

import torch
from msgspec import Meta, Struct, field
from torch import nn

from fmcgan.app import run_schema as schema
from fmcgan.app.errors import UserError
from fmcgan.app.renamed import upgrade_checkpoint
from fmcgan.app.run_schema import Count
from fmcgan.app.untrusted_data import MAX_CONFIG_VALUES, check_data, check_schema, read_file
from fmcgan.data.garments import info_of
from fmcgan.training.weights import LARGEST_FILE, check_fit, check_weights

CHECKPOINT_FORMAT = 3
"""Incremented when a change gives old weights another meaning. 1 (absent in the file): vectors were flattened channel
by channel. 2: networks contained their label embedding instead of a conditioning."""

Checkpoint = dict[str, Any]
"""Content of a checkpoint, whose types the schemas below check."""

_GLOBALS = re.compile(r"collections OrderedDict|torch \w+Storage|torch\._utils (_rebuild_tensor_v2|_rebuild_parameter)")
"""Globals in our checkpoints. torch allows more: byte arrays of any size, sparse tensors, empty tensors."""


def read_checkpoint(path: Path, for_resume: bool = False) -> Checkpoint:
    """Reads a checkpoint of this project. Check its configuration with `check_targets` before building from it.

    ``for_resume`` also checks the fields that training needs besides the generator.

    Raises:
        UserError: the file is damaged, has another format or is from another program, or a field is missing or wrong.
    """
    content = read_file(path, LARGEST_FILE)
    try:
        _check_archive(content)
        checkpoint = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # unpickling raises almost any type
        raise UserError(f"{path} cannot be read as a checkpoint: it is damaged or from another program") from error
    version = checkpoint.get("format", 1) if isinstance(checkpoint, dict) else CHECKPOINT_FORMAT
    if type(version) is int and version != CHECKPOINT_FORMAT and "state_dict" in checkpoint:
        raise UserError(
            f"{path} has checkpoint format {version}, but this version reads format {CHECKPOINT_FORMAT}: some weights "
            "are in another order. Use the version that wrote it (environment.json of its run names the commit)."
        )
    try:
        checkpoint = upgrade_checkpoint(checkpoint)
        check_schema(checkpoint, _ResumableCheckpoint if for_resume else _Checkpoint)
        check_data(checkpoint["config"], MAX_CONFIG_VALUES)
        checkpoint["config"]["dataset"] = info_of(checkpoint["config"]).as_config()  # older ones lack it
        check_weights(checkpoint["state_dict"].items(), len(content))
        if for_resume:
            for part in ("loops", "callbacks", "lr_schedulers"):
                check_data(checkpoint[part])
            check_weights(_optimizer_tensors(checkpoint["optimizer_states"]), len(content))
    except (ValueError, TypeError) as error:
        lacking = "cannot be resumed from" if for_resume else "is not a checkpoint of fmcgan"
        raise UserError(f"{path} {lacking}: {error}") from error
    return checkpoint


def check_resumable(path: Path, gan: nn.Module) -> None:
    """Checks that the weights and optimizer states of a checkpoint fit a GAN, which has `generator`, `discriminator`.

    Raises:
        UserError: names a tensor that is missing, unknown or of another shape.
    """
    checkpoint = read_checkpoint(path, for_resume=True)
    try:
        check_fit(gan, checkpoint["state_dict"])
        for name, optimizer in zip(("generator", "discriminator"), checkpoint["optimizer_states"], strict=True):
            _check_optimizer(name, list(getattr(gan, name).parameters()), optimizer)
    except ValueError as error:
        raise UserError(f"{path} cannot be resumed from: {error}") from error


def _check_optimizer(name: str, parameters: list[nn.Parameter], optimizer: Checkpoint) -> None:
    numbers = [number for group in optimizer["param_groups"] for number in group["params"]]
    if numbers != list(range(len(parameters))):
        raise ValueError(f"the optimizer of the {name} has {len(numbers)} tensors, not {len(parameters)}")
    if len({frozenset(state) for state in optimizer["state"].values()}) > 1:
        raise ValueError(f"the optimizer of the {name} has different states for different tensors")
    for number, state in optimizer["state"].items():
        shape = parameters[number].shape if number in numbers else None
        if any(value.shape not in (shape, ()) for value in state.values()):
            raise ValueError(f"the optimizer of the {name} has a state of another shape than tensor {number}")


def _check_archive(content: bytes) -> None:
    """Checks the checksum of every member, which torch does not, and the globals that the file would load."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        if any(each.compress_type != zipfile.ZIP_STORED for each in members):
            raise ValueError("compressed members")
        if sum(each.file_size for each in members) > len(content):
            raise ValueError("members that overlap")
        if archive.testzip() is not None:
            raise ValueError("a checksum does not fit")
        pickles = [archive.read(each) for each in members if each.filename.lower().endswith(".pkl")]
    for operation, value, _ in chain.from_iterable(map(pickletools.genops, pickles)):
        if operation.name in ("GLOBAL", "INST", "STACK_GLOBAL") and not _GLOBALS.fullmatch(str(value)):
            raise ValueError(f"loads the global {value}")


def _optimizer_tensors(optimizers: list[Checkpoint]) -> Iterator[tuple[str, object]]:
    for index, optimizer in enumerate(optimizers):
        for parameter, state in optimizer["state"].items():
            for name, value in state.items():
                yield f"optimizer_states[{index}].state[{parameter}].{name}", value


class _Networks(schema.Network, kw_only=True):
    generator: dict[str, object]


class _Config(schema.Config, kw_only=True):
    network: _Networks


class _Checkpoint(Struct, kw_only=True):
    """Fields needed to use the generator."""

    config: _Config
    state_dict: dict[str, object]
    images_seen: Count
    format: int = 1


class _Part(Struct):
    target: schema.Text = field(name="_target_")


class _TrainingConfig(schema.Training, kw_only=True):
    generator_optimizer: _Part
    discriminator_optimizer: _Part


class _TrainerConfig(schema.Trainer, kw_only=True):
    precision: schema.Name


class _BothNetworks(_Networks, kw_only=True):
    discriminator: dict[str, object]


class _RunConfig(_Config, kw_only=True):
    network: _BothNetworks
    augment: _Part
    regularizer: _Part
    training: _TrainingConfig
    trainer: _TrainerConfig
    data: schema.Built


class _Progress(Struct):
    total: dict[str, Count]
    current: dict[str, Count]


class _BatchProgress(_Progress, kw_only=True):
    is_last_batch: bool


class _OptimizerSteps(Struct):
    step: _Progress
    zero_grad: _Progress


class _OptimizerProgress(Struct):
    optimizer: _OptimizerSteps


class _LoaderStates(Struct):
    combined_loader: list[dict[str, object]] = []


class _EpochState(TypedDict, total=False):
    _batches_that_stepped: Count


_FitLoop = TypedDict(
    "_FitLoop",
    {
        "state_dict": _LoaderStates,
        "epoch_progress": _Progress,
        "epoch_loop.state_dict": _EpochState,
        "epoch_loop.batch_progress": _BatchProgress,
        "epoch_loop.manual_optimization.optim_step_progress": _Progress,
        "epoch_loop.manual_optimization.state_dict": NotRequired[dict[str, object]],
        "epoch_loop.scheduler_progress": NotRequired[_Progress],
        "epoch_loop.automatic_optimization.state_dict": NotRequired[dict[str, object]],
        "epoch_loop.automatic_optimization.optim_progress": NotRequired[_OptimizerProgress],
        "epoch_loop.val_loop.state_dict": NotRequired[dict[str, object]],
        "epoch_loop.val_loop.batch_progress": NotRequired[_BatchProgress],
    },
)
"""Counters of Lightning's loop; those of automatic optimization and validation are optional."""


class _Loops(Struct):
    fit_loop: _FitLoop


class _ParameterGroup(Struct):
    params: list[int]


class _Optimizer(Struct):
    state: dict[int, dict[str, object]]
    param_groups: Annotated[list[_ParameterGroup], Meta(min_length=1)]


class _MetricsLogger(Struct):
    seconds: schema.Seconds
    epoch_sums: dict[schema.Name, list[schema.Number]]
    epoch_means: schema.Numbers
    latest: schema.Numbers


class _Evaluation(Struct):
    results: schema.Scores
    seconds: schema.Seconds


class _Checkpointing(Struct):
    best: schema.Number | None


class _Callbacks(Struct):
    metrics_logger: _MetricsLogger | None = field(name="MetricsLogger", default=None)
    evaluation: _Evaluation | None = field(name="Evaluation", default=None)
    checkpointing: _Checkpointing | None = field(name="Checkpointing", default=None)


class _ResumableCheckpoint(_Checkpoint, kw_only=True):
    """Fields needed to resume training."""

    config: _RunConfig
    discriminator_updates: Count
    epoch: Count
    global_step: Count
    loops: _Loops
    optimizer_states: Annotated[list[_Optimizer], Meta(min_length=2, max_length=2)]
    lr_schedulers: list[object]
    callbacks: _Callbacks
    version: Annotated[str, Meta(pattern=r"^\d+\.\d+[\w.+-]*$", max_length=50)] = field(
        name="pytorch-lightning_version"
    )

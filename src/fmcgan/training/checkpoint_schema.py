"""Schemas of a checkpoint: what its generator needs, and what Lightning and this project need to resume training."""

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType, field

from fmcgan.app.run_schema import (
    Built,
    Config,
    Count,
    Name,
    Network,
    Number,
    Numbers,
    Scores,
    Seconds,
    Text,
    Trainer,
    Training,
)


class _Networks(Network, kw_only=True):
    generator: dict[str, Any]


class _Config(Config, kw_only=True):
    network: _Networks


class Checkpoint(Struct, kw_only=True):
    """What it takes to use the generator."""

    config: _Config
    state_dict: dict[str, Any]
    images_seen: Count
    format: int = 1


class _Part(Struct):
    target: Text = field(name="_target_")


class _TrainingConfig(Training, kw_only=True):
    generator_optimizer: _Part
    discriminator_optimizer: _Part


class _TrainerConfig(Trainer, kw_only=True):
    precision: Name


class _BothNetworks(_Networks, kw_only=True):
    discriminator: dict[str, Any]


class _RunConfig(_Config, kw_only=True):
    network: _BothNetworks
    augment: _Part
    regularizer: _Part
    training: _TrainingConfig
    trainer: _TrainerConfig
    data: Built


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
    combined_loader: list[dict[str, Any]] = []


class _EpochState(Struct):
    steps: Count = field(name="_batches_that_stepped", default=0)


class _FitLoop(Struct, kw_only=True):
    """Its counters; those that only other ways of training use may be missing, but not broken."""

    state: _LoaderStates = field(name="state_dict")
    epochs: _Progress = field(name="epoch_progress")
    epoch_state: _EpochState = field(name="epoch_loop.state_dict")
    batches: _BatchProgress = field(name="epoch_loop.batch_progress")
    steps: _Progress = field(name="epoch_loop.manual_optimization.optim_step_progress")
    manual: dict[str, Any] | UnsetType = field(name="epoch_loop.manual_optimization.state_dict", default=UNSET)
    schedulers: _Progress | UnsetType = field(name="epoch_loop.scheduler_progress", default=UNSET)
    automatic: dict[str, Any] | UnsetType = field(name="epoch_loop.automatic_optimization.state_dict", default=UNSET)
    optimizers: _OptimizerProgress | UnsetType = field(
        name="epoch_loop.automatic_optimization.optim_progress", default=UNSET
    )
    validation: dict[str, Any] | UnsetType = field(name="epoch_loop.val_loop.state_dict", default=UNSET)
    validated: _BatchProgress | UnsetType = field(name="epoch_loop.val_loop.batch_progress", default=UNSET)


class _Loops(Struct):
    fit_loop: _FitLoop


class _ParameterGroup(Struct):
    params: list[int]


class _Optimizer(Struct):
    state: dict[int, dict[str, Any]]
    param_groups: Annotated[list[_ParameterGroup], Meta(min_length=1)]


class _Recorder(Struct):
    seconds: Seconds
    epoch_sums: dict[Name, list[Number]]
    epoch_means: Numbers
    latest: Numbers


class _Evaluation(Struct):
    results: Scores
    seconds: Seconds


class _Checkpointing(Struct):
    best: Number | None


class _Callbacks(Struct):
    metrics_logger: _Recorder | None = field(name="MetricsLogger", default=None)
    evaluation: _Evaluation | None = field(name="Evaluation", default=None)
    checkpointing: _Checkpointing | None = field(name="Checkpointing", default=None)


class ResumableCheckpoint(Checkpoint, kw_only=True):
    """What it takes to resume training."""

    config: _RunConfig
    discriminator_updates: Count
    epoch: Count
    global_step: Count
    loops: _Loops
    optimizer_states: Annotated[list[_Optimizer], Meta(min_length=2, max_length=2)]
    lr_schedulers: list[Any]
    callbacks: _Callbacks
    version: Annotated[str, Meta(pattern=r"^\d+\.\d+[\w.+-]*$", max_length=50)] = field(
        name="pytorch-lightning_version"
    )

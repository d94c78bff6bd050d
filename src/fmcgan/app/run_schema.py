"""Schemas of the files of a run: the fields that readers use. Other keys are allowed, as other versions wrote them."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

Number = Annotated[float, Meta(ge=-1e39, le=1e39)]  # a finite number in the range of float32
Count = Annotated[int, Meta(ge=0, le=10**15)]
Seconds = Annotated[float, Meta(ge=0, le=1e12)]
Name = Annotated[str, Meta(max_length=200)]
Text = Annotated[str, Meta(max_length=20_000)]
Overrides = Annotated[list[Text], Meta(max_length=1000)] | None
"""``.hydra/overrides.yaml``; null if the process was killed before it wrote them."""
Numbers = Annotated[dict[Name, Number | None], Meta(max_length=1000)]


class Dataset(Struct):
    """Classes and shape of the images of a run; older files, which lack it, are of Fashion-MNIST's."""

    name: Name
    class_names: Annotated[list[Name], Meta(max_length=1000)]
    channels: Count
    size: Count
    flips: bool


class Built(Struct):
    """A node with a ``_target_``."""

    target: Text | None = field(name="_target_", default=None)


class Score(Struct):
    """One entry of ``scores``, as `fmcgan.metric.evaluation.Results` describes it."""

    value: Number | None
    better: Literal["lower", "higher", "real"]
    n: Count
    floor: Number | None = None
    interval: tuple[Number, Number] | None = None
    baselines: Numbers = {}
    by_class: list[Number | None] | None = None
    floor_by_class: list[Number | None] | None = None


Scores = Annotated[dict[Name, Score], Meta(max_length=1000)]


class _Best(Struct):
    images_seen: Count
    scores: Scores


class Result(Struct):
    """``result.json``."""

    status: Name
    images_seen: Count
    training_seconds: Seconds
    scores: Scores
    hardware: Text = ""
    command: Text = ""
    images_per_second: Number | None = None
    final: Numbers = {}
    parameters: dict[Name, Count] = {}
    seed: Count | None = None
    best: _Best | None = None
    has_decision_boundary: bool | None = None
    dataset: Dataset | None = None


class Row(Struct):
    """A row of ``metrics.jsonl``, beside its `Numbers`."""

    images_seen: Count
    seconds: Seconds


class _Git(Struct):
    commit: Name | None = None
    changed: bool | None = None


class Environment(Struct):
    """``environment.json``."""

    overrides: Overrides = None
    date: Name | None = None
    command: Text | None = None
    python: Name | None = None
    packages: dict[Name, Name | None] = {}
    platform: Text | None = None
    hardware: Text | None = None
    precision: Name | None = None
    git: _Git | None = None
    has_decision_boundary: bool | None = None


class _EvaluationFindings(Struct):
    agreement_matrix: Annotated[list[Annotated[list[Count], Meta(max_length=1000)]], Meta(max_length=1000)] | None = (
        None
    )


class Evaluation(Struct):
    """``evaluation.json``."""

    scores: Scores
    images_seen: Count | None = None
    weights: Name | None = None
    truncation: float = 1.0
    train_sha256: Name | None = None
    test_sha256: Name | None = None
    seconds_by_score: Numbers = {}
    dataset: Dataset | None = None
    findings: _EvaluationFindings = field(default_factory=_EvaluationFindings)


class Findings(Struct):
    """What a later analysis reads from ``findings.json``."""

    files: list[Name]


Trackers = Annotated[dict[Name, Annotated[str, Meta(pattern=r"^[\w-]{1,64}$")]], Meta(max_length=100)]
"""``trackers.json``: the id of the run by service."""
Precisions = Annotated[dict[Name, Literal["32-true", "bf16-mixed"]], Meta(max_length=1000)]
"""``.precision.json`` of a sweep: the faster precision by hash of the setting."""


class Network(Struct):
    """The group ``network``."""

    generator: dict[str, object] = {}
    discriminator: dict[str, object] = {}


class Training(Struct):
    """The group ``training``."""

    generator_clip: Number | None = None
    discriminator_clip: Number | None = None


class Trainer(Struct):
    """The group ``trainer``."""

    max_epochs: Annotated[int, Meta(ge=-1, le=10**15)] | None = None
    precision: Name | None = None


class _EvaluationCallback(Struct):
    seed: Count | None = None


class _Callbacks(Struct):
    evaluation: _EvaluationCallback | None = None


class Config(Struct):
    """``config.yaml``, and the configuration in a checkpoint or an exported generator."""

    seed: Count | None = None
    network: Network = field(default_factory=Network)
    data: Built | None = None
    dataset: Dataset | None = None
    loss: Built | None = None
    training: Training | None = None
    trainer: Trainer | None = None
    callback: _Callbacks | None = None


class _Measured(Struct):
    value: Number | None
    real: Number | None


class Exported(Struct):
    """The header of an exported generator."""

    generator: dict[str, object]
    config: Config
    images_seen: Count
    weights: Literal["ema", "raw"]
    sha256: Name
    command: Text | None = None
    seed: Count | None = None
    dtype: Name | None = None
    environment: dict[Name, object] = {}
    data: dict[Name, object] = {}
    scores: dict[Name, Annotated[dict[Name, _Measured], Meta(max_length=1000)]] = {}
    licence: Text | None = None

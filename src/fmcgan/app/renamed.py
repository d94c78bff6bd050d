"""Old names of keys, options and classes; they work for one release.

They are replaced on the command line, in saved overrides, and in configurations read from files.
"""

import logging
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf, open_dict

log = logging.getLogger(__name__)

_KEYS = {
    "penalty@loss.penalty": "penalty",
    "loss.penalty": "penalty",
    "loss.adversarial": "loss",
    "callback.recorder": "callback.metrics_logger",
    "callback.run_record": "callback.run_info",
    "callback.checkpointing.best_by": "callback.checkpointing.monitor",
    "training.capture": "training.cuda_graphs",
    "training.schedules.*.start": "training.schedules.*.start_value",
    "training.schedules.*.end": "training.schedules.*.end_value",
    "training.schedules.*.begin": "training.schedules.*.start_images",
    "training.schedules.*.until": "training.schedules.*.end_images",
    "replicates": "bootstrap_samples",
    "rows": "baselines",
}
"""New keys by old ones; ``*`` is any one name."""

_OPTIONS = {
    "penalty": {
        "zero_centered": "r1",
        "zero_centered_fake": "r2",
        "zero_centered_both": "r1_r2",
        "interpolated": "wgan_gp",
        "interpolated_one_sided": "wgan_lp",
    },
    "callback": {"recorder": "metrics_logger", "run_record": "run_info"},
    "baselines": {"noise": "uniform_noise", "copies": "training_copies"},
}
"""New options by old ones, for each (new) key."""

_SIBLING_KEYS = [
    (above, name, new.rpartition(".")[2])
    for above, _, name, new in ((*old.rpartition("."), new) for old, new in _KEYS.items())
    if above and above == new.rpartition(".")[0]
]
"""Keys renamed within one mapping: its key, the old and the new name."""

_CLASSES = {
    "fmcgan.callback.recorder.Recorder": "fmcgan.callback.metrics_logger.MetricsLogger",
    "fmcgan.callback.run_record.RunRecord": "fmcgan.callback.run_info.RunInfo",
    "fmcgan.metric.frechet_scores.FrechetDistance": "fmcgan.metric.frechet.FrechetDistance",
    "fmcgan.metric.frechet_scores.ClassFrechetDistance": "fmcgan.metric.frechet.ClassFrechetDistance",
}

_WITHOUT_DECISION_BOUNDARY = (
    "fmcgan.loss.wasserstein.Wasserstein",
    "fmcgan.loss.wasserstein.ClippedWasserstein",
    "fmcgan.loss.relativistic.Relativistic",
)
"""Losses without a decision boundary, for old runs that did not record `has_decision_boundary`."""


def rename_overrides(overrides: Iterable[str], warn: bool = False) -> list[str]:
    """Replaces old names in overrides, also in sweeps, in lists and behind ``+`` or ``~``.

    Invalid overrides are returned unchanged. With `warn`, logs one warning for each old name.
    """
    renamed: dict[str, str] = {}
    texts = [_rename(text, renamed) for text in overrides]
    for old, new in renamed.items() if warn else ():
        log.warning("%s is now %s; the old name works in this release only", old, new)
    return texts


def _rename(override: str, renamed: dict[str, str]) -> str:
    """Replaces old names in one override; adds each of them, and its new name, to ``renamed``."""
    head, equals, value = override.partition("=")
    prefix, key, space = re.fullmatch(r"([+~]*)(.*?)(\s*)", head, re.DOTALL).groups()  # type: ignore[union-attr]
    for old, new in _KEYS.items():
        if found := re.fullmatch(rf"{_pattern(old)}((?:\..*)?)", key, re.DOTALL):
            key = new.replace("*", found[1]) + found[found.lastindex or 0]
            renamed[old] = new
            break
    for old, new in _renamed_values(key).items():
        value, count = re.subn(rf"(?<![\w./-]){old}(?![\w./-])", new, value)
        if count:
            renamed[f"{key}={old}"] = f"{key}={new}"
    return f"{prefix}{key}{space}{equals}{value}"


def _renamed_values(key: str) -> dict[str, str]:
    """Returns new by old names in values of a key: options, and keys of a mapping such as ``{best_by: fd}``."""
    keys = {name: new for above, name, new in _SIBLING_KEYS if re.fullmatch(_pattern(above), key)}
    return _OPTIONS.get(key.partition("@")[0], {}) | keys


def _pattern(key: str) -> str:
    return re.escape(key).replace(r"\*", r"(\w+)")


def upgrade_config(config: dict[str, Any]) -> dict[str, Any]:
    """Replaces old keys and class paths in the configuration of a run."""
    config = dict(config)
    loss = config.get("loss")
    if isinstance(loss, dict) and "_target_" not in loss and isinstance(loss.get("adversarial"), dict):
        config |= {"loss": loss["adversarial"], "penalty": loss.get("penalty")}
    for above, name, new in _SIBLING_KEYS:
        for node in _nodes_at(config, above.split(".")):
            if name in node:
                node.setdefault(new, node.pop(name))
    for path in (["callback", "*"], ["metric", "*"], ["callback", "*", "scores", "*"]):
        for node in _nodes_at(config, path):
            if isinstance(target := node.get("_target_"), str):
                node["_target_"] = _CLASSES.get(target, target)
    _drop_default_spectral_norm(config)
    return config


def _drop_default_spectral_norm(config: dict[str, Any]) -> None:
    """Removes ``spectral_norm: false`` from networks: the default, which only older releases wrote."""
    for node in _nodes_at(config, ["network", "*"]):
        if node.get("spectral_norm") is False:
            del node["spectral_norm"]


def _nodes_at(node: Any, names: list[str]) -> Iterator[dict[str, Any]]:
    """Yields the mappings at a path of keys, except the parameters of a user's own class."""
    if not isinstance(node, dict):
        return
    if not names:
        if _is_builtin(node):
            yield node
        return
    for each in list(node.values()) if names[0] == "*" else [node.get(names[0])]:
        yield from _nodes_at(each, names[1:])


def _is_builtin(node: Any) -> bool:
    """Whether a mapping belongs to no class outside fmcgan, whose parameters may have any name."""
    target = node.get("_target_", "fmcgan.")
    return isinstance(target, str) and target.startswith("fmcgan.")


def register_options() -> None:
    """Registers old options, which a user's own yaml may name in its defaults list."""
    for group in ("penalty", "callback"):
        for old, new in _OPTIONS[group].items():
            ConfigStore.instance().store(name=old, group=group, node={"defaults": [new]})


def upgrade_composed(config: DictConfig, typed: Collection[str]) -> None:
    """Moves values of old keys, from a user's own yaml, to the new keys in place, with a warning for each old key.

    Keys given on the command line (`typed`) take precedence.
    """
    for old, new in _KEYS.items():
        for above, matched in _parents(config, old):
            key, name = new.replace("*", matched), old.rpartition(".")[2]
            node = OmegaConf.select(config, above)
            if not isinstance(node, DictConfig) or name not in node or not _is_builtin(node):
                continue
            log.warning("a yaml sets %s.%s, which is now %s; the old name works in this release only", above, name, key)
            with open_dict(config):
                value = node.pop(name)
                is_part = not isinstance(value, DictConfig) or "_target_" in value
                for each in () if is_part else [each for each in value if f"{key}.{each}" in typed]:
                    del value[each]
                if key not in typed or old.startswith(f"{new}."):  # or loss=mine, whose yaml has the old key
                    OmegaConf.update(config, key, value, merge=not is_part, force_add=True)


def _parents(config: DictConfig, old: str) -> list[tuple[str, str]]:
    """Returns the keys of mappings that may hold an old key, and what ``*`` matches in each."""
    above = old.rpartition(".")[0]
    if "*" not in above:
        return [(above, "")] if above and "@" not in above else []
    named = OmegaConf.select(config, above.removesuffix(".*"))
    return [(above.replace("*", each), each) for each in map(str, named)] if isinstance(named, DictConfig) else []


def upgrade_checkpoint(checkpoint: Any) -> Any:
    """Replaces old keys in the configuration of a checkpoint, and old names of its callbacks."""
    if not isinstance(checkpoint, dict):
        return checkpoint
    if isinstance(config := checkpoint.get("config"), dict):
        checkpoint["config"] = upgrade_config(config)
    if isinstance(callbacks := checkpoint.get("callbacks"), dict):
        short = {old.rpartition(".")[2]: new.rpartition(".")[2] for old, new in _CLASSES.items()}
        checkpoint["callbacks"] = {short.get(name, name): state for name, state in callbacks.items()}
    return checkpoint


def had_decision_boundary(config: dict[str, Any]) -> bool:
    """Whether a positive logit meant "real" in a run that did not record it, from its upgraded configuration."""
    loss = config.get("loss") or {}
    return loss.get("_target_") not in _WITHOUT_DECISION_BOUNDARY

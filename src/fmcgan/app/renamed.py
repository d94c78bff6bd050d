"""Old names of keys, options and classes; they work for one release.

One table serves what the user types, the overrides that a run folder saved, and configurations read from files.
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
"""Old key: new key; ``*`` is any one name."""

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
"""For each (new) key: old option: new option."""

_WITHIN = [
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
"""Losses of the releases whose runs did not record `has_decision_boundary`."""


def rename_overrides(overrides: Iterable[str], warn: bool = False) -> list[str]:
    """Replaces old names in overrides, also in sweeps, in lists and behind ``+`` or ``~``.

    Args:
        overrides: such as ``penalty@loss.penalty=interpolated``; what cannot be parsed is returned unchanged.
        warn: logs one warning for each old name.
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
    for old, new in _words(key).items():
        value, count = re.subn(rf"(?<![\w./-]){old}(?![\w./-])", new, value)
        if count:
            renamed[f"{key}={old}"] = f"{key}={new}"
    return f"{prefix}{key}{space}{equals}{value}"


def _words(key: str) -> dict[str, str]:
    """Old words in the value of a key: options of a group, and keys of a mapping such as ``{best_by: fd}``."""
    keys = {name: new for above, name, new in _WITHIN if re.fullmatch(_pattern(above), key)}
    return _OPTIONS.get(key.partition("@")[0], {}) | keys


def _pattern(key: str) -> str:
    return re.escape(key).replace(r"\*", r"(\w+)")


def upgrade_config(config: dict[str, Any]) -> dict[str, Any]:
    """Returns the configuration of a run, read from a file, with today's keys; other content is left unchanged."""
    config = dict(config)
    loss = config.get("loss")
    if isinstance(loss, dict) and "_target_" not in loss and isinstance(loss.get("adversarial"), dict):
        config |= {"loss": loss["adversarial"], "penalty": loss.get("penalty")}
    for above, name, new in _WITHIN:
        for node in _nodes_at(config, above.split(".")):
            if name in node:
                node.setdefault(new, node.pop(name))
    for place in (["callback", "*"], ["metric", "*"], ["callback", "*", "scores", "*"]):
        for node in _nodes_at(config, place):
            if isinstance(target := node.get("_target_"), str):
                node["_target_"] = _CLASSES.get(target, target)
    _drop_default_spectral_norm(config)
    return config


def _drop_default_spectral_norm(config: dict[str, Any]) -> None:
    """Removes ``spectral_norm: false`` from networks, which only configurations of older releases spell out."""
    for node in _nodes_at(config, ["network", "*"]):
        if node.get("spectral_norm") is False:
            del node["spectral_norm"]


def _nodes_at(node: Any, names: list[str]) -> Iterator[dict[str, Any]]:
    """The mappings at a dotted key that the user's own classes do not fill."""
    if not isinstance(node, dict):
        return
    if not names:
        if _is_ours(node):
            yield node
        return
    below = list(node.values()) if names[0] == "*" else [node.get(names[0])]
    for each in below:
        yield from _nodes_at(each, names[1:])


def _is_ours(node: Any) -> bool:
    """Whether a mapping is not filled by a class from outside the project, whose arguments may bear any name."""
    target = node.get("_target_", "fmcgan.")
    return isinstance(target, str) and target.startswith("fmcgan.")


def register_options() -> None:
    """Makes Hydra find old options, which a user's own yaml may name in its defaults list."""
    for group in ("penalty", "callback"):
        for old, new in _OPTIONS[group].items():
            ConfigStore.instance().store(name=old, group=group, node={"defaults": [new]})


def upgrade_composed(config: DictConfig, typed: Collection[str]) -> None:
    """Moves what a user's own yaml sets under old keys to the new ones, with one warning for each old key.

    Args:
        config: composed; changed in place.
        typed: keys of the command line, whose values are kept.
    """
    for old, new in _KEYS.items():
        for above, place in _parents(config, old):
            key, name = new.replace("*", place), old.rpartition(".")[2]
            node = OmegaConf.select(config, above)
            if not isinstance(node, DictConfig) or name not in node or not _is_ours(node):
                continue
            log.warning("a yaml sets %s.%s, which is now %s; the old name works in this release only", above, name, key)
            with open_dict(config):
                value = node.pop(name)
                is_part = not isinstance(value, DictConfig) or "_target_" in value
                for each in () if is_part else [each for each in value if f"{key}.{each}" in typed]:
                    del value[each]
                if key not in typed or old.startswith(f"{new}."):  # loss=mine is the choice that brought this value
                    OmegaConf.update(config, key, value, merge=not is_part, force_add=True)


def _parents(config: DictConfig, old: str) -> list[tuple[str, str]]:
    """Keys of the mappings that may hold an old key, and what ``*`` is in each."""
    above = old.rpartition(".")[0]
    if "*" not in above:
        return [(above, "")] if above and "@" not in above else []
    named = OmegaConf.select(config, above.removesuffix(".*"))
    return [(above.replace("*", each), each) for each in map(str, named)] if isinstance(named, DictConfig) else []


def upgrade_checkpoint(checkpoint: Any) -> Any:
    """Renames what a checkpoint holds: keys of its configuration, and callbacks whose state it has."""
    if not isinstance(checkpoint, dict):
        return checkpoint
    if isinstance(config := checkpoint.get("config"), dict):
        checkpoint["config"] = upgrade_config(config)
    if isinstance(callbacks := checkpoint.get("callbacks"), dict):
        short = {old.rpartition(".")[2]: new.rpartition(".")[2] for old, new in _CLASSES.items()}
        checkpoint["callbacks"] = {short.get(name, name): state for name, state in callbacks.items()}
    return checkpoint


def had_decision_boundary(config: dict[str, Any]) -> bool:
    """Whether a positive logit meant "real" in a run that did not record it.

    Args:
        config: of the run, upgraded.
    """
    loss = config.get("loss") or {}
    return loss.get("_target_") not in _WITHOUT_DECISION_BOUNDARY

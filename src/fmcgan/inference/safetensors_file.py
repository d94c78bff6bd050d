"""The file of an exported generator: its weights, and in the header what they are, where they come from, their scores.

It is a safetensors file (https://github.com/huggingface/safetensors): numbers and text, nothing that could be executed.
The text is one JSON object under the key ``fmcgan``.
"""

import hashlib
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from fmcgan.app import run_dir
from fmcgan.app.errors import UserError
from fmcgan.app.given_file import check_file
from fmcgan.app.plain import check_plain, check_schema
from fmcgan.app.renamed import upgrade_config
from fmcgan.app.run_files import read_environment, read_evaluation, read_result
from fmcgan.app.run_schema import Exported
from fmcgan.training.checkpoint_file import CHECKPOINT_FORMAT
from fmcgan.training.weights import LARGEST_FILE, check_weights

SUFFIX = ".safetensors"
FORMAT = 1
"""Of the header: raised when a key changes its meaning."""

EVALUATION = "evaluation.json"
DTYPES = {"float32": torch.float32, "float16": torch.float16}

_KEY = "fmcgan"
_REAL_DATA = "fmcgan.data.fashion_mnist.FashionMNISTData"


def write_generator(path: Path, state: Mapping[str, Tensor], about: Mapping[str, Any], dtype: str = "float32") -> None:
    """Writes an exported generator, whole or not at all.

    Args:
        path: the file, whose folder is made; its name ends in `SUFFIX`.
        state: the generator's state dict.
        about: plain types: ``generator`` (the configuration that builds it), ``config`` (of its run), ``images_seen``,
            ``weights`` (``"ema"`` or ``"raw"``) and whatever else is known, such as `provenance`.
        dtype: of the weights in the file, a key of `DTYPES`; whole numbers stay what they are.

    Raises:
        UserError: it cannot be written, or a weight is beyond the range of ``dtype``.
    """
    tensors = {name: _stored(value, DTYPES[dtype]) for name, value in sorted(state.items())}
    broken = [name for name, value in tensors.items() if value.is_floating_point() and not value.isfinite().all()]
    if broken:
        raise UserError(f"weights that are no finite {dtype} numbers: {', '.join(broken)}; nothing was exported")
    header = {"format": FORMAT, "checkpoint_format": CHECKPOINT_FORMAT, **about}
    header |= {"dtype": dtype, "sha256": _fingerprint(tensors)}
    path.parent.mkdir(parents=True, exist_ok=True)
    run_dir.write_atomically(path, save(tensors, {_KEY: json.dumps(header, allow_nan=False)}))


def read_generator(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Reads an exported generator; nothing in the file is executed, and its configuration is not trusted yet.

    Returns:
        The state dict, in the dtype of the file, and the header.

    Raises:
        UserError: damaged, of another program, or of another format.
    """
    check_file(path, LARGEST_FILE)
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is not iterable)
            text = (file.metadata() or {}).get(_KEY)
    except Exception as error:  # a kind of tensor that torch lacks is an AttributeError
        raise UserError(f"{path} cannot be read as a generator: it is damaged or of another program") from error
    if text is None:
        raise UserError(f"{path} is not a generator that fmcgan exported: its header does not say {_KEY}")
    header = _header(path, text)
    try:
        check_weights(tensors.items(), path.stat().st_size)
    except ValueError as error:
        raise UserError(f"{path} is not a generator that fmcgan exported: {error}") from error
    if header["sha256"] != _fingerprint(tensors):
        raise UserError(f"{path} is damaged: the SHA-256 of its weights is not the one in its header")
    return tensors, header


def _header(path: Path, text: str) -> dict[str, Any]:
    """What a header says.

    Raises:
        UserError: it is damaged, of another format, or lacks something.
    """
    try:
        header = json.loads(text)
        check_plain(header)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} cannot be read as a generator: its header is damaged") from error
    header = header if isinstance(header, dict) else {}
    found = (header.get("format"), header.get("checkpoint_format"))
    if found != (FORMAT, CHECKPOINT_FORMAT):
        raise UserError(
            f"{path} is of format {str(found[0])[:20]} with weights of format {str(found[1])[:20]}, this program reads "
            f"{FORMAT} with {CHECKPOINT_FORMAT}; use it with the version that made it (its header names the commit)"
        )
    try:
        check_schema(header, Exported)
    except ValueError as error:
        raise UserError(f"{path} is not a generator that fmcgan exported: in its header, {error}") from error
    return header | {"config": upgrade_config(header["config"])}


def provenance(folder: Path | None, about: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of a generator beside its weights.

    Paths and addresses of the machine that trained it are left out: they would mean nothing elsewhere.

    Args:
        folder: of its run; ``None``: only its configuration is known.
        about: ``config``, ``images_seen`` and ``weights``.

    Returns:
        ``config`` without places, ``seed``, ``command``, ``environment`` (versions, git commit, precision, hardware),
        ``data`` (checksums), ``licence`` and ``scores``: by file of the run, the scores of exactly these weights. What
        is not known is ``None`` or empty.

    Raises:
        UserError: a file of the run is damaged.
    """
    config = without_places(about["config"])
    environment, result, evaluation = ({}, {}, {}) if folder is None else _records(folder)
    overrides = environment.get("overrides")
    command = shlex.join(["python", "-m", "fmcgan.train", *without_places(overrides or [])])
    kept = ("date", "python", "packages", "hardware", "precision", "git")
    measured = {run_dir.RESULT: _of_result(result, about), EVALUATION: _of_evaluation(evaluation, about)}
    return {
        "config": config,
        "seed": config.get("seed"),
        "command": None if overrides is None else command,
        "environment": {name: environment[name] for name in kept if name in environment},
        "data": _checksums(config, evaluation),
        "scores": {name: scores for name, scores in measured.items() if scores},
        "licence": "MIT",
    }


def _records(folder: Path) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """What a run says of its making, its result and its evaluation; empty where it says nothing."""
    environment = read_environment(folder / run_dir.ENVIRONMENT)
    return environment or {}, read_result(folder / run_dir.RESULT) or {}, read_evaluation(folder / EVALUATION) or {}


def without_places(node: Any) -> Any:
    """A configuration, or a list of overrides, without what names a place: an absolute path or an address."""
    if isinstance(node, Mapping):
        return {name: without_places(value) for name, value in node.items() if not _is_place(value)}
    if isinstance(node, list | tuple):
        return [without_places(value) for value in node if not _is_place(value)]
    return node


def _is_place(value: Any) -> bool:
    text = value.rpartition("=")[2].strip("'\"") if isinstance(value, str) else ""
    return "://" in text or text.startswith("~") or Path(text).is_absolute()


def _of_result(result: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    """Scores of the last or the best weights; a run scores its moving average only."""
    if about["weights"] != "ema":
        return {}
    for each in (result, result.get("best") or {}):
        if each.get("images_seen") == about["images_seen"]:
            return _scores(each)
    return {}


def _of_evaluation(evaluation: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    same = all(evaluation.get(name) == about[name] for name in ("images_seen", "weights"))
    return _scores(evaluation) if same else {}


def _scores(record: Mapping[str, Any]) -> dict[str, Any]:
    """Of each score its value and what real images get."""
    return {name: {"value": each["value"], "real": each.get("floor")} for name, each in record["scores"].items()}


def _checksums(config: Mapping[str, Any], evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """MD5 of the data files, against which every load checks them, and SHA-256 of the images, if it was evaluated."""
    checksums = {name: evaluation[name] for name in ("train_sha256", "test_sha256") if name in evaluation}
    if (config.get("data") or {}).get("_target_") == _REAL_DATA:
        from torchvision.datasets import FashionMNIST

        return {"md5": dict(FashionMNIST.resources), **checksums}
    return checksums


def _stored(value: Tensor, dtype: torch.dtype) -> Tensor:
    """A tensor as it lies in the file: on the CPU, in the order of its shape, floats in ``dtype``."""
    return value.detach().to("cpu", dtype if value.is_floating_point() else value.dtype).contiguous().clone()


def _fingerprint(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of names, kinds, shapes and values: safetensors itself does not notice a changed value."""
    digest = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()

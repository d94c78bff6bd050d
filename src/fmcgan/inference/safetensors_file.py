"""Reads and writes exported generators: weights, with configuration, provenance and scores in the header.

An exported generator is a safetensors file (https://github.com/huggingface/safetensors), which holds numbers and text,
and no code. The text is one JSON object under the key ``fmcgan``.
"""

import hashlib
import json
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from fmcgan.app import run_dir
from fmcgan.app.errors import UserError
from fmcgan.app.renamed import upgrade_config
from fmcgan.app.run_files import Record, read_environment, read_evaluation, read_result
from fmcgan.app.run_schema import Exported
from fmcgan.app.untrusted_data import check_data, check_file, check_schema
from fmcgan.data.garments import info_of
from fmcgan.training.checkpoint_file import CHECKPOINT_FORMAT
from fmcgan.training.weights import LARGEST_FILE, check_weights

SUFFIX = ".safetensors"
FORMAT = 1  # of the header; increased when a key changes its meaning
DTYPES = {"float32": torch.float32, "float16": torch.float16}

Metadata = Record  # the header: ``generator``, ``config``, ``images_seen``, ``weights``, and more (`provenance`)

_KEY = "fmcgan"
_REAL_DATA = "fmcgan.data.fashion_mnist.FashionMNISTData"


def write_generator(path: Path, state: Mapping[str, Tensor], about: Metadata, dtype: str = "float32") -> None:
    """Writes an exported generator atomically.

    Args:
        path: the file, with the suffix `SUFFIX`; its folder is created.
        state: the generator's state dict.
        about: plain types: ``generator`` (the configuration that builds it), ``config`` (of its run), ``images_seen``,
            ``weights`` (``"ema"`` or ``"raw"``) and other metadata, such as `provenance`.
        dtype: of the weights in the file, a key of `DTYPES`. Integers are not converted.

    Raises:
        UserError: the file cannot be written, or a weight is out of range of ``dtype``.
    """
    tensors = {}
    for name, value in sorted(state.items()):
        converted = value.detach().to("cpu", DTYPES[dtype] if value.is_floating_point() else value.dtype)
        tensors[name] = converted.contiguous().clone()
    check_finite(tensors, dtype)
    header = {"format": FORMAT, "checkpoint_format": CHECKPOINT_FORMAT, **about}
    header |= {"dtype": dtype, "sha256": _fingerprint(tensors)}
    path.parent.mkdir(parents=True, exist_ok=True)
    run_dir.write_atomically(path, save(tensors, {_KEY: json.dumps(header, allow_nan=False)}))


def check_finite(tensors: Mapping[str, Tensor], dtype: str) -> None:
    """Refuses to export NaN or infinite weights: raises a `UserError` that names the tensors."""
    broken = [name for name, value in tensors.items() if value.is_floating_point() and not value.isfinite().all()]
    if broken:
        raise UserError(f"some weights are not finite as {dtype}: {', '.join(broken)}; nothing was exported")


def read_generator(path: Path) -> tuple[dict[str, Tensor], Metadata]:
    """Reads an exported generator. Executes nothing; the caller must check the configuration.

    Returns the state dict, in the dtype of the file, and the header. Raises `UserError` if the file is damaged, of
    another program, or of another format.
    """
    check_file(path, LARGEST_FILE)
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is not iterable)
            text = (file.metadata() or {}).get(_KEY)
    except Exception as error:  # an unknown dtype raises AttributeError
        raise UserError(f"{path} is not a readable generator: it is damaged or of another program") from error
    if text is None:
        raise UserError(f"{path} is not a generator of fmcgan: its header has no key {_KEY}")
    header = _header(path, text)
    try:
        check_weights(tensors.items(), path.stat().st_size)
    except ValueError as error:
        raise UserError(f"{path} is not a generator of fmcgan: {error}") from error
    if header["sha256"] != _fingerprint(tensors):
        raise UserError(f"{path} is damaged: the SHA-256 of its weights differs from its header")
    return tensors, header


def _header(path: Path, text: str) -> Metadata:
    try:
        header = json.loads(text)
        check_data(header)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not a readable generator: its header is damaged") from error
    header = header if isinstance(header, dict) else {}
    found = (header.get("format"), header.get("checkpoint_format"))
    if found != (FORMAT, CHECKPOINT_FORMAT):
        raise UserError(
            f"{path} has format {str(found[0])[:20]} and weights of format {str(found[1])[:20]}; this version reads "
            f"format {FORMAT} and weights of format {CHECKPOINT_FORMAT}. Use the version that exported it (its header "
            "names the commit)"
        )
    try:
        check_schema(header, Exported)
    except ValueError as error:
        raise UserError(f"{path} is not a generator of fmcgan: in its header, {error}") from error
    return header | {"config": upgrade_config(header["config"])}


def provenance(folder: Path | None, about: Metadata) -> Metadata:
    """Collects the metadata of a generator from its run, without paths and addresses of the training machine.

    Args:
        folder: of its run; ``None`` if only its configuration is known. `UserError` if a file in it is damaged.
        about: ``config``, ``images_seen`` and ``weights``.

    Returns:
        ``config`` without paths, ``seed``, ``command``, ``environment`` (versions, git commit, precision, hardware),
        ``data`` (MD5 of the files, SHA-256 of the evaluated images), ``licence`` and ``scores``: by file of the run,
        the scores of exactly these weights. Unknown values are ``None`` or empty.
    """
    config = without_paths(about["config"]) | {
        "dataset": info_of(about["config"]).as_config()
    }  # names may look like paths
    readers = {run_dir.ENVIRONMENT: read_environment, run_dir.RESULT: read_result, run_dir.EVALUATION: read_evaluation}
    environment, result, evaluation = ((folder and read(folder / name)) or {} for name, read in readers.items())
    overrides = environment.get("overrides")
    command = shlex.join(["python", "-m", "fmcgan.train", *without_paths(overrides or [])])
    exported = ("date", "python", "packages", "hardware", "precision", "git")
    # A run evaluates its moving average only.
    of_run = [each | {"weights": "ema"} for each in (result, result.get("best") or {})]
    evaluated = [evaluation] if evaluation.get("truncation", 1.0) == 1 else []  # other images than those of the weights
    scores = {run_dir.RESULT: _scores(of_run, about), run_dir.EVALUATION: _scores(evaluated, about)}
    checksums: Record = {name: evaluation[name] for name in ("train_sha256", "test_sha256") if name in evaluation}
    if (config.get("data") or {}).get("_target_") == _REAL_DATA:
        from torchvision.datasets import FashionMNIST

        checksums = {"md5": dict(FashionMNIST.resources), **checksums}
    return {
        "config": config,
        "seed": config.get("seed"),
        "command": None if overrides is None else command,
        "environment": {name: environment[name] for name in exported if name in environment},
        "data": checksums,
        "scores": {name: each for name, each in scores.items() if each},
        "licence": "MIT",
    }


def _scores(records: Iterable[Record], about: Metadata) -> Record:
    """Returns the scores in the first record of exactly these weights, each with the value of real images."""
    for record in records:
        if all(record.get(name) == about[name] for name in ("images_seen", "weights")):
            scores = record["scores"].items()
            return {name: {"value": each["value"], "real": each.get("floor")} for name, each in scores}
    return {}


def without_paths(node: object) -> Any:
    """Removes absolute paths and addresses from a configuration or a list of overrides."""
    if isinstance(node, Mapping):
        return {name: without_paths(value) for name, value in node.items() if not _is_path(value)}
    if isinstance(node, list | tuple):
        return [without_paths(value) for value in node if not _is_path(value)]
    return node


def _is_path(value: object) -> bool:
    text = value.rpartition("=")[2].strip("'\"") if isinstance(value, str) else ""
    return "://" in text or text.startswith("~") or Path(text).is_absolute()


def _fingerprint(tensors: Mapping[str, Tensor]) -> str:
    """Returns the SHA-256 of names, dtypes, shapes and values. Safetensors itself has no checksum."""
    digest = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()

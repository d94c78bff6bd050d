"""The jobs of a sweep: names of their folders, so that a sweep started again finds them, marks and states."""

import contextlib
import functools
import hashlib
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from fmcgan.app import run_dir
from fmcgan.app.errors import UserError
from fmcgan.app.overrides import quoted, shell_command
from fmcgan.app.renamed import rename_overrides
from fmcgan.app.run_files import read_overrides
from fmcgan.app.run_lock import is_locked

_VALUE = r"[\w.-]*[A-Za-z0-9.]"
_UNAMBIGUOUS = re.compile(
    rf"[+~]*(experiment=[\w/]+|[\w/@-]+=\[{_VALUE}\]|(?!experiment=)[\w./@-]+"
    rf"(=({_VALUE}|\[\]|\[{_VALUE}(,{_VALUE})+\]))?)",
    re.ASCII,
)
"""Overrides with a unique folder name for each value. A group's ``[a]`` and ``a`` are the same value."""


def job_folder(dirname: str, sweep: str, overrides: Iterable[str]) -> str:
    """Returns the name of a job's folder in a sweep.

    An existing folder of the same overrides is used again: an older release named it by their old names.

    Args:
        dirname: the overrides of the job, sorted and joined by commas (``hydra.job.override_dirname``).
        sweep: the folder of the sweep.
        overrides: of the job, in any order.
    """
    name = folder_name(dirname)
    if (Path(sweep) / name).exists():
        return name
    return _earlier_jobs(sweep).get(frozenset(rename_overrides(overrides)), name)


def folder_name(dirname: str) -> str:
    """Makes a name from the overrides of a job, in characters that every shell and disk accepts.

    The same overrides give the same name. A long or ambiguous name ends with a hash of the overrides.
    """
    name = re.sub(r"[^A-Za-z0-9_.,-]+", "-", dirname).replace(",", "__").strip("-_") or "default"
    parts = re.split(r",(?![^\[]*\])", dirname)
    unambiguous = all(map(_UNAMBIGUOUS.fullmatch, parts)) and "__" not in dirname
    if len(name) <= 120 and (unambiguous or not dirname):
        return name
    return f"{name[:110]}-{hashlib.sha256(dirname.encode()).hexdigest()[:8]}"


@functools.cache  # read once: the jobs of this release have the folders of their names
def _earlier_jobs(sweep: str) -> dict[frozenset[str], str]:
    """Returns the job folders of a sweep by their overrides with new names."""
    found = {}
    for file in sorted(Path(sweep).glob(f"*/{run_dir.HYDRA_OVERRIDES}")):
        with contextlib.suppress(UserError):  # a damaged file is no job to go on with
            found[frozenset(read_overrides(file))] = file.parent.parent.name
    return found


def in_sweep() -> bool:
    """Whether this run is a job of a Hydra multirun."""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


_outputs: set[str] = set()  # of earlier jobs of this sweep; training runs have Hydra's folders instead


def check_output(config: DictConfig) -> None:
    """Refuses a job of a sweep that would overwrite the output of an earlier job."""
    if not in_sweep() or "output" not in config:
        return
    output, *rest = (OmegaConf.select(config, key) for key in ("output", "run", "samples", "runs", "format"))
    written = str(output if output is not None else rest)
    if written in _outputs:
        raise UserError(
            f"output={output} is also the output of an earlier job of this sweep; give each job its own, such as"
            " 'output=samples_${seed}.npz'"
        )
    _outputs.add(written)


def mark(config: DictConfig, status: str | None, message: str = "") -> bool:
    """Writes ``error.json`` into the folder of a training job of a sweep; removes it if the status is ``None``.

    Returns whether the file was written.
    """
    if not in_sweep() or "output" in config:
        return False
    file = Path(HydraConfig.get().runtime.output_dir) / run_dir.ERROR
    with contextlib.suppress(OSError, UserError):  # the error itself must still be reported
        if status is None:
            file.unlink(missing_ok=True)
        else:
            run_dir.write_json(file, {"status": status, "message": message})
            return True
    return False


def summarize_sweep(folder: Path | None) -> bool:
    """Prints the state of each job, since Hydra reports the first failed job only; returns whether one has failed."""
    if folder is None or not folder.is_dir():
        return False
    jobs = sorted(path for path in folder.iterdir() if (path / run_dir.HYDRA).is_dir())
    states = {job.name: job_state(job) for job in jobs}
    compare = shell_command("fmcgan.compare", f"runs={quoted(os.path.relpath(folder))}")
    listed = [f"  {state:11}  {name}" for name, state in states.items()]
    lines = [f"\nsweep in {os.path.relpath(folder)}", *listed, f"compare: {compare}"]
    print("\n".join(lines), file=sys.stderr)  # noqa: T201
    return "FAILED" in states.values()


def job_state(job: Path) -> str:
    """Returns ``finished``, ``running``, ``FAILED``, ``pruned`` or ``interrupted``."""
    if (job / run_dir.RESULT).exists():
        return "finished"
    if is_locked(job):
        return "running"
    if run_dir.is_pruned(job):
        return "pruned"
    return "FAILED" if (job / run_dir.ERROR).exists() else "interrupted"

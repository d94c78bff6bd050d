"""Names the job folders of a sweep, so that a sweep started again finds its jobs."""

import contextlib
import functools
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from fmcgan.app.errors import UserError
from fmcgan.app.renamed import rename_overrides
from fmcgan.app.run_dir import HYDRA_OVERRIDES
from fmcgan.app.run_files import read_overrides

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
    for file in sorted(Path(sweep).glob(f"*/{HYDRA_OVERRIDES}")):
        with contextlib.suppress(UserError):  # a damaged file is no job to go on with
            found[frozenset(read_overrides(file))] = file.parent.parent.name
    return found

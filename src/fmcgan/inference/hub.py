"""Addresses of generators on the Hugging Face hub, such as ``hf://owner/name``."""

import re
from pathlib import Path

from fmcgan.app.errors import UserError
from fmcgan.app.escaping import printable
from fmcgan.app.extras import require_extra

WEIGHTS = "model.safetensors"
"""The file that is read, an exported generator; the hub's own name for weights."""

_PREFIX = "hf://"
_ADDRESS = re.compile(r"hf://(?P<owner>[\w.-]+)/(?P<name>[\w.-]+)(?:@(?P<revision>[\w./-]+))?", re.ASCII)


def is_address(run: object) -> bool:
    """Whether a value is meant as an address on the hub."""
    return isinstance(run, str) and run.startswith(_PREFIX)


def name_of(address: str) -> str:
    """Returns the name in ``hf://owner/name@revision``. Raises `UserError` if it is no such address."""
    return _parse(address)["name"]


def download(address: str) -> Path:
    """Downloads the weights of ``hf://owner/name`` or ``hf://owner/name@revision``; returns their file in a cache.

    Raises:
        UserError: it is no such address, the extra `hub` is not installed, there is no such file, or the hub cannot be
            reached.
    """
    found = _parse(address)
    require_extra("hub", f"run={address}", "huggingface_hub")
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return Path(hf_hub_download(f"{found['owner']}/{found['name']}", WEIGHTS, revision=found["revision"]))
    except (HfHubHTTPError, OSError, ValueError) as error:  # of the hub, the connection or the disk, the address
        reason = printable(" ".join(str(error).split()), 300)
        raise UserError(f"{address}: {WEIGHTS} cannot be downloaded ({reason})") from error


def _parse(address: str) -> re.Match[str]:
    found = _ADDRESS.fullmatch(address)
    if found is None:
        allowed = "hf://owner/name or hf://owner/name@revision"
        raise UserError(f"run={printable(address)} is no address on the hub; write {allowed}")
    return found

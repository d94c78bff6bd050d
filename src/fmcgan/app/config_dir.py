"""Finds the yaml files."""

from collections.abc import Sequence
from pathlib import Path


def config_dir() -> Path:
    """Returns the folder of the configuration: inside the package if installed from a wheel, else in the checkout."""
    package = Path(__file__).resolve().parents[1]
    packaged = package / "configs"
    return packaged if packaged.is_dir() else package.parent.parent / "configs"


def option_names(group: str, config_dirs: Sequence[Path] | None = None) -> list[str]:
    """Returns the names of a group's options, sorted; empty if there is no such group.

    Args:
        group: such as ``loss``.
        config_dirs: folders of groups; ``None`` means `config_dir` only.
    """
    folders = [config_dir()] if config_dirs is None else config_dirs
    return sorted({file.stem for folder in folders for file in (folder / group).glob("*.yaml")})

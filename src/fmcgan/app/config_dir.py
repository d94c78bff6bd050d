"""Finds the yaml files."""

from collections.abc import Sequence
from pathlib import Path

from fmcgan.app.plugins import plugins


def config_dir() -> Path:
    """Returns the folder of the configuration: inside the package if installed from a wheel, else in the checkout."""
    package = Path(__file__).resolve().parents[1]
    packaged = package / "configs"
    return packaged if packaged.is_dir() else package.parent.parent / "configs"


def config_dirs() -> list[Path]:
    """Returns `config_dir` and the folders of installed plugins; of equal options, the first is used."""
    return [config_dir(), *(plugin.folder for plugin in plugins())]


def option_names(group: str, folders: Sequence[Path] | None = None) -> list[str]:
    """Returns the names of a group's options, sorted; empty if there is no such group.

    Args:
        group: such as ``loss``.
        folders: of groups; ``None``: those of `config_dirs`.
    """
    searched = config_dirs() if folders is None else folders
    return sorted({file.stem for folder in searched for file in (folder / group).glob("*.yaml")})

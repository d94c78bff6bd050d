"""Links in the folder of a run, which may come from elsewhere: nothing is written through one that leads out of it."""

import os
import sys
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from fmcgan.app import run_dir
from fmcgan.app.errors import UserError


def refuse_links(folder: Path, *names: str) -> None:
    """Refuses links that lead out of a folder. The folder itself may be a link.

    Args:
        folder: such as a run folder.
        names: of the entries that are about to be written; folders are searched.

    Raises:
        UserError: names the link and where it leads.
    """
    inside = folder.resolve()
    for entry in map(folder.joinpath, names):
        below = entry.rglob("*") if entry.is_dir() and not entry.is_symlink() else ()
        for path in (entry, *below):
            if path.is_symlink() and not (target := Path(os.path.realpath(path))).is_relative_to(inside):
                raise UserError(
                    f"{os.path.relpath(path)} is a link to {target}; nothing is written through links that lead out of"
                    f" {os.path.relpath(folder)}. Remove the link, or choose another folder"
                )


class RefuseLinks(Callback):
    """Hydra callback that looks at the folder of a run or a sweep before anything is written into it."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Ends the process if links lead out of the run's folder."""
        _refuse_or_exit(Path(config.hydra.run.dir))

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Ends the process if links lead out of the sweep's folder or that of a job."""
        sweep = Path(config.hydra.sweep.dir)
        _refuse_or_exit(sweep, *sweep.glob("*/"))


def _refuse_or_exit(*folders: Path) -> None:
    try:
        for folder in folders:
            refuse_links(folder, *run_dir.WRITTEN)
    except UserError as error:  # Hydra makes a warning of any exception of a callback but this
        sys.exit(f"error: {error}")

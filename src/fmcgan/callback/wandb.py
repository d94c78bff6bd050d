"""Weights & Biases, offline or online."""

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch.loggers import WandbLogger
from numpy.typing import ArrayLike
from PIL import Image

from fmcgan.app.checks import one_of
from fmcgan.app.extras import require_extra
from fmcgan.callback.tracker import RemoteTracker, add_artifact


class Wandb(RemoteTracker):
    """Sends a run to Weights & Biases.

    Args:
        save_dir: the run folder, which gets the folder ``wandb``.
        project: project that the run belongs to.
        entity: user or team; ``None``: the account's default.
        mode: ``offline`` writes files that ``wandb sync`` uploads, ``online`` uploads at once and needs an API key.
        group: group of the run.
        tags: tags of the run.
        run_name: name of the run; ``None``: the path of its folder.
    """

    def __init__(
        self,
        save_dir: str,
        project: str = "fmcgan",
        entity: str | None = None,
        mode: str = "offline",
        group: str | None = None,
        tags: Sequence[str] = (),
        run_name: str | None = None,
    ) -> None:
        require_extra("trackers", "logger=wandb", "wandb")
        one_of(("offline", "online", "disabled"), mode=mode)
        super().__init__("wandb", save_dir, run_name)
        self._options: dict[str, Any] = {
            "project": project,
            "entity": entity,
            "mode": mode,
            "group": group,
            "tags": list(tags),
        }

    def _open(self, run_id: str | None) -> tuple[WandbLogger, str]:
        import wandb

        run_id = run_id or secrets.token_hex(4)
        # Without W&B's own record of the machine (host, paths) and of the terminal: environment.json is sent instead.
        settings = wandb.Settings(x_disable_meta=True, console="off", init_timeout=20, quiet=True)
        run = wandb.init(
            dir=self._folder,
            id=run_id,
            name=self._run_name,
            resume="allow",
            reinit="create_new",
            settings=settings,
            **self._options,
        )
        run.define_metric("*", step_metric="trainer/global_step", step_sync=True)  # Lightning's name for images seen
        return WandbLogger(experiment=run), run_id

    def add_image(self, name: str, pixels: ArrayLike | Image.Image, images_seen: int) -> None:
        """Sends an image, grey [H, W] or in colour [H, W, 3]."""
        self._send(self._logger.log_image, name, [Image.fromarray(np.asarray(pixels))], images_seen)

    def _add_files(self, files: Sequence[Path]) -> None:
        import wandb

        add_artifact(wandb.Artifact, self._logger.experiment, files)

    def _close(self, success: bool) -> None:
        self._logger.experiment.finish(exit_code=int(not success))

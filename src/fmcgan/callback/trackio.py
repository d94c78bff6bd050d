"""Trackio: a local database, a server, or a Hugging Face Space."""

import contextlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from fmcgan.app.extras import require_extra
from fmcgan.callback.tracker import RemoteTracker, add_artifact


class Trackio(RemoteTracker):
    """Sends a run to Trackio.

    Args:
        save_dir: the run folder.
        project: project that the run belongs to.
        group: group of the run.
        space_id: Space that receives the run, as ``user/space``; ``None``: that of the environment variable
            TRACKIO_SPACE_ID, or else the local database.
        server_url: address of a server with its write token, instead of a Space.
        run_name: name of the run; ``None``: the path of its folder.
    """

    def __init__(
        self,
        save_dir: str,
        project: str = "fmcgan",
        group: str | None = None,
        space_id: str | None = None,
        server_url: str | None = None,
        run_name: str | None = None,
    ) -> None:
        require_extra("trackers", "logger=trackio", "trackio")
        super().__init__("trackio", save_dir, run_name)
        self._options: dict[str, Any] = {
            "project": project,
            "group": group,
            "space_id": space_id,
            "server_url": server_url,
        }

    def _open(self, run_id: str | None) -> tuple["_Run", str]:
        import trackio

        with _silent():
            run = trackio.init(
                name=run_id or self._run_name,
                resume="allow" if run_id else "never",
                embed=False,
                auto_log_cpu=False,  # of the whole machine
                auto_log_gpu=False,
                **self._options,
            )
        return _Run(run), str(run.name)

    def add_image(self, name: str, pixels: ArrayLike | Image.Image, images_seen: int) -> None:
        """Sends an image, grey [H, W] or in colour [H, W, 3]."""
        import trackio

        image = trackio.Image(Image.fromarray(np.asarray(pixels)).convert("RGB"))
        self._send(self._logger.experiment.log, {name: image}, images_seen)

    def _add_files(self, files: Sequence[Path]) -> None:
        import trackio

        add_artifact(trackio.Artifact, self._logger.experiment, files)

    def _close(self, success: bool) -> None:
        import trackio

        with _silent():
            trackio.finish()  # not the run's own finish, after which Trackio closes the run again at exit


class _Run:
    """A run of Trackio as `RemoteTracker` uses a logger of Lightning, which has none for Trackio."""

    def __init__(self, run: Any) -> None:
        self.experiment = run

    def log_metrics(self, metrics: Mapping[str, float], step: int | None) -> None:
        self.experiment.log(dict(metrics), step)

    def log_hyperparams(self, params: Mapping[str, object]) -> None:
        self.experiment.config.update(params)  # sent with the first metrics


def _silent() -> contextlib.AbstractContextManager[object]:
    """Returns a context in which Trackio's messages are not printed."""
    return contextlib.redirect_stdout(io.StringIO())

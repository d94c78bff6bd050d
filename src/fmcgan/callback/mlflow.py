"""MLflow: a local database, or a server."""

import logging
import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from lightning.pytorch.loggers import MLFlowLogger
from numpy.typing import ArrayLike
from PIL.Image import Image

from fmcgan.app.extras import require_extra
from fmcgan.callback.tracker import RemoteTracker

_SQLITE = "sqlite:///"
_DEFAULT_STORE = f"{_SQLITE}outputs/mlflow.db"


class MLflow(RemoteTracker):
    """Sends a run to MLflow.

    MLflow's parameters cannot change: a resumed run has those of its first session. Its ``config.yaml`` is current.

    Args:
        save_dir: the run folder.
        tracking_uri: address of a server, or of a database such as ``sqlite:///outputs/mlflow.db``; ``None``: that of
            the environment variable MLFLOW_TRACKING_URI, or else this database.
        experiment_name: experiment that the run belongs to.
        tags: tags of the run.
        run_name: name of the run; ``None``: the path of its folder.
    """

    def __init__(
        self,
        save_dir: str,
        tracking_uri: str | None = None,
        experiment_name: str = "fmcgan",
        tags: Mapping[str, str] | None = None,
        run_name: str | None = None,
    ) -> None:
        require_extra("trackers", "logger=mlflow", "mlflow")
        super().__init__("mlflow", save_dir, run_name)
        self._uri = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or _DEFAULT_STORE
        self._experiment_name = experiment_name
        self._tags = {"mlflow.source.name": "fmcgan.train"} | dict(tags or {})  # MLflow's own is an absolute path

    def _open(self, run_id: str | None) -> tuple[MLFlowLogger, str]:
        # MLflow's own values let each call wait for minutes while a server does not answer.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
        logging.getLogger(MLFlowLogger.__module__).setLevel(logging.ERROR)  # it warns of each new experiment
        artifacts = None
        if self._uri.startswith(_SQLITE):
            folder = Path(self._uri.removeprefix(_SQLITE)).parent.absolute()
            folder.mkdir(parents=True, exist_ok=True)
            artifacts = (folder / ".mlflow").as_uri()  # hidden, so that `compare` does not take it for run folders
        logger = MLFlowLogger(
            self._experiment_name,
            run_name=self._run_name,
            tracking_uri=self._uri,
            artifact_location=artifacts,
            run_id=run_id,
            tags=self._tags,
        )
        found = str(logger.run_id)
        logger.experiment.update_run(found, status="RUNNING")
        return logger, found

    def log_hyperparams(self, params: Mapping[str, object]) -> None:
        """Sends the hyper-parameters that the run does not have yet."""
        self._send(self._add_params, params)

    def _add_params(self, params: Mapping[str, object]) -> None:
        known = self._logger.experiment.get_run(self._logger.run_id).data.params
        self._logger.log_hyperparams({name: value for name, value in params.items() if name not in known})

    def add_config(
        self, params: Mapping[str, object], text: str, scores: Mapping[str, float], images_seen: int
    ) -> None:
        """Sends the configuration as parameters and as the artefact ``config.yaml``."""
        self.log_hyperparams(params)
        self._send(self._client("log_text"), text, "config.yaml")

    def add_image(self, name: str, pixels: ArrayLike | Image, images_seen: int) -> None:
        """Sends an image, grey [H, W] or in colour [H, W, 3]."""
        self._send(partial(self._client("log_image"), key=name, step=images_seen, synchronous=True), np.asarray(pixels))

    def _add_files(self, files: Sequence[Path]) -> None:
        for file in files:
            self._client("log_artifact")(str(file))

    def _close(self, success: bool) -> None:
        self._logger.finalize("success" if success else "failed")

    def _client(self, method: str) -> partial[object]:
        return partial(getattr(self._logger.experiment, method), self._logger.run_id)

"""TensorBoard logger."""

import contextlib
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import indent
from typing import Any

import numpy as np
from lightning.pytorch.loggers import TensorBoardLogger
from numpy.typing import ArrayLike
from PIL.Image import Image
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
from tensorboard.plugins.hparams.summary_v2 import HParam, Metric, hparams_config_pb, hparams_pb
from tensorboard.summary.writer import event_file_writer

from fmcgan.app import run_dir
from fmcgan.app.errors import UserError
from fmcgan.app.overrides import applied_overrides, recipe

GROUPS = {"loss": "1_loss", "score": "2_score", "gradient_norm": "3_gradient_norm", "floor": "4_real_images"}
"""Groups of scalars that TensorBoard, which sorts by name, shows first."""
_PARTS = ("data", "network.generator", "loss", "penalty")  # of the configuration, with a class


class TensorBoard(TensorBoardLogger):
    """Lightning's TensorBoard logger; raises a `UserError` if its files cannot be written.

    The names of scalars are those of ``metrics.csv`` except for the `GROUPS` that come first. HPARAMS has the recipe of
    each run and its final metrics; the tab Custom Scalars pairs curves that belong together.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        threading.excepthook = _ignore_writer_thread

    def drop_after(self, images_seen: int) -> None:
        """Hides the entries that an earlier session wrote after its checkpoint."""
        with self._writing():
            start = SessionLog(status=SessionLog.START)  # hides entries from this step on
            self.experiment._get_file_writer().add_event(Event(session_log=start), images_seen + 1)

    def add_image(self, tag: str, image: ArrayLike | Image, images_seen: int) -> None:
        """Adds an image, grey [H, W] or in colour [H, W, 3]."""
        pixels = np.asarray(image)
        with self._writing():
            self.experiment.add_image(tag, pixels, images_seen, dataformats="HWC"[: pixels.ndim])

    def add_config(
        self, params: Mapping[str, object], text: str, scores: Mapping[str, float], images_seen: int
    ) -> None:
        """Adds the configuration as a text; in a new run, also the HPARAMS entry and the layout of custom scalars."""
        with self._writing():
            self.experiment.add_text("config", indent(text, "    "))  # an indented code block
            if images_seen == 0:
                self.hparams.update(params)
                chosen = hparams(params, applied_overrides())
                metrics = [Metric(name, display_name=name.removeprefix("hp/")) for name in scores]
                writer = self.experiment._get_file_writer()
                writer.add_summary(hparams_config_pb([HParam(name) for name in chosen], metrics))
                writer.add_summary(hparams_pb(chosen, trial_id=run_dir.run_name(Path(self.save_dir))))
                self.experiment.add_custom_scalars(_layout([name.removeprefix("hp/") for name in scores]))

    def finish(self, files: Sequence[Path]) -> None:
        """Marks the run as finished in HPARAMS; the files are in the run folder."""
        with self._writing():
            self.experiment._get_file_writer().add_summary(_session_end())
            self.experiment.close()

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Adds scalars."""
        with self._writing():
            super().log_metrics({tag_of(name): value for name, value in metrics.items()}, step)

    def log_hyperparams(self, params: dict[str, object], metrics: dict[str, float] | None = None) -> None:
        """Adds an entry of the HPARAMS tab."""
        with self._writing():
            super().log_hyperparams(params, metrics)

    def save(self) -> None:
        """Flushes the files."""
        with self._writing():
            super().save()

    def finalize(self, status: str) -> None:
        """Closes the files; after a failure, ignores further errors."""
        with self._writing() if status == "success" else contextlib.suppress(Exception):
            super().finalize(status)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:  # Lightning wraps one into the other
            cause = error.__cause__ or error
            if not isinstance(cause, OSError):
                raise
            raise UserError(f"cannot write {Path(self.log_dir)}: {cause.strerror or cause}") from error


def tag_of(name: str) -> str:
    """Returns the tag of a scalar: ``loss/generator`` -> ``1_loss/generator``."""
    group, slash, rest = name.partition("/")
    return GROUPS.get(group, group) + slash + rest if slash else name


def hparams(params: Mapping[str, object], overrides: Sequence[str]) -> dict[str, bool | float | str]:
    """Selects what may differ between runs: recipe, seed, the classes of the main parts, and the given overrides.

    Every run has the first ones, since TensorBoard shows the columns of one run for all.

    Args:
        params: the flat configuration.
        overrides: of the run, as typed.
    """
    given = recipe(overrides)
    values: dict[str, object] = {"recipe": " ".join(given) or "default", "seed": params.get("seed")}
    for part in _PARTS:
        module = str(params.get(f"{part}._target_", "")).rpartition(".")[0]
        values[part.partition(".")[0]] = module.rpartition(".")[2]
    for override in given:
        key, _, text = override.lstrip("+~").partition("=")
        values[key] = params.get(key, text)
    return {key: value if isinstance(value, bool | int | float) else str(value) for key, value in values.items()}


def _session_end() -> Summary:
    """Makes the summary that ends a successful session; TensorBoard's own function needs TensorFlow."""
    end = plugin_data_pb2.SessionEndInfo(status=api_pb2.STATUS_SUCCESS, end_time_secs=time.time())
    about = metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(session_end_info=end))
    summary = Summary()
    summary.value.add(tag=metadata.SESSION_END_INFO_TAG, metadata=about, tensor=metadata.NULL_TENSOR)
    return summary


def _layout(scores: Sequence[str]) -> dict[str, dict[str, list[object]]]:
    """Returns the custom scalars: generator beside discriminator, and each metric beside the value of real images."""
    networks = {"losses": "loss", "gradient norms": "gradient_norm"}
    training = {
        title: [tag_of(f"{group}/{each}") for each in ("generator", "discriminator")]
        for title, group in networks.items()
    }
    training["logits"] = ["logit/real", "logit/fake"]
    charts = {name: [tag_of(f"score/{name}"), tag_of(f"floor/{name}")] for name in scores}
    return {
        title: {name: ["Multiline", [f"^{re.escape(tag)}$" for tag in tags]] for name, tags in group.items()}
        for title, group in {"training": training, "scores": charts}.items()
        if group
    }


def _ignore_writer_thread(failed: threading.ExceptHookArgs) -> None:
    """Ignores errors of TensorBoard's writer thread, which the next write raises again."""
    if not isinstance(failed.thread, event_file_writer._AsyncWriterThread):
        threading.__excepthook__(failed)

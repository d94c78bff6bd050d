"""What all commands share: Hydra's start, one-line errors, exit codes, and going on where a run stopped."""

import hashlib
import json
import logging
import os
import re
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from fmcgan import run_folder
from fmcgan.app.places import ensure_home
from fmcgan.config_dir import config_dir
from fmcgan.errors import Interrupted
from fmcgan.explanation import told

log = logging.getLogger(__name__)

Task = Callable[[DictConfig], None]


class _AlreadyReportedError(Exception):
    """The task failed and has said so in the terminal and in its log."""


def run_command(name: str, task: Task) -> None:
    """Composes ``configs/<name>.yaml`` with the command line, runs the task and ends the process.

    The exit code is 0; 1 after an error, which is told in one or two lines (a stack trace only for what looks like a
    fault of the program); 130 or 143 after Ctrl-C or SIGTERM.

    Args:
        name: of the command and its configuration.
        task: gets the composed configuration.
    """
    signal.signal(signal.SIGINT, _stop)
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra hands errors on instead of printing them its own way
    sys.argv[1:] = _with_the_runs_own_overrides(sys.argv[1:])
    ensure_home()
    OmegaConf.register_new_resolver("fmcgan.job_folder", job_folder, replace=True)
    start = hydra.main(version_base="1.3", config_path=str(config_dir()), config_name=name)
    try:
        start(_reporting(task))()
    except _AlreadyReportedError:
        sys.exit(1)
    except Exception as error:
        sys.exit(told(error))
    finally:
        _summarise_sweep()


def _stop(number: int, frame: Any) -> None:
    """Ends on Ctrl-C where nothing is to be saved. As a KeyboardInterrupt, Lightning would make it exit code 1."""
    print("stopped", file=sys.stderr)  # noqa: T201
    sys.exit(128 + number)


def _reporting(task: Task) -> Task:
    """The task, telling its errors in its own log: a job of a sweep would otherwise fail without a word in it."""

    def reporting(config: DictConfig) -> None:
        try:
            task(config)
        except Interrupted as stop:
            log.warning("saved; go on with\n  %s", _resume_command(os.path.relpath(stop.checkpoint)))
            # SystemExit, which Hydra lets pass: the rest of a sweep must not start after Ctrl-C.
            sys.exit(128 + stop.signal_number)
        except Exception as error:
            log.error(told(error))
            log.debug("where it happened", exc_info=error)  # for the log file
            if in_sweep():
                raise _AlreadyReportedError from error  # Hydra notes the failure and starts the next job
            sys.exit(1)

    return reporting


def _with_the_runs_own_overrides(arguments: list[str]) -> list[str]:
    """For ``ckpt_path=``: puts the run's own overrides and folder in front, unless given anew on the command line."""
    checkpoint = next((each.partition("=")[2] for each in arguments if each.startswith("ckpt_path=")), "").strip("'\"")
    folder = Path(checkpoint).absolute().parent.parent
    # Written once the run has started: Hydra's own .hydra/overrides.yaml also keeps what was refused.
    saved = folder / run_folder.ENVIRONMENT
    if not checkpoint or not saved.is_file():
        return arguments
    given = {_key(each) for each in arguments}
    before = [*json.loads(saved.read_text(encoding="utf-8"))["overrides"], f"hydra.run.dir={_quoted(str(folder))}"]
    place = next(i for i, each in enumerate(arguments) if each.startswith("ckpt_path="))  # overrides stand together
    return arguments[:place] + [each for each in before if _key(each) not in given] + arguments[place:]


def _resume_command(checkpoint: str) -> str:
    if in_sweep():
        return "the same command and hydra.sweep.dir: what is finished is skipped"
    return shlex.join(["python", "-m", "fmcgan.train", f"ckpt_path={_quoted(checkpoint)}"])


def _quoted(value: str) -> str:
    """A value as Hydra's command line reads it back, whatever characters it has."""
    return value if re.fullmatch(r"[\w./-]+", value) else "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _key(override: str) -> str:
    return override.partition("=")[0].lstrip("+~")


def job_folder(overrides: str) -> str:
    """Name of a job's folder in a sweep: its overrides, in characters that can be typed and stored anywhere.

    The same overrides give the same name, so that a sweep started again, or extended, in the same folder finds what is
    done. A long name ends in a hash of the whole.
    """
    name = re.sub(r"[^A-Za-z0-9_.,-]+", "-", overrides).replace(",", "__").strip("-_") or "default"
    return name if len(name) <= 120 else f"{name[:110]}-{hashlib.sha256(overrides.encode()).hexdigest()[:8]}"


class SweepSummary(Callback):
    """Hydra callback that remembers where the sweep of this process writes."""

    folder: Path | None = None

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Notes the sweep's folder."""
        SweepSummary.folder = Path(config.hydra.sweep.dir).absolute()


def _summarise_sweep() -> None:
    """Says of each job whether it finished; Hydra itself tells of the first failed job only."""
    folder = SweepSummary.folder
    if folder is None or not folder.is_dir():
        return
    jobs = sorted(path for path in folder.iterdir() if (path / ".hydra").is_dir())
    print(f"\nsweep in {os.path.relpath(folder)}", file=sys.stderr)  # noqa: T201
    for job in jobs:
        print(f"  {_state(job)}  {job.name}", file=sys.stderr)  # noqa: T201
    print(f"compare: python -m fmcgan.compare runs={os.path.relpath(folder)}", file=sys.stderr)  # noqa: T201


def _state(job: Path) -> str:
    if (job / run_folder.RESULT).exists():
        return "finished"
    log_file = job / "train.log"
    return "FAILED  " if log_file.exists() and "][ERROR] " in log_file.read_text(encoding="utf-8") else "stopped "


def in_sweep() -> bool:
    """Whether this run is a job of a Hydra multirun."""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN

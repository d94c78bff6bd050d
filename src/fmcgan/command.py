"""What all commands share: Hydra's start, one-line errors, exit codes, and going on where a run stopped."""

import difflib
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, InstantiationException, MissingConfigException
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, MissingMandatoryValue, OmegaConfBaseException

from fmcgan import run_folder
from fmcgan.config_dir import config_dir
from fmcgan.errors import Interrupted, UserError

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
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra hands errors on instead of printing them its own way
    sys.argv[1:] = _with_the_runs_own_overrides(sys.argv[1:])
    OmegaConf.register_new_resolver("fmcgan.job_folder", job_folder, replace=True)
    start = hydra.main(version_base="1.3", config_path=str(config_dir()), config_name=name)
    try:
        start(_reporting(task))()
    except _AlreadyReportedError:
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit("stopped; nothing was saved")
    except Exception as error:
        sys.exit(_told(error))
    finally:
        _summarise_sweep()


def _reporting(task: Task) -> Task:
    """The task, telling its errors in its own log: a job of a sweep would otherwise fail without a word in it."""

    def reporting(config: DictConfig) -> None:
        try:
            task(config)
        except Interrupted as stop:
            checkpoint = os.path.relpath(stop.checkpoint)
            log.warning("saved; go on with\n  python -m fmcgan.train ckpt_path=%s", checkpoint)
            # SystemExit, which Hydra lets pass: the rest of a sweep must not start after Ctrl-C.
            sys.exit(128 + stop.signal_number)
        except Exception as error:
            log.error(_told(error))
            if in_sweep():
                raise _AlreadyReportedError from error  # Hydra notes the failure and starts the next job
            sys.exit(1)

    return reporting


def _told(error: Exception) -> str:
    """An error in one or two lines where it is a person's to mend, with its stack trace where it is not."""
    message = _explanation(error)
    if message is None:
        return f"{''.join(traceback.format_exception(error))}unexpected error: please report it with the lines above"
    return f"error: {message}"


def _explanation(error: BaseException) -> str | None:
    if isinstance(error, UserError) or type(error).__name__ in ("MisconfigurationException", "OutOfMemoryError"):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
    if isinstance(error, HydraException | OmegaConfBaseException):
        return _explain_configuration(error)
    return None


def _explain_configuration(error: Exception) -> str | None:
    if isinstance(error, InstantiationException):
        return _explain_instantiation(error)
    if isinstance(error, MissingConfigException):
        first, _, options = str(error).partition("Available options in")
        names = ", ".join(re.findall(r"^\t(\S+)$", options, re.MULTILINE))
        return f"{first.strip()}." + (f" Available: {names}" if names else "")
    if isinstance(error, MissingMandatoryValue):
        return f"{error.full_key}= is missing; --help shows how to use this command"
    for cause in (error, error.__cause__):
        if isinstance(cause, ConfigKeyError | ConfigAttributeError):
            return _explain_key(cause)
    return str(error).replace("\n", " ")


def _explain_instantiation(error: InstantiationException) -> str | None:
    """What a constructor said, with the key whose value it did not accept."""
    text = str(error)
    where = text.rpartition("full_key: ")[2].strip() if "full_key: " in text else "configuration"
    cause: BaseException | None = error.__cause__
    while isinstance(cause, InstantiationException):
        cause = cause.__cause__
    if isinstance(cause, UserError) and not isinstance(cause, ValueError):
        return str(cause)
    if isinstance(cause, ValueError | TypeError) or type(cause).__name__ == "MisconfigurationException":
        return f"{where}: {cause}"
    return None if cause is not None else text.replace("\n", " ")


def _explain_key(error: Any) -> str:
    """Which key does not exist, and which do."""
    parent = error.parent_node
    known = [str(key) for key in parent] if isinstance(parent, DictConfig) else []
    key = str(error.full_key)
    close = difflib.get_close_matches(key.rpartition(".")[2], known, n=1)
    hint = f" Did you mean {key.rpartition('.')[0] + '.' if '.' in key else ''}{close[0]}?" if close else ""
    return f"unknown key {key}.{hint} Known there: {', '.join(sorted(known))}"


def _with_the_runs_own_overrides(arguments: list[str]) -> list[str]:
    """For ``ckpt_path=``: puts the run's own overrides and folder in front, unless given anew on the command line."""
    checkpoint = next((each.partition("=")[2] for each in arguments if each.startswith("ckpt_path=")), "").strip("'\"")
    folder = Path(checkpoint).absolute().parent.parent
    saved = folder / ".hydra" / "overrides.yaml"
    if not checkpoint or not saved.is_file():
        return arguments
    given = {_key(each) for each in arguments}
    before = [*map(str, OmegaConf.load(saved)), f"hydra.run.dir={folder}"]
    return [each for each in before if _key(each) not in given] + arguments


def _key(override: str) -> str:
    return override.partition("=")[0].lstrip("+~")


def job_folder(number: int | str, overrides: str) -> str:
    """Name of a job's folder in a sweep: its number and overrides, in characters that can be typed and stored anywhere.

    The same sweep gives the same names, so that a sweep started again in the same folder finds what is done.
    """
    words = re.sub(r"[^A-Za-z0-9_.,-]+", "-", overrides.replace("=", "-")).replace(",", "__")
    return f"{number}_{words}"[:120].rstrip("_-")


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
        done = (job / run_folder.RESULT).exists()
        print(f"  {'finished' if done else 'FAILED  '}  {job.name}", file=sys.stderr)  # noqa: T201
    print(f"compare: python -m fmcgan.compare runs={os.path.relpath(folder)}", file=sys.stderr)  # noqa: T201


def in_sweep() -> bool:
    """Whether this run is a job of a Hydra multirun."""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN

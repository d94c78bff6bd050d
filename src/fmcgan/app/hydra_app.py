"""What all commands share: Hydra's start, one-line errors, exit codes, and going on where a run stopped."""

import contextlib
import hashlib
import logging
import os
import re
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

from fmcgan.app import claim, run_dir
from fmcgan.app.composed_overrides import check_composed
from fmcgan.app.config_dir import config_dir
from fmcgan.app.ending import ending_signals
from fmcgan.app.error_messages import format_error
from fmcgan.app.errors import Interrupted, UserError
from fmcgan.app.option_tables import help_text
from fmcgan.app.overrides import CommandLine, command_line, composed_of, key_of, parse, quoted, shell_command
from fmcgan.app.places import ensure_home
from fmcgan.app.renamed import register_options
from fmcgan.app.run_lock import RunningElsewhereError, is_locked
from fmcgan.app.saved_overrides import refusal, saved_overrides
from fmcgan.app.streams import protect_streams, use_utf8
from fmcgan.app.typed_overrides import as_meant

log = logging.getLogger(__name__)

Task = Callable[[DictConfig], None]


class _AlreadyReportedError(Exception):
    """The task failed and has said so in the terminal and in its log."""


def run_command(name: str, task: Task) -> None:
    """Composes ``configs/<name>.yaml`` with the command line, runs the task and ends the process.

    The exit code is 0; 1 after an error, which is told in one or two lines (a stack trace only for what looks like a
    fault of the program); 129, 130 or 143 after SIGHUP (the terminal was closed), Ctrl-C or SIGTERM.

    Args:
        name: of the command and its configuration.
        task: gets the composed configuration.
    """
    use_utf8()
    protect_streams()
    for number in ending_signals():
        signal.signal(number, _stop)
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra hands errors on instead of printing them its own way
    ensure_home()
    OmegaConf.register_new_resolver("fmcgan.job_folder", job_folder, replace=True)
    register_options()
    OmegaConf.register_new_resolver("fmcgan.options", help_text, replace=True)
    start = hydra.main(version_base="1.3", config_path=str(config_dir()), config_name=name)
    try:
        sys.argv[1:] = _with_the_runs_own_overrides(command_line(sys.argv[1:]), name)
        start(_reporting(task))()
    except _AlreadyReportedError:
        sys.exit(1)
    except Exception as error:
        sys.exit(format_error(error))
    finally:
        claim.leave(failed=sys.exc_info()[0] is not None)
        _summarise_sweep()


def _stop(number: int, frame: Any) -> None:
    """Ends on Ctrl-C where nothing is to be saved. As a KeyboardInterrupt, Lightning would make it exit code 1."""
    with contextlib.suppress(OSError):  # the terminal may be gone
        print("stopped", file=sys.stderr)  # noqa: T201
    sys.exit(128 + number)


def _reporting(task: Task) -> Task:
    """The task, telling its errors in its own log: a job of a sweep would otherwise fail without a word in it."""

    def reporting(config: DictConfig) -> None:
        try:
            check_composed(config)
            _check_output(config)
            task(config)
        except Interrupted as stop:
            log.warning("saved; resume with\n  %s", _resume_command(os.path.relpath(stop.checkpoint)))
            # SystemExit, which Hydra lets pass: the rest of a sweep must not start after Ctrl-C.
            sys.exit(128 + stop.signal_number)
        except RunningElsewhereError as error:
            if not in_sweep():
                sys.exit(f"error: {error}")
            print(f"skipped: {error}", file=sys.stderr)  # noqa: T201 (the log is that of the other process)
        except Exception as error:
            message = format_error(error, config)
            if not message.startswith("error: "):
                claim.keep()
            log.error(message)
            log.debug("where it happened", exc_info=error)  # for the log file
            if in_sweep():
                raise _AlreadyReportedError from error  # Hydra notes the failure and starts the next job
            sys.exit(1)

    return reporting


def _with_the_runs_own_overrides(typed: CommandLine, command: str) -> list[str]:
    """The arguments; for ``ckpt_path=`` also the run's own overrides and folder, unless given anew."""
    overrides = as_meant(typed, command)
    parsed = {key_of(each): each for each in map(parse, overrides)}
    checkpoint = parsed["ckpt_path"].value() if "ckpt_path" in parsed else None
    if not isinstance(checkpoint, str):
        return [*typed.options, *overrides]
    if "${" in str(Path(checkpoint).absolute()):
        raise UserError(f"ckpt_path={checkpoint}: Hydra reads ${{ as an interpolation; write the path out, without it")
    folder = Path(checkpoint).absolute().parent.parent
    # Written once the run has started: Hydra's own .hydra/overrides.yaml also keeps what was refused.
    if not (folder / run_dir.ENVIRONMENT).is_file():
        return [*typed.options, *overrides]
    saved = saved_overrides(folder, set(parsed), typed.config_dirs)
    place = [] if "hydra.run.dir" in parsed else [f"hydra.run.dir={quoted(str(folder))}"]
    return [*typed.options, *saved, *place, *overrides]


def _resume_command(checkpoint: str) -> str:
    """The command that resumes this run, with those of its overrides that are not taken from its folder."""
    if in_sweep():
        return "the same command and hydra.sweep.dir: what is finished is skipped"
    typed = command_line(sys.argv[1:])
    folder = Path(checkpoint).absolute().parent.parent
    placed = ("ckpt_path", "hydra.run.dir", "hydra.mode")
    again = [
        text
        for text in (*composed_of("hydra"), *composed_of())
        if key_of(parse(text)) not in placed and refusal(parse(text), folder, typed.config_dirs)
    ]
    path = os.path.relpath(checkpoint, HydraConfig.get().runtime.cwd)
    return shell_command("fmcgan.train", *typed.options, *again, f"ckpt_path={quoted(path)}")


_VALUE = r"[\w.-]*[A-Za-z0-9.]"
_ORDINARY = re.compile(
    rf"[+~]*(experiment=[\w/]+|[\w/@-]+=\[{_VALUE}\]|(?!experiment=)[\w./@-]+"
    rf"(=({_VALUE}|\[\]|\[{_VALUE}(,{_VALUE})+\]))?)",
    re.ASCII,
)
"""An override that shares its folder's name with no other one of the same key (a group's ``[a]`` and ``a`` are one)."""


def job_folder(overrides: str) -> str:
    """Name of a job's folder in a sweep: its overrides, in characters that can be typed and stored anywhere.

    The same overrides give the same name, so that a sweep started again, or extended, in the same folder finds what is
    done. A long name, and one of unusual characters, ends in a hash of the whole.
    """
    name = re.sub(r"[^A-Za-z0-9_.,-]+", "-", overrides).replace(",", "__").strip("-_") or "default"
    ordinary = all(map(_ORDINARY.fullmatch, re.split(r",(?![^\[]*\])", overrides))) and "__" not in overrides
    if len(name) <= 120 and (ordinary or not overrides):
        return name
    return f"{name[:110]}-{hashlib.sha256(overrides.encode()).hexdigest()[:8]}"


_outputs: set[str] = set()
"""Where the jobs of this process's sweep have written so far, but for training runs."""


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
    jobs = sorted(path for path in folder.iterdir() if (path / run_dir.HYDRA).is_dir())
    print(f"\nsweep in {os.path.relpath(folder)}", file=sys.stderr)  # noqa: T201
    for job in jobs:
        print(f"  {_state(job)}  {job.name}", file=sys.stderr)  # noqa: T201
    compare = shell_command("fmcgan.compare", f"runs={quoted(os.path.relpath(folder))}")
    print(f"compare: {compare}", file=sys.stderr)  # noqa: T201


def _state(job: Path) -> str:
    if (job / run_dir.RESULT).exists():
        return "finished"
    if is_locked(job):
        return "running "
    log_file = job / run_dir.TRAIN_LOG
    said = log_file.read_text(encoding="utf-8", errors="replace") if log_file.is_file() else ""
    return "FAILED  " if "][ERROR] " in said else "stopped "


def _check_output(config: DictConfig) -> None:
    """Refuses a job of a sweep that would write over what an earlier job of it wrote.

    Raises:
        UserError: names the place, and how each job gets its own.
    """
    if not in_sweep() or "output" not in config:  # the folders of training runs are Hydra's
        return
    output, *rest = (OmegaConf.select(config, key) for key in ("output", "run", "samples", "runs", "format"))
    place = str(output if output is not None else rest)
    if place in _outputs:
        raise UserError(
            f"output={output} is that of an earlier job of this sweep too; give each job its own, such as"
            " 'output=samples_${seed}.npz'"
        )
    _outputs.add(place)


def in_sweep() -> bool:
    """Whether this run is a job of a Hydra multirun."""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN

"""Starts a command with Hydra: one-line errors, exit codes, saved overrides of a resumed run, and sweeps."""

import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from string import Template
from typing import NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

from fmcgan.app import run_dir, run_dir_claim
from fmcgan.app.composed_overrides import check_composed
from fmcgan.app.config_dir import config_dir
from fmcgan.app.dataset import register_dataset
from fmcgan.app.error_messages import format_error
from fmcgan.app.errors import Interrupted, Pruned, UserError
from fmcgan.app.job_folder import job_folder
from fmcgan.app.option_tables import help_text
from fmcgan.app.overrides import CommandLine, applied_overrides, key_of, parse, parse_arguments, quoted, shell_command
from fmcgan.app.process import protect_streams, stop_signals, use_utf8
from fmcgan.app.renamed import register_options
from fmcgan.app.run_dir_claim import ClaimRunDir
from fmcgan.app.run_lock import RunningElsewhereError, is_locked
from fmcgan.app.saved_overrides import reason_to_refuse, saved_overrides
from fmcgan.app.typed_overrides import normalize_overrides
from fmcgan.app.user_dirs import ensure_home

log = logging.getLogger(__name__)

Task = Callable[[DictConfig], object]  # what it returns is the objective of a search, if any


class _AlreadyReportedError(Exception):
    """The task failed, and its error was logged."""


def run_command(name: str, task: Task) -> None:
    """Composes ``configs/<name>.yaml`` with the command line, runs the task and exits.

    Exit codes: 0; 1 after an error, reported in one or two lines (with a stack trace if it is unexpected); 129, 130 or
    143 after SIGHUP (closed terminal), Ctrl-C or SIGTERM.
    """
    use_utf8()
    protect_streams()
    for number in stop_signals():
        signal.signal(number, _stop)
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises errors instead of printing them
    ensure_home()
    OmegaConf.register_new_resolver("fmcgan.job_folder", job_folder, replace=True)
    register_options()
    OmegaConf.register_new_resolver("fmcgan.options", help_text, replace=True)
    register_dataset()
    start = hydra.main(version_base="1.3", config_path=str(config_dir()), config_name=name)
    try:
        if sys.argv[1:] in (["--help"], ["-h"]):
            return _print_help(name)
        sys.argv[1:] = _with_saved_overrides(parse_arguments(sys.argv[1:]), name)
        start(_with_error_reporting(task))()
    except _AlreadyReportedError:
        sys.exit(1)
    except Exception as error:
        sys.exit(format_error(error))
    finally:
        run_dir_claim.release(failed=sys.exc_info()[0] is not None)
        _summarize_sweep()


def _print_help(name: str) -> None:
    """Prints the help of a command as Hydra does, but without reading the options of all groups first (a second)."""
    with hydra.initialize_config_dir(str(config_dir()), version_base="1.3"):
        config = hydra.compose(name, return_hydra_config=True)
    template = Template(config.hydra.help.template)
    with open_dict(config):
        del config["hydra"]
    print(template.substitute(CONFIG=OmegaConf.to_yaml(config)))  # noqa: T201


def _stop(number: int, frame: object) -> None:
    """Exits with 128 plus the signal; after a KeyboardInterrupt, Lightning would exit with 1."""
    with contextlib.suppress(OSError):  # the terminal may be closed
        print("stopped", file=sys.stderr)  # noqa: T201
    sys.exit(128 + number)


def _with_error_reporting(task: Task) -> Task:
    """Wraps a task so that its errors are in its own log: Hydra itself does not log the errors of a sweep's jobs."""

    def reporting(config: DictConfig) -> object:
        try:
            check_composed(config)
            _check_output(config)
            _mark(config, None)
            return task(config)
        except Interrupted as stop:
            log.warning("checkpoint saved; resume with\n  %s", _resume_command(os.path.relpath(stop.checkpoint)))
            # SystemExit also ends a sweep: no other job starts after Ctrl-C.
            sys.exit(128 + stop.signal_number)
        except RunningElsewhereError as error:
            if not in_sweep():
                sys.exit(f"error: {error}")
            print(f"skipped: {error}", file=sys.stderr)  # noqa: T201 (the log belongs to the other process)
            return None
        except Pruned as stop:
            log.info("%s", stop)
            _mark(config, "pruned", str(stop))
            raise
        except Exception as error:
            _report(error, config)

    return reporting


def _report(error: Exception, config: DictConfig) -> NoReturn:
    """Logs the error of a task, and ends the process or, in a sweep, the job."""
    message = format_error(error, config)
    if not message.startswith("error: "):
        run_dir_claim.keep_files()
    log.error(message)
    log.debug("raised at", exc_info=error)  # the log file has the stack trace
    if in_sweep():
        _mark(config, "failed", message.removeprefix("error: "))
        raise _AlreadyReportedError from error  # Hydra starts the next job
    sys.exit(1)


def _with_saved_overrides(typed: CommandLine, command: str) -> list[str]:
    """Adds the saved overrides and the folder of the run of ``ckpt_path=``. Given overrides take precedence."""
    overrides = normalize_overrides(typed, command)
    parsed = {key_of(each): each for each in map(parse, overrides)}
    checkpoint = parsed["ckpt_path"].value() if "ckpt_path" in parsed else None
    saved: list[str] = []
    if isinstance(checkpoint, str):
        folder = Path(checkpoint).absolute().parent.parent
        if "${" in str(Path(checkpoint).absolute()):
            raise UserError(f"ckpt_path={checkpoint}: Hydra reads ${{ as an interpolation; give a path without it")
        # Written after all checks: Hydra's .hydra/overrides.yaml may also have refused overrides.
        if (folder / run_dir.ENVIRONMENT).is_file():
            saved = saved_overrides(folder, set(parsed), typed.config_dirs)
            saved += [] if "hydra.run.dir" in parsed else [f"hydra.run.dir={quoted(str(folder))}"]
    return [*typed.options, *saved, *overrides]


def _resume_command(checkpoint: str) -> str:
    """Returns the command that resumes this run, with the overrides that are not read from its folder."""
    if in_sweep():
        return "the same command and hydra.sweep.dir: finished jobs are skipped"
    typed = parse_arguments(sys.argv[1:])
    folder = Path(checkpoint).absolute().parent.parent
    replaced = ("ckpt_path", "hydra.run.dir", "hydra.mode")
    again = [
        text
        for text in (*applied_overrides("hydra"), *applied_overrides())
        if key_of(parse(text)) not in replaced and reason_to_refuse(parse(text), folder, typed.config_dirs)
    ]
    path = os.path.relpath(checkpoint, HydraConfig.get().runtime.cwd)
    return shell_command("fmcgan.train", *typed.options, *again, f"ckpt_path={quoted(path)}")


def in_sweep() -> bool:
    """Whether this run is a job of a Hydra multirun."""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


_outputs: set[str] = set()  # of earlier jobs of this sweep; training runs have Hydra's folders instead


def _check_output(config: DictConfig) -> None:
    """Refuses a job of a sweep that would overwrite the output of an earlier job."""
    if not in_sweep() or "output" not in config:
        return
    output, *rest = (OmegaConf.select(config, key) for key in ("output", "run", "samples", "runs", "format"))
    written = str(output if output is not None else rest)
    if written in _outputs:
        raise UserError(
            f"output={output} is also the output of an earlier job of this sweep; give each job its own, such as"
            " 'output=samples_${seed}.npz'"
        )
    _outputs.add(written)


def _mark(config: DictConfig, status: str | None, message: str = "") -> None:
    """Writes ``error.json`` into the folder of a training job of a sweep; removes it if the status is ``None``."""
    if not in_sweep() or "output" in config:
        return
    mark = Path(HydraConfig.get().runtime.output_dir) / run_dir.ERROR
    with contextlib.suppress(OSError, UserError):  # the error itself must still be reported
        if status is None:
            mark.unlink(missing_ok=True)
        else:
            run_dir.write_json(mark, {"status": status, "message": message})


def _summarize_sweep() -> None:
    """Prints the state of each job, since Hydra reports the first failed job only."""
    folder = ClaimRunDir.sweep_dir
    if folder is None or not folder.is_dir():
        return
    jobs = sorted(path for path in folder.iterdir() if (path / run_dir.HYDRA).is_dir())
    states = [f"  {job_state(job):11}  {job.name}" for job in jobs]
    compare = shell_command("fmcgan.compare", f"runs={quoted(os.path.relpath(folder))}")
    lines = [f"\nsweep in {os.path.relpath(folder)}", *states, f"compare: {compare}"]
    print("\n".join(lines), file=sys.stderr)  # noqa: T201


def job_state(job: Path) -> str:
    """Returns ``finished``, ``running``, ``FAILED``, ``pruned`` or ``interrupted``."""
    if (job / run_dir.RESULT).exists():
        return "finished"
    if is_locked(job):
        return "running"
    if run_dir.is_pruned(job):
        return "pruned"
    return "FAILED" if (job / run_dir.ERROR).exists() else "interrupted"

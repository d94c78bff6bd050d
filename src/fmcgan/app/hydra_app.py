"""Starts a command with Hydra: one-line errors, exit codes, saved overrides of a resumed run, and sweeps."""

import contextlib
import importlib
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from string import Template

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from fmcgan.app import plugins, run_dir, run_dir_claim, system_info, workers
from fmcgan.app.composed_overrides import check_composed
from fmcgan.app.config_dir import config_dir
from fmcgan.app.dataset import register_dataset
from fmcgan.app.error_messages import format_error
from fmcgan.app.errors import Interrupted, Pruned, UserError
from fmcgan.app.job_folder import check_output, in_sweep, job_folder, mark, summarize_sweep
from fmcgan.app.option_tables import help_text, values_text
from fmcgan.app.overrides import CommandLine, applied_overrides, key_of, parse, parse_arguments, quoted, shell_command
from fmcgan.app.process import protect_streams, stop_signals, use_utf8
from fmcgan.app.renamed import register_options
from fmcgan.app.run_dir_claim import ClaimRunDir
from fmcgan.app.run_lock import RunningElsewhereError
from fmcgan.app.run_name import folder_overrides
from fmcgan.app.safe_instantiate import trusted_packages
from fmcgan.app.saved_overrides import reason_to_refuse, saved_overrides
from fmcgan.app.typed_overrides import normalize_overrides
from fmcgan.app.user_dirs import ensure_home

log = logging.getLogger(__name__)

Task = Callable[[DictConfig], object]  # what it returns is the objective of a search, if any


_in_command = False  # set by `run_command`, which a worker of a launcher does not call


class _AlreadyReportedError(Exception):
    """The task failed or was stopped, and its message was logged."""


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
    plugins.register()
    OmegaConf.register_new_resolver("fmcgan.options", help_text, replace=True)
    OmegaConf.register_new_resolver("fmcgan.values", values_text, replace=True)
    register_dataset()
    start = hydra.main(version_base="1.3", config_path=str(config_dir()), config_name=name)
    global _in_command
    _in_command = True
    any_failed = False
    try:
        if sys.argv[1:] in (["--help"], ["-h"]):
            _print_help(name)
            return
        sys.argv[1:] = _with_saved_overrides(parse_arguments(sys.argv[1:]), name)
        start(_Job(_importable(task)))()
    except _AlreadyReportedError:
        sys.exit(1)
    except Exception as error:
        lost = workers.lost_job(error)
        sys.exit(format_error(error) if lost is None else f"error: {lost}")
    finally:
        run_dir_claim.release(failed=sys.exc_info()[0] is not None)
        any_failed = summarize_sweep(ClaimRunDir.sweep_dir)
    if any_failed:  # reported by the job itself
        sys.exit(1)


def _print_help(name: str) -> None:
    """Prints the help of a command as Hydra does, but without reading the options of all groups first (a second)."""
    with hydra.initialize_config_dir(str(config_dir()), version_base="1.3"):
        config = hydra.compose(name, return_hydra_config=True)
    print(Template(config.hydra.help.template).substitute())  # noqa: T201


def _stop(number: int, frame: object) -> None:
    """Exits with 128 plus the signal; after a KeyboardInterrupt, Lightning would exit with 1."""
    with contextlib.suppress(OSError):  # the terminal may be closed
        print("stopped", file=sys.stderr)  # noqa: T201
    if _in_command and ClaimRunDir.sweep_dir is not None:
        workers.stop_workers(ClaimRunDir.sweep_dir)
    sys.exit(128 + number)


def _importable(task: Task) -> Task:
    """Returns the task from the module's own name: a worker cannot import the ``__main__`` of ``python -m``."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    if task.__module__ != "__main__" or spec is None:
        return task
    return getattr(importlib.import_module(spec.name), task.__name__)


class _Job:
    """Runs the task of a command for one configuration, and logs its errors in the job's own log.

    Hydra itself does not log the errors of a sweep's jobs. Launchers send an instance to their workers.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._command = system_info.command_line()

    def __call__(self, config: DictConfig) -> object:
        if _in_command:
            return self._run(config)
        workers.prepare_worker(_stop)
        system_info.set_command_line(self._command)
        try:
            return self._run(config)
        except SystemExit as stop:  # which would end the worker, and with some launchers the sweep
            if not (isinstance(stop.code, int) and stop.code > 128):
                raise
            raise _AlreadyReportedError from stop

    def _run(self, config: DictConfig) -> object:
        try:
            check_composed(config)
            check_output(config)
            mark(config, None)
            return self._task(config)
        except Interrupted as stop:
            log.warning("checkpoint saved; resume with\n  %s", _resume_command(os.path.relpath(stop.checkpoint)))
            if stop.signal_number not in stop_signals():
                workers.requeue()
            # SystemExit also ends a sweep in this process: no other job starts after Ctrl-C.
            sys.exit(128 + stop.signal_number)
        except RunningElsewhereError as error:
            if not in_sweep():
                sys.exit(f"error: {error}")
            print(f"skipped: {error}", file=sys.stderr)  # noqa: T201 (the log belongs to the other process)
            return None
        except Pruned as stop:
            log.info("%s", stop)
            mark(config, "pruned", str(stop))
            raise
        except Exception as error:
            _report(error, config)
            return None


def _report(error: Exception, config: DictConfig) -> None:
    """Logs an error of the task; ends the process, or only this job of a sweep."""
    message = format_error(error, config)
    if not message.startswith("error: "):
        run_dir_claim.keep_files()
    log.error(message)
    log.debug("raised at", exc_info=error)  # the log file has the stack trace
    if not in_sweep():
        sys.exit(1)
    is_marked = mark(config, "failed", message.removeprefix("error: "))
    if not (is_marked and HydraConfig.get().sweeper.get("max_batch_size")):  # else Hydra starts no further batch
        raise _AlreadyReportedError from error


def _with_saved_overrides(typed: CommandLine, command: str) -> list[str]:
    """Adds the saved overrides and the folder of the run of ``ckpt_path=``. Given overrides take precedence."""
    overrides = normalize_overrides(typed, command)
    parsed = {key_of(each): each for each in map(parse, overrides)}
    if "hydra/launcher" in parsed:
        workers.require_launcher(parsed["hydra/launcher"].value())
    overrides += (folders := folder_overrides(parsed))
    parsed |= {key_of(each): each for each in map(parse, folders)}
    checkpoint = parsed["ckpt_path"].value() if "ckpt_path" in parsed else None
    saved: list[str] = []
    if isinstance(checkpoint, str):
        folder = Path(checkpoint).absolute().parent.parent
        if "${" in str(Path(checkpoint).absolute()):
            raise UserError(f"ckpt_path={checkpoint}: Hydra reads ${{ as an interpolation; give a path without it")
        # Written after all checks: Hydra's .hydra/overrides.yaml may also have refused overrides.
        if (folder / run_dir.ENVIRONMENT).is_file():
            trust = trusted_packages(parsed["trust"].value()) if "trust" in parsed else ()
            saved = saved_overrides(folder, set(parsed), typed.config_dirs, trust)
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

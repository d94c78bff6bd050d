"""``python -m study``: compares ingredients under an equal budget of time, for the tables of ``docs/study.md``."""

import argparse
import logging
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from fmcgan.app.checks import whole_number
from fmcgan.app.error_messages import format_error
from fmcgan.app.errors import UserError
from study import budget, jobs, results_store
from study.arms import TABLES, select_arms
from study.hardware import CHECKOUT, CPU, HARDWARE, cores

log = logging.getLogger("study")


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one step of the study. Exit codes: 1 if something failed, 130 after Ctrl-C.

    Args:
        arguments: of the command line; ``None`` means those of this process.
    """
    given = _arguments(arguments)
    logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S", level=logging.WARNING)
    log.setLevel(logging.INFO)
    for number in (signal.SIGTERM, signal.SIGHUP):  # stop as after Ctrl-C, except under nohup
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    steps = {"speed": _speed, "run": _run, "page": _page, "results": _results}
    try:
        success = steps[given.step](given)
    except KeyboardInterrupt:
        again = shlex.join(["python", "-m", "study", *(sys.argv[1:] if arguments is None else arguments)])
        print(f"stopped; {_RESUME[given.step]}\n  {again}", file=sys.stderr)  # noqa: T201
        sys.exit(130)
    except Exception as error:
        sys.exit(format_error(error))
    sys.exit(0 if success else 1)


RECIPES = CHECKOUT / "docs" / "results.json"  # results of the runs in the tables of docs/results.md and the README

_RESUME = {
    "speed": "finished measurements are stored; add the names of the missing arms to",
    "run": "the same command skips finished runs and resumes the others:",
    "page": "the page is unchanged; again:",
    "results": "finished evaluations are stored; again:",
}


def _speed(given: argparse.Namespace) -> bool:
    import torch

    from benchmarks import machine
    from benchmarks.setting import Setting
    from study import speed

    if given.table.seconds is not None:
        raise UserError(f"the speeds of this table are those of {given.speed_page}: leave out --table")
    arms = select_arms(given.arms)
    record = machine.record(Setting(torch.device(given.hardware.device)))
    record["command"] = record["command"].replace("study.__main__", "study")
    failed = speed.measure(arms, given.output, record, hardware=given.hardware)
    log.info("%d of %d arms are in %s", len(arms) - len(failed), len(arms), budget.values_file(given.output))
    return not failed


def _run(given: argparse.Namespace) -> bool:
    whole_number(**{"--workers": given.workers})
    whole_number(minimum=0, **{f"--seeds {seed}": seed for seed in given.seeds})
    speeds = budget.speeds_of(given.table, given.speed_page)
    selected = select_arms(given.arms, given.table)
    arms = [arm for arm in selected if arm in speeds]
    missing = [arm for arm in selected if arm not in speeds]
    if not arms:
        raise UserError(f"the speed of {', '.join(missing)} is unknown: first run python -m study speed ARM ...")
    if missing:
        log.warning("skipped, since the speed is unknown (run python -m study speed ARM ...): %s", ", ".join(missing))
    threads = None if given.workers == 1 else max(1, cores() // given.workers)
    seeds = sorted(set(given.seeds))
    planned = jobs.planned(arms, seeds, speeds, given.folder, given.accelerator, given.table)
    values = budget.values_file(given.output)
    todo = _to_train(planned, values)
    log.info("%d trainings of %d arms in %s", len(todo), len(arms), given.folder)

    def on_failure(job: jobs.Job) -> None:
        results_store.add_failure(values, {"arm": job.arm, "seed": job.seed, "why": job.last_error})

    failed = jobs.sweep(todo, given.workers, lambda job: jobs.launch(job, threads), on_failure)
    if failed:
        log.error("failed: %s; the same command starts them again", ", ".join(str(job) for job in failed))
    return not failed


def _to_train(planned: Sequence[jobs.Job], values: Path) -> list[jobs.Job]:
    """Returns the jobs without stored results. Refuses a stored run with another budget than its job."""
    entries = {(each["arm"], each["seed"]): each for each in results_store.read(values)}
    todo = [job for job in planned if (job.arm, job.seed) not in entries]
    for job in planned:
        seen = entries.get((job.arm, job.seed), {}).get("images_seen", job.images)
        if seen != job.images:
            raise UserError(
                f"{job} is stored with {seen:,} images seen, but its speed now gives {job.images:,}: remove the runs of"
                f" this arm with python -m study page --forget {job.arm}, then train them again"
            )
    if len(todo) < len(planned):
        log.info(_STORED, len(planned) - len(todo), values)
    return todo


_STORED = (
    "%d trainings are stored in %s and not run again: python -m study page --forget ARM removes those of an arm, "
    "python -m study --output PAGE starts your own study"
)


def _page(given: argparse.Namespace) -> bool:
    from study import page

    _forget(budget.values_file(given.output), given.forget)
    print(page.write(given.output, given.folder, given.table, given.speed_page))  # noqa: T201
    return True


def _results(given: argparse.Namespace) -> bool:
    from study import results

    _forget(RECIPES, given.forget)
    print(results.write(RECIPES.with_suffix(".md"), RECIPES, given.folder, readme=CHECKOUT / "README.md"))  # noqa: T201
    return True


def _forget(values: Path, arms: Sequence[str]) -> None:
    if arms:
        log.info("%d runs are removed from %s", results_store.forget(values, select_arms(arms)), values)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m study",
        description="Train every arm of the study for the same time (ten minutes of all cores for docs/study.md, or "
        "five of a GPU for docs/study_gpu.md), counted in images, and compare the results. An arm is any experiment; "
        "study/arms.py lists those of the tables.",
        epilog="Run the steps in this order: speed, on an idle machine; run, which can be stopped and resumed; page.",
    )
    parser.add_argument("--accelerator", choices=HARDWARE, default="cpu", help="train on (%(default)s)")
    parser.add_argument("--table", choices=TABLES, default="ingredients", help="of arms (%(default)s)")
    parser.add_argument("--output", type=Path, help="the page (docs/study.md or docs/study_small_data.md; ..._gpu.md)")
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    speed = steps.add_parser("speed", help="measure images/s, which set the budgets (about a minute per arm)")
    run = steps.add_parser("run", help="train every arm with every seed")
    page = steps.add_parser("page", help="write the tables from the run folders")
    results = steps.add_parser("results", help="evaluate the runs of the recipes and write their tables")
    recipes = [Path("outputs/multirun/recipes"), CPU.folder("study")]
    results.add_argument("--folder", type=Path, nargs="+", default=recipes, help="folders of the runs")
    for step in (speed, run):
        step.add_argument("arms", nargs="*", metavar="ARM", help="names of experiments (all arms of the table)")
    for step in (page, results):
        step.add_argument(
            "--forget",
            nargs="+",
            default=(),
            metavar="ARM",
            help="remove the stored results of its runs, whose folders must be deleted too",
        )
    run.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="one run each (1 2 3)")
    run.add_argument("--workers", type=int, help="parallel trainings, which share the cores (2; on a GPU 1)")
    for step in (run, page):
        step.add_argument("--folder", type=Path, help=f"folder of the runs ({CPU.folder('study')}, or ..._gpu)")
    given = parser.parse_args(arguments)
    hardware, table = HARDWARE[given.accelerator], TABLES[given.table]
    given.hardware, given.table = hardware, table
    given.speed_page = hardware.page("study") if table.seconds is not None else given.output or hardware.page("study")
    defaults = {"output": hardware.page(table.page), "workers": hardware.workers, "folder": hardware.folder(table.page)}
    for name, default in defaults.items():
        if getattr(given, name, default) is None:
            setattr(given, name, default)
    return given


if __name__ == "__main__":
    main()

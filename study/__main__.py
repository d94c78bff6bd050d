"""``python -m study``: which ingredients pay, under an equal budget of time; the table of ``docs/study.md``."""

import argparse
import logging
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from fmcgan.app.checks import whole_number
from fmcgan.app.error_messages import format_error
from fmcgan.app.errors import UserError
from study import budget, jobs, kept
from study.arms import chosen
from study.place import CHECKOUT, CPU, PLACES, cores

log = logging.getLogger("study")


def main(arguments: Sequence[str] | None = None) -> None:
    """Does the one step that the command line names; exit code 1 if something failed, 130 after Ctrl-C.

    Args:
        arguments: of the command line; ``None`` takes this process's.
    """
    given = _arguments(arguments)
    logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S", level=logging.WARNING)
    log.setLevel(logging.INFO)
    for number in (signal.SIGTERM, signal.SIGHUP):  # stop as Ctrl-C does, unless nohup is not to
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    steps: dict[str, Callable[[argparse.Namespace], bool]] = {
        "speed": _speed,
        "run": _run,
        "page": _page,
        "results": _results,
    }
    try:
        success = steps[given.step](given)
    except KeyboardInterrupt:
        again = shlex.join(["python", "-m", "study", *(sys.argv[1:] if arguments is None else arguments)])
        print(f"stopped; {_GO_ON[given.step]}\n  {again}", file=sys.stderr)  # noqa: T201
        sys.exit(130)
    except Exception as error:
        sys.exit(format_error(error))
    sys.exit(0 if success else 1)


RECIPES = CHECKOUT / "docs" / "results.json"
"""Keeps what the table of the README says of each run."""

_GO_ON = {
    "speed": "what was measured is written down; name the arms that are missing after",
    "run": "the same command skips what is finished and goes on where it stopped:",
    "page": "the page is untouched; again:",
    "results": "what was evaluated is kept; again:",
}


def _speed(given: argparse.Namespace) -> bool:
    """Measures images/s."""
    import torch

    from benchmarks import machine
    from benchmarks.setting import Setting
    from study import speed

    arms = chosen(given.arms)
    record = machine.record(Setting(torch.device(given.place.device)))
    record["command"] = record["command"].replace("study.__main__", "study")
    failed = speed.measure(arms, given.output, record, place=given.place)
    log.info("%d of %d arms are in %s", len(arms) - len(failed), len(arms), budget.values_file(given.output))
    return not failed


def _run(given: argparse.Namespace) -> bool:
    """Trains."""
    whole_number(**{"--workers": given.workers})
    whole_number(minimum=0, **{f"--seeds {seed}": seed for seed in given.seeds})
    speeds = budget.speeds(given.output)
    arms = [arm for arm in chosen(given.arms) if arm in speeds]
    missing = [arm for arm in chosen(given.arms) if arm not in speeds]
    if not arms:
        raise UserError(f"no speed is known of {', '.join(missing)}: measure first with python -m study speed ARM ...")
    if missing:
        log.warning("left out, since no speed is known (python -m study speed ARM ...): %s", ", ".join(missing))
    threads = None if given.workers == 1 else max(1, cores() // given.workers)
    planned = jobs.planned(arms, sorted(set(given.seeds)), speeds, given.folder, given.accelerator)
    values = budget.values_file(given.output)
    todo = _to_train(planned, values)
    log.info("%d trainings of %d arms in %s", len(todo), len(arms), given.folder)

    def failing(job: jobs.Job) -> None:
        kept.note_failure(values, {"arm": job.arm, "seed": job.seed, "why": job.last_word})

    failed = jobs.sweep(todo, given.workers, lambda job: jobs.launch(job, threads), failing)
    if failed:
        log.error("failed: %s; the same command tries them again", ", ".join(str(job) for job in failed))
    return not failed


def _to_train(planned: Sequence[jobs.Job], values: Path) -> list[jobs.Job]:
    """The jobs that are not kept.

    Raises:
        UserError: the kept run of a job has another budget than the job: their arm would be of both.
    """
    entries = {(each["arm"], each["seed"]): each for each in kept.read(values)}
    todo = [job for job in planned if (job.arm, job.seed) not in entries]
    for job in planned:
        seen = entries.get((job.arm, job.seed), {}).get("images_seen", job.images)
        if seen != job.images:
            raise UserError(
                f"{job} is kept with {seen:,} images seen, and by the speeds measured since it would see "
                f"{job.images:,}: python -m study page --forget {job.arm} drops its runs, then all are trained alike"
            )
    if len(todo) < len(planned):
        log.info(_KEPT, len(planned) - len(todo), values)
    return todo


_KEPT = (
    "%d trainings are kept in %s and not run again: python -m study page --forget ARM drops those of an arm, "
    "python -m study --output PAGE makes a study of your own"
)


def _page(given: argparse.Namespace) -> bool:
    """Writes the table."""
    from study import page

    _forget(budget.values_file(given.output), given.forget)
    print(page.write(given.output, given.folder))  # noqa: T201
    return True


def _results(given: argparse.Namespace) -> bool:
    """Evaluates the recipes and writes the README's table."""
    from study import results

    _forget(RECIPES, given.forget)
    print(results.write(CHECKOUT / "README.md", RECIPES, given.folder))  # noqa: T201
    return True


def _forget(values: Path, arms: Sequence[str]) -> None:
    if arms:
        log.info("%d runs are dropped from %s", kept.forget(values, chosen(arms)), values)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m study",
        description="Train every arm of the study for the images that the same time of this machine gives, and tell "
        "which ingredients pay: ten minutes of its cores in docs/study.md, or five of its GPU in docs/study_gpu.md. An "
        "arm is any experiment; study/arms.py lists those of the table.",
        epilog="First speed, on the quiet machine; then run, which can be stopped and started again; then page.",
    )
    parser.add_argument("--accelerator", choices=PLACES, default="cpu", help="where to train (%(default)s)")
    parser.add_argument("--output", type=Path, help="the page (docs/study.md, or docs/study_gpu.md)")
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    speed = steps.add_parser("speed", help="measure images/s, which give the budgets (a good minute an arm)")
    run = steps.add_parser("run", help="train every arm with every seed")
    page = steps.add_parser("page", help="write the table from the run folders")
    results = steps.add_parser("results", help="evaluate the recipes' runs and write the table of the README")
    recipes = [Path("outputs/multirun/recipes"), CPU.folder]
    results.add_argument("--folder", type=Path, nargs="+", default=recipes, help="where they lie")
    for step in (speed, run):
        step.add_argument("arms", nargs="*", metavar="ARM", help="names of experiments (all arms of the table)")
    for step in (page, results):
        step.add_argument(
            "--forget",
            nargs="+",
            default=(),
            metavar="ARM",
            help="drop what is kept of its runs, if their folders are gone too",
        )
    run.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="one run each (1 2 3)")
    run.add_argument("--workers", type=int, help="trainings side by side, which share the cores (2; on a GPU 1)")
    for step in (run, page):
        step.add_argument("--folder", type=Path, help=f"where the runs lie ({CPU.folder}, or study_gpu)")
    given = parser.parse_args(arguments)
    place = given.place = PLACES[given.accelerator]
    for name, default in {"output": place.page, "workers": place.workers, "folder": place.folder}.items():
        if getattr(given, name, default) is None:
            setattr(given, name, default)
    return given


if __name__ == "__main__":
    main()

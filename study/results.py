"""Evaluates the runs of the recipes and writes their tables: ``docs/results.md`` and, in short, the README."""

import logging
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev

from benchmarks.page import joined, replace_block
from fmcgan.app.errors import UserError
from fmcgan.app.escaping import markdown_code
from fmcgan.app.run_dir import write_atomically
from fmcgan.app.run_files import read_evaluation
from fmcgan.comparison.runs import Run, find_runs, read_run
from fmcgan.comparison.tables import ARROWS, number
from fmcgan.report.html import NO_VALUE
from study import results_store
from study.arms import folder_name
from study.jobs import last_error

log = logging.getLogger("study.results")

RECIPES = ("recipe_a_vanilla", "recipe_a_wgan_gp", "recipe_b", "minute", "quick", "best")

METRICS = ("frechet", "class_frechet", "manifold", "gan_test", "memorisation", "gan_train_quick")

SCORES = {
    "Fréchet distance": "fd_classifier_10k_test",
    "Fréchet distance, random features": "fd_random_10k_test",
    "Fréchet distance, mean over classes": "class_fd_classifier_10k_test",
    "precision": "precision_k3_classifier_10k_test",
    "recall": "recall_k3_classifier_10k_test",
    "density": "density_k5_classifier_10k_test",
    "coverage": "coverage_k5_classifier_10k_test",
    "GAN-test (label agreement)": "label_agreement_classifier_10k",
    "GAN-train (quick)": "gan_train_quick_cnn_10k",
    "near-copies of training images, pixels": "near_copies_pixels_10k",
    "near-copies, features": "near_copies_classifier_10k",
}
"""Row of the table and name of each score (see `docs/metrics.md`)."""

SHORT = ("minute", "quick", "best")  # recipes of the short table
SHORT_SCORES = ("Fréchet distance", "recall", "GAN-test (label agreement)", "GAN-train (quick)")

Evaluate = Callable[[Path], None]


def evaluate(run: Path) -> None:
    """Runs ``python -m fmcgan.evaluate`` on a run."""
    options = [f"run={run}", f"metric=[{','.join(METRICS)}]", "bootstrap_samples=0"]
    ended = subprocess.run([sys.executable, "-m", "fmcgan.evaluate", *options], capture_output=True, text=True)
    if ended.returncode:
        raise UserError(f"{run} could not be evaluated: {last_error(ended.stderr)}")


def write(
    page: Path, values: Path, folders: Sequence[Path], evaluate: Evaluate = evaluate, readme: Path | None = None
) -> str:
    """Evaluates the runs that lack an evaluation, and writes the tables.

    Args:
        page: a Markdown file with the block ``recipes``, for all recipes and scores.
        values: a JSON file that stores the results of each run, so that run folders can be deleted.
        folders: of the folders of runs, which are named after their recipe.
        evaluate: writes ``evaluation.json`` into a run folder.
        readme: a Markdown file with the block ``recipes``, for the short table; ``None``: none.

    Returns:
        The block of the page.
    """
    found = [(recipe, folder / folder_name(recipe)) for recipe in RECIPES for folder in folders]
    new = [_entry(recipe, run, evaluate) for recipe, folder in found for run in _finished(folder)]
    entries = results_store.merge_entries(results_store.read(values), new, RECIPES)
    if not entries:
        raise UserError(f"no finished run of {', '.join(RECIPES)} in {', '.join(map(str, folders))}")
    results_store.write(values, entries)
    shown = {recipe: [each for each in entries if each["arm"] == recipe] for recipe in RECIPES}
    missing = [markdown_code(recipe) for recipe, runs in shown.items() if not runs]
    block = table({recipe: runs for recipe, runs in shown.items() if runs})
    block += f"\n\nNot run here yet: {', '.join(missing)}." if missing else ""
    for path, text in ((page, block), (readme, short_table(shown))):
        if path is not None:
            write_atomically(path, replace_block(path.read_text(encoding="utf-8"), "recipes", text))
    return block


def short_table(runs: Mapping[str, Sequence[results_store.Entry]]) -> str:
    """Returns a table with one row for each recipe of `SHORT` that was run, and one for real images."""
    known = {recipe: runs[recipe] for recipe in SHORT if runs.get(recipe)}
    lines = [["recipe", "minutes of training (threads)", "seeds"], [""] * 3]
    lines += [[f"`experiment={recipe}`", _minutes(each), str(len(each))] for recipe, each in known.items()]
    lines.append(["real images", "", ""])
    for name in SHORT_SCORES:
        scores = [
            [run["scores"][SCORES[name]] for run in each if SCORES[name] in run["scores"]] for each in known.values()
        ]
        first = next((each[0] for each in scores if each), None)
        if first is not None:
            cells = [f"{name}{ARROWS[first['better']]}", "", *map(_spread, scores), number(first["floor"])]
            lines = [[*line, cell] for line, cell in zip(lines, cells, strict=True)]
    lines[1] = ["---", *["---:"] * (len(lines[0]) - 1)]
    return joined(lines)


def table(runs: dict[str, list[results_store.Entry]]) -> str:
    """Returns a table with one column per recipe, one for real data, and one row per fact and score."""
    lines = [["", *map(markdown_code, runs), "real data"], ["---", *["---:"] * (len(runs) + 1)]]
    facts: dict[str, Callable[[results_store.Entry], float]] = {
        "images seen": lambda run: run["images_seen"],
        "parameters of G": lambda run: run["parameters"]["generator"],
        "parameters of D": lambda run: run["parameters"]["discriminator"],
    }
    lines.append(["seeds", *(", ".join(str(run["seed"]) for run in each) for each in runs.values()), ""])
    for name, fact in facts.items():
        cells = [f"{fmean(fact(run) for run in each):,.0f}" for each in runs.values()]
        lines.append([name, *cells, ""])
    lines.append(["minutes of the fastest run (threads)", *map(_minutes, runs.values()), ""])
    for name, score in SCORES.items():
        known = [[run["scores"][score] for run in each if score in run["scores"]] for each in runs.values()]
        first = next((scores[0] for scores in known if scores), None)
        if first is not None:
            floor = NO_VALUE if first["floor"] is None else number(first["floor"])
            lines.append([f"{name}{ARROWS[first['better']]}", *map(_spread, known), floor])
    return joined(lines)


def _minutes(runs: Sequence[results_store.Entry]) -> str:
    """Returns minutes and threads of the fastest run, which shared the machine least."""
    known = [run for run in runs if run.get("made")]
    if not known:
        return NO_VALUE
    fastest = min(known, key=lambda run: run["seconds"])
    threads = re.sub(r".*, (\d+) threads$", r"\1", fastest["made"]["hardware"])
    return f"{fastest['seconds'] / 60:.1f} ({threads})"


def _spread(scores: Sequence[results_store.Entry]) -> str:
    values = [score["value"] for score in scores]
    if not values:
        return NO_VALUE
    mean = number(fmean(values))
    return f"{mean} ± {number(stdev(values), like=fmean(values))}" if len(values) > 1 else mean


def _finished(folder: Path) -> list[Run]:
    """Returns the finished runs below a folder by seed; none if there is no such folder."""
    runs = [read_run(each) for each in find_runs(folder)] if folder.is_dir() else []
    return sorted((run for run in runs if run.finished), key=lambda run: run.seed or 0)


def _entry(recipe: str, run: Run, evaluate: Evaluate) -> results_store.Entry:
    """Returns the stored entry of a run. Evaluates the run if a score of the table is missing."""
    file = run.folder / "evaluation.json"
    known = read_evaluation(file) or {"scores": {}}
    if not set(SCORES.values()) <= set(known["scores"]):
        log.info("evaluating %s", run.folder)
        evaluate(run.folder)
        known = read_evaluation(file) or known
    return results_store.new_entry(recipe, run, known["scores"], SCORES.values())

"""Writes the tables of ``docs/losses.md`` and ``docs/networks.md``: options, formulas, and what the study found.

An option's description and use are comments of its yaml, its formula stands in the docstring of its class, and the
verdict follows from ``docs/study.json``. ``python -m study.catalogue`` writes the tables.
"""

import inspect
import re
from pathlib import Path

import yaml
from hydra.utils import get_class

from benchmarks.page import joined, replace_block
from fmcgan.app.config_dir import config_dir
from fmcgan.app.option_tables import read_option
from fmcgan.app.run_dir import write_atomically
from fmcgan.comparison.grouping import Group
from fmcgan.comparison.results import measure
from fmcgan.comparison.tables import mean_and_std
from study import results_store
from study.arms import ARMS, BASE, SCORES
from study.hardware import CHECKOUT
from study.page import at_end, clear_winner

PAGES = {
    "losses.md": ("loss", "penalty", "regularizer", "augment", "spectral_norm"),
    "networks.md": ("network", "conditioning/generator", "conditioning/discriminator"),
}
"""The pages in ``docs``, and the groups whose tables they show."""

STUDIED = {
    "loss": {
        "non_saturating_r1": BASE,
        "non_saturating": "study/no_penalty",
        **{name: f"study/{name}" for name in ("hinge", "wgan_gp", "relativistic", "dragan")},
    },
    "penalty": {
        "r1": BASE,
        "none": "study/no_penalty",
        "wgan_lp": "study/wgan_gp_one_sided",
        **{name: f"study/{name}" for name in ("r2", "r1_r2", "wgan_gp", "dragan")},
    },
    "regularizer": {"none": BASE, "lecam": "study/lecam", "consistency": "study/consistency"},
    "augment": {"none": BASE, "diff_augment": "study/diff_augment"},
    "spectral_norm": {"none": BASE, "discriminator": "study/spectral_norm", "both": "study/spectral_norm_both"},
    "network": {"dcgan": BASE, "resnet": "study/resnet", "r3": "study/r3"},
    "conditioning/generator": {
        "shared_embedding": BASE,
        **{name: f"study/g_{name}" for name in ("conditional_batch_norm", "concatenation", "embedding_product")},
    },
    "conditioning/discriminator": {
        "projection": BASE,
        **{name: f"study/d_{name}" for name in ("concatenation", "label_map", "auxiliary_classifier")},
    },
}
"""The arm that shows each option; options without one were not studied with all images."""

_WHEN = "# When: "


def write(docs: Path = CHECKOUT / "docs") -> None:
    """Writes the blocks of all groups into their pages."""
    verdicts = _verdicts(docs / "study.json")
    for name, groups in PAGES.items():
        text = (docs / name).read_text(encoding="utf-8")
        for group in groups:
            text = replace_block(text, group, table(group, verdicts))
        write_atomically(docs / name, text)


def table(group: str, verdicts: dict[str, str]) -> str:
    """Returns the table of a group: one row for each option, with a column of formulas if there are any."""
    paths = sorted((config_dir() / group).glob("*.yaml"))
    formulas = {path: formula(path) for path in paths}
    has_formulas = any(formulas.values())
    head = ["option", "what it is, and when to use it", *["formula"] * has_formulas, "study: FD"]
    lines = [head, ["---"] * len(head)]
    for path in paths:
        text = path.read_text(encoding="utf-8")
        when = next(
            (f" *Use it {line.removeprefix(_WHEN)}*" for line in text.splitlines() if line.startswith(_WHEN)), ""
        )
        verdict = verdicts.get(STUDIED[group].get(path.stem, ""), "—")
        what = read_option(path, group).description
        shown = [f"`{path.stem}`", what + when, *[formulas[path]] * has_formulas, verdict]
        lines.append([cell.replace("|", "\\|") for cell in shown])
    return joined(lines)


def formula(path: Path) -> str:
    """Returns the formulas in the docstring of an option's class, or of its base, as code: the lines ``* NAME = ...``.

    Of several options of one class, those that are named after this one.
    """
    target = (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("_target_")
    docs = [inspect.cleandoc(cls.__doc__ or "") for cls in get_class(target).__mro__] if target else []
    found = ([line[2:] for line in doc.splitlines() if line.startswith("* ") and "E[" in line] for doc in docs)
    lines = next(filter(None, found), [])
    own = [line for line in lines if line.lower().startswith(f"{path.stem} ")] or lines
    short = (re.sub("  [=(].*", "", line).replace("||", "‖") for line in own)
    return "<br>".join(f"`{' '.join(line.split())}`" for line in short)


def _verdicts(values: Path) -> dict[str, str]:
    """Returns the Fréchet distance of each arm, and how it compares with that of the base."""
    runs: dict[str, list] = {}
    for entry in results_store.read(values):
        if entry["arm"] in ARMS:
            runs.setdefault(entry["arm"], []).append(results_store.as_run(entry))
    measured = measure("end", [Group(arm, tuple(each)) for arm, each in runs.items()], at_end)
    name = SCORES["FD"]
    spreads = dict(zip(runs, measured.spreads(f"score/{name}"), strict=True))
    found = {}
    for arm, spread in spreads.items():
        winner = clear_winner([spreads[BASE], spread], measured.protocol(name))
        word = "base" if arm == BASE else {None: "level", 0: "worse", 1: "better"}[winner]
        found[arm] = f"{word}: {mean_and_std(spread)}"
    return found


if __name__ == "__main__":
    write()

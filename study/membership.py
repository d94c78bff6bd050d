"""Membership attacks on recipes of 1, 8 and 60 epochs, trained on all images and on 1,000.

Trains a sweep, which resumes where it was stopped, attacks each run by ``fmcgan.analyze analysis=[membership]`` and
prints the AUCs. Other overrides of the training make other recipes:

    python -m study.membership experiment=smoke trainer.max_epochs=1,2
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from fmcgan.app.formatting import markdown_table
from fmcgan.app.run_dir import RESULT

RECIPES = ("experiment=minute,quick,best", "data.subset.n=null,1000")  # about two and a half hours on two cores
ATTACKS = ("discriminator", "nearest_sample", "inversion")


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains, attacks and prints; exits with the code of a command that fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overrides", nargs="*", default=RECIPES, help="of the sweep")
    parser.add_argument("--folder", type=Path, default=Path("outputs/membership"), help="of the runs")
    given = parser.parse_args(arguments)
    _run("train", "-m", *given.overrides, f"hydra.sweep.dir={given.folder}")
    runs = sorted(path.parent for path in given.folder.glob(f"*/{RESULT}"))
    for run in runs:
        if not _findings(run).exists():
            _run("analyze", f"run={run}", "analysis=[membership]", f"output={_findings(run).parent}")
    print(table(runs))  # noqa: T201


def table(runs: Sequence[Path]) -> str:
    """Formats the AUC of each attack on each run, with its 95 % interval, as Markdown."""
    rows = []
    for run in runs:
        found = json.loads(_findings(run).read_text(encoding="utf-8"))["values"]["membership"]
        rows.append([run.name, *(_auc(found[name]) for name in ATTACKS)])
    return markdown_table(["run", *(f"AUC, {name.replace('_', ' ')}" for name in ATTACKS)], rows)


def _auc(found: dict) -> str:
    low, high = found["interval"]
    return f"{100 * found['auc']:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def _findings(run: Path) -> Path:
    return run / "membership" / "findings.json"


def _run(name: str, *arguments: str) -> None:
    code = subprocess.run([sys.executable, "-m", f"fmcgan.{name}", *arguments]).returncode
    if code:
        sys.exit(code)


if __name__ == "__main__":
    main()

"""Groups of runs that differ only in their seed, and the names of groups."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from textwrap import shorten

from fmcgan.comparison.runs import Run

NOT_COMPARED = ("seed", "ckpt_path", "trust", "data.root", "data.mirror")
"""Overrides that do not define an experiment: seed, checkpoint to resume from, trust, location of the data."""
LONGEST = 36  # maximum number of letters of a label in a short name

DIFFERENT_LOSSES = "different formulas: their heights cannot be compared"
"""Warning at losses of groups of which `formulas_differ`."""


@dataclass(frozen=True)
class Group:
    """Runs of one configuration, sorted by seed, and the overrides that distinguish it from other groups."""

    label: str
    runs: tuple[Run, ...]

    @property
    def seeds(self) -> tuple[int | None, ...]:
        """Seed of each run; None if unknown."""
        return tuple(run.seed for run in self.runs)

    @property
    def repeated_seeds(self) -> list[str]:
        """Seeds that occur more than once."""
        return [str(seed) for seed, times in Counter(self.seeds).items() if times > 1]

    @property
    def seed_list(self) -> str:
        """Number of runs and their seeds, such as ``3 (0, 1, 2)``."""
        return f"{len(self.runs)} ({self.seed_names})"

    @property
    def seed_names(self) -> str:
        """The seeds, such as ``0, 1, 2``."""
        return ", ".join("?" if seed is None else str(seed) for seed in self.seeds)


def group_runs(runs: Sequence[Run]) -> list[Group]:
    """Groups runs by `compared_overrides`, in the order of first appearance.

    The label of a group lists its overrides except those that all groups share; ``default`` if there are none. The
    label of a single group lists all overrides.
    """
    groups: dict[frozenset[str], list[Run]] = {}
    for run in runs:
        groups.setdefault(frozenset(compared_overrides(run)), []).append(run)
    shared = frozenset.intersection(*groups) if len(groups) > 1 else frozenset()
    return [
        Group(
            ", ".join(text for text in compared_overrides(members[0]) if text not in shared) or "default",
            tuple(sorted(members, key=lambda run: (run.seed is None, run.seed or 0))),
        )
        for members in groups.values()
    ]


def compared_overrides(run: Run) -> list[str]:
    """Returns the overrides that define the experiment, the last one of each key, in the order typed."""
    last = {override.split("=", 1)[0].lstrip("+~"): override for override in run.overrides}
    return [text for key, text in last.items() if key not in NOT_COMPARED and not key.startswith("hydra.")]


def formulas_differ(groups: Sequence[Group], network: str) -> bool:
    """Tests whether groups have different formulas of the loss of ``generator`` or ``discriminator``."""
    formulas = [group.runs[0].loss_formula(network) for group in groups]
    return any(formula != formulas[0] for formula in formulas)


def letter(index: int) -> str:
    """Returns the letter of a group by its index: A to Z, then AA, AB and so on."""
    before, last = divmod(index, len(ascii_uppercase))
    return (letter(before - 1) if before else "") + ascii_uppercase[last]


def short_names(groups: Sequence[Group]) -> list[str]:
    """Makes names for legends and tables: letter and beginning of the label of each group."""
    beginnings = [shorten(group.label, LONGEST, placeholder=" ...").replace(", ...", " ...") for group in groups]
    return [f"{letter(index)}: {beginning}" for index, beginning in enumerate(beginnings)]

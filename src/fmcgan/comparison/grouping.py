"""Runs which differ in nothing but their seed belong together."""

from collections.abc import Sequence
from dataclasses import dataclass

from fmcgan.comparison.run import Run

NOT_COMPARED = ("seed", "ckpt_path", "data.root", "data.mirror")
"""Overrides that do not make another experiment: the seed, where to resume from and where the data lie."""


@dataclass(frozen=True)
class Group:
    """Runs of one configuration.

    Args:
        label: the overrides in which it differs from the other groups.
        runs: sorted by seed.
    """

    label: str
    runs: tuple[Run, ...]

    @property
    def seeds(self) -> tuple[int | None, ...]:
        """The seed of each run."""
        return tuple(run.seed for run in self.runs)


def group_runs(runs: Sequence[Run]) -> list[Group]:
    """Groups runs by their overrides without the seed, in the order in which the groups first appear.

    The label of a group is made of its overrides in the order typed, without those that all groups share; if nothing is
    left, or if there are no overrides at all, it is ``default``. One group alone keeps all of its overrides.
    """
    groups: dict[frozenset[str], list[Run]] = {}
    for run in runs:
        groups.setdefault(frozenset(compared_overrides(run)), []).append(run)
    shared = frozenset.intersection(*groups) if len(groups) > 1 else frozenset()
    return [Group(_label(members[0], shared), tuple(sorted(members, key=_seed))) for members in groups.values()]


def compared_overrides(run: Run) -> list[str]:
    """The overrides that make the experiment, the last one of each name, in the order typed."""
    last = {_name(override): override for override in run.overrides}
    return [text for name, text in last.items() if name not in NOT_COMPARED and not name.startswith("hydra.")]


def _label(run: Run, shared: frozenset[str]) -> str:
    return ", ".join(text for text in compared_overrides(run) if text not in shared) or "default"


def _name(override: str) -> str:
    return override.split("=", 1)[0].lstrip("+~")


def _seed(run: Run) -> tuple[bool, int]:
    return (run.seed is None, run.seed or 0)

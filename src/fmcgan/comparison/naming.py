"""Short names of groups, for legends and tables, in which a whole command line finds no room."""

from collections.abc import Sequence
from textwrap import shorten

from fmcgan.comparison.grouping import Group
from fmcgan.comparison.pair_section import letter

LONGEST = 36
"""Letters of a label that a short name holds."""


def short_names(groups: Sequence[Group]) -> list[str]:
    """The letter of each group, which tells it apart, and the beginning of its label.

    Args:
        groups: all groups, in their order.
    """
    beginnings = [shorten(group.label, LONGEST, placeholder=" ...").replace(", ...", " ...") for group in groups]
    return [f"{letter(place)}: {beginning}" for place, beginning in enumerate(beginnings)]

"""A comparison as tables of GitHub's Markdown."""

import math
from collections.abc import Mapping, Sequence

from fmcgan.app.escaping import markdown, markdown_code
from fmcgan.comparison.grouping import Group
from fmcgan.comparison.measurement import Spread, Table, clear_winner
from fmcgan.comparison.protocol import UNKNOWN, Protocol
from fmcgan.report.html import NO_VALUE

HEADINGS = {
    "minutes": "minutes",
    "loss/generator": "generator loss",
    "loss/discriminator": "discriminator loss",
    "gradient_norm/generator": "generator gradient norm",
    "gradient_norm/discriminator": "discriminator gradient norm",
    "images_per_second": "images/s",
}
ARROWS = {"lower": " ↓", "higher": " ↑", "real": " → real"}

HOW_TO_READ = """\
- Every number is the mean ± standard deviation over the seeds of a group (with n - 1 in the denominator). One seed has
  no ±; "(2 of 3)" says that only so many runs have the value, — that none has.
- ↓ lower is better, ↑ higher is better, → real: the nearer to real data the better, from above or below. "real data" is
  what real images reach by the same protocol.
- **Bold**: the best mean, if it is ahead of the runner-up (→ real: nearer to real data) by more than both standard
  deviations summed. Where nothing is bold, these seeds do not tell the best two groups apart by this rule, or one of
  them has one seed only.
- Gradient norms are measured before clipping. Losses of different formulas cannot be compared with each other.
- Minutes are minutes of training: evaluation, pictures and checkpoints are not in them."""


def table(groups: Sequence[Group], measured: Table, protocols: Mapping[str, Protocol]) -> str:
    """One table: a row a group, and a last row for real data."""
    columns = [_column(measured, key, protocols) for key in measured.keys]
    head = ["group", "seeds", *(column[0] for column in columns)]
    lines = [head, ["---", "---", *("---:" for _ in columns)]]
    for place, group in enumerate(groups):
        lines.append([markdown_code(group.label), _seeds(group), *(column[1][place] for column in columns)])
    if any(column[2] for column in columns):
        lines.append(["real data", "", *(column[2] for column in columns)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def number(value: float, like: float | None = None) -> str:
    """Writes a number with four digits: 0.8612, 12.34, 1,234.

    Args:
        value: the number.
        like: another number, whose decimals are used.
    """
    if not math.isfinite(value):
        return NO_VALUE
    size = abs(value if like is None else like)
    decimals = 2 if size == 0 else min(max(3 - math.floor(math.log10(size)), 0), 6)
    return f"{value:,.{decimals}f}"


def mean_and_std(values: Spread) -> str:
    """Writes a spread: ``12.34 ± 0.56``, ``12.34`` of one run, ``12.34 ± 0.56 (2 of 3)`` if a run has no value."""
    if values.n == 0:
        return NO_VALUE
    like = max(abs(values.mean), values.std)
    text = number(values.mean, like)
    if values.n > 1:
        text += f" ± {number(values.std, like)}"
    return text if values.n == values.of else f"{text} ({values.n} of {values.of})"


def _column(measured: Table, key: str, protocols: Mapping[str, Protocol]) -> tuple[str, list[str], str]:
    """Heading, one cell a group, and the cell for real data."""
    spreads = measured.spreads(key)
    if key == "images_seen":
        return "images seen" if measured.name == "end" else "evaluated at images", [_counts(s) for s in spreads], ""
    cells = [mean_and_std(values) for values in spreads]
    if not key.startswith("score/"):
        return HEADINGS[key], cells, ""
    name = key.removeprefix("score/")
    protocol = protocols.get(name, UNKNOWN)
    winner = clear_winner(spreads, protocol.direction, protocol.floor) if protocol.direction else None
    if winner is not None:
        cells[winner] = f"**{cells[winner]}**"
    floors = dict.fromkeys(number(floor) for floor in protocol.floors)
    return markdown(name) + ARROWS.get(protocol.better, ""), cells, " to ".join(floors) or NO_VALUE


def _counts(values: Spread) -> str:
    if values.n == 0:
        return NO_VALUE
    return f"{values.low:,.0f}" if values.low == values.high else f"{values.low:,.0f} to {values.high:,.0f}"


def _seeds(group: Group) -> str:
    return f"{len(group.runs)} ({', '.join('?' if seed is None else str(seed) for seed in group.seeds)})"

"""The section of ``comparison.md`` that sets recipes against each other, two at a time."""

import math
from collections.abc import Sequence
from string import ascii_uppercase

from fmcgan.app.escaping import markdown, markdown_code
from fmcgan.comparison.markdown import ARROWS, mean_and_std, number
from fmcgan.comparison.pairing import Pairing, best_with_others, every_pair
from fmcgan.comparison.runs import Comparison
from fmcgan.report.html import NO_VALUE

FEW = 4
"""Up to so many groups, the page shows each pair of them; of more, each group against the best one."""

_TITLES = ("Pairs at the end", "Pairs at equal images", "Pairs at equal time")

_INTRODUCTION = """\
The tables above take the seeds of a recipe together; here two recipes are set against each other seed by seed. The same
seed gives both the same order of images and the same latent vectors, so each seed that both have makes a pair. The
recipes:"""

_HOW_TO_READ = """\
- "Difference" is the mean ± standard deviation (n - 1) of the differences of the pairs, "95 % interval" that of their
  mean by Student's t, and "mean / std" the size of the mean in standard deviations.
- **Larger than the spread**: the interval excludes 0. Two pairs make it very wide (12.7 standard errors to each side,
  three 4.3, five 2.8), so "no difference that 2 pairs could show" says little: more seeds may show one."""

_DISTANCES = """\
- Of a score marked → real, the difference is that of the distances to the value of real data: below 0, the first recipe
  is the nearer one."""


def pair_section(comparison: Comparison) -> list[str]:
    """Paragraphs of the section; none if there are no two groups or no scores.

    A table which only repeats that of the end is replaced by saying so.
    """
    choose = every_pair if len(comparison.groups) <= FEW else best_with_others
    found = [comparison.pairings(table, choose) for table in comparison.tables]
    if not any(found):
        return []
    letters = [letter(place) for place in range(len(comparison.groups))]
    tables = [_table(pairings, letters) for pairings in found]
    repeats = [place > 0 and tables[place] == tables[0] for place in range(len(tables))]
    shown = [each for pairings, repeat in zip(found, repeats, strict=True) if not repeat for each in pairings]
    parts = ["## Pairs of recipes", _INTRODUCTION, _legend(comparison, letters), "What the columns say:"]
    parts.append(_notes(comparison, shown))
    for title, table, repeat in zip(_TITLES, tables, repeats, strict=True):
        parts += [f"### {title}", "The same numbers as at the end." if repeat else table]
    return parts


def letter(place: int) -> str:
    """The short name of the group at a place: A to Z, then AA, AB and so on."""
    before, last = divmod(place, len(ascii_uppercase))
    return (letter(before - 1) if before else "") + ascii_uppercase[last]


def _legend(comparison: Comparison, letters: Sequence[str]) -> str:
    named = zip(letters, comparison.groups, strict=True)
    return "\n".join(f"- **{name}**: {markdown_code(group.label)}" for name, group in named)


def _notes(comparison: Comparison, shown: Sequence[Pairing]) -> str:
    notes = [_HOW_TO_READ]
    if any(each.protocol.direction == "real" for each in shown):
        notes.append(_DISTANCES)
    if len(comparison.groups) > FEW:
        notes.append(
            f"- Of more than {FEW} recipes, each is set against the one with the best mean of the score (the first one "
            "where it is unknown what better is). The best was picked by these very numbers, which flatters it."
        )
    judged = sum(each.difference.n > 1 for each in shown)
    if judged > 1:
        notes.append(
            f"- {judged} comparisons stand below, and nothing corrects for their number: of those without any true "
            'difference, about one in twenty comes out as "larger than the spread" by luck.'
        )
    notes.append("- `pairs.csv` holds every pair of recipes with all digits.")
    return "\n".join(notes)


def _table(pairings: Sequence[Pairing], letters: Sequence[str]) -> str:
    if not pairings:
        return "No scores were measured within this budget."
    lines = [
        ["score", "recipes", "difference", "95 % interval", "mean / std", "verdict"],
        ["---", "---", "---:", "---:", "---:", "---"],
    ]
    for each in pairings:
        verdict = each.verdict(letters)
        lines.append(
            [
                markdown(each.score) + ARROWS.get(each.protocol.better, ""),
                f"{letters[each.first]} - {letters[each.second]}",
                mean_and_std(each.difference),
                _interval(each),
                _ratio(each),
                f"**{verdict}**" if each.larger_than_spread else verdict,
            ]
        )
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _interval(pairing: Pairing) -> str:
    low, high = pairing.interval
    if math.isnan(low):
        return NO_VALUE
    like = max(abs(low), abs(high))
    return f"{number(low, like)} to {number(high, like)}"


def _ratio(pairing: Pairing) -> str:
    if math.isnan(pairing.ratio):
        return NO_VALUE
    return "> 1,000" if pairing.ratio > 1000 else f"{pairing.ratio:.2f}"

"""The summary of a comparison for the terminal: some ten lines that name the winner and the page."""

import os
from collections import Counter
from pathlib import Path

from fmcgan.app.escaping import visible
from fmcgan.app.formatting import text_table
from fmcgan.comparison.grouping import letter, short_names
from fmcgan.comparison.markdown_page import plural
from fmcgan.comparison.results import Comparison
from fmcgan.comparison.statistics import best_two, winner
from fmcgan.comparison.tables import ARROWS, mean_and_std

MOST_SCORES = 4  # that are shown


def summary(comparison: Comparison, output: Path, columns: int) -> str:
    """Writes the best two groups by some metrics at the end, the winner and the page, for a terminal of a width."""
    names, metrics = short_names(comparison.groups), comparison.end.metrics
    lines = [f"{plural(len(comparison.finished), 'run')} in {plural(len(names), 'group')}"]
    if comparison.others:
        lines.append(f"{plural(len(comparison.others), 'run')} failed or unfinished: see runs.csv")
    rows, shown = _rows(comparison)
    if rows:
        lines += [visible(names[index]) for index in shown]
        lines += text_table(["score", "lead", "best", "next"], rows, columns, fewest=4).splitlines()
    if len(metrics) > MOST_SCORES:
        lines.append(f"and {plural(len(metrics) - MOST_SCORES, 'score')} more")
    return "\n".join([*lines, verdict(comparison), f"page: {os.path.relpath(output / 'comparison.html')}"]) + "\n"


def verdict(comparison: Comparison) -> str:
    """Names the winner, the group that is significantly better by some metric while no other one is, or a tie."""
    pairs = [best_two(comparison.end, metric) for metric in comparison.end.metrics]
    names, ranked = short_names(comparison.groups), [each for each in pairs if each is not None]
    if not ranked:
        return "no winner: one group" if len(names) == 1 else "no winner: no score ranks two groups"
    wins = Counter(won for each in ranked if (won := winner(each)) is not None)
    of = plural(len(ranked), "score")
    if len(wins) == 1:
        ((won, times),) = wins.items()
        return visible(f"winner: {names[won]}, clear by {times} of {of}")
    if wins:
        listed = ", ".join(f"{letter(index)} by {times}" for index, times in wins.most_common())
        return f"tie: {listed} of {of}"
    if max(each.difference.n for each in ranked) < 2:
        return "tie: without two common seeds, no score can be tested"
    return f"tie: no group is significantly better by any of {of}"


def _rows(comparison: Comparison) -> tuple[list[list[str]], list[int]]:
    """Returns a row for each of the first metrics, and the groups that occur in them."""
    rows: list[list[str]] = []
    shown: set[int] = set()
    for metric in comparison.end.metrics[:MOST_SCORES]:
        best, spreads = best_two(comparison.end, metric), comparison.end.spreads(f"score/{metric}")
        title = visible(metric) + ARROWS.get(comparison.end.protocol(metric).better, "")
        ranked = [best.first, best.second] if best else [0] if len(spreads) == 1 else []
        values = [f"{letter(index)} {mean_and_std(spreads[index])}" for index in ranked]
        won = "" if best is None else "tie" if winner(best) is None else "clear"
        rows.append([title, won, *values, *[""] * (2 - len(values))])
        shown |= set(ranked)
    return rows, sorted(shown)

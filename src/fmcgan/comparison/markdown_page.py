"""The page ``comparison.md``."""

from collections.abc import Sequence

from fmcgan.app import run_dir
from fmcgan.app.escaping import markdown, markdown_code
from fmcgan.comparison.grouping import DIFFERENT_LOSSES, Group, formulas_differ, letter
from fmcgan.comparison.results import Comparison
from fmcgan.comparison.statistics import Pairing
from fmcgan.comparison.tables import (
    FEW,
    TITLES,
    markdown_table,
    number,
    pairs_table,
    shown_pairs,
    values_table,
    winners_table,
)

SAMPLES_FIGURE = "samples.png"
CURVES_NOTE = (
    "Curves are means over the seeds of a group at equal shares of their runs, so a curve over minutes ends at their "
    "mean time; the light area reaches from the lowest to the highest seed. Losses and gradient norms of long runs are "
    "smoothed by a running mean."
)

_HOW_TO_READ = """\
- Numbers are means ± standard deviations (n - 1) over the seeds of a group. A single seed has no ±; "(2 of 3)": two of
  three runs have the value; —: none has.
- ↓ lower is better, ↑ higher is better, → real: nearer to real data is better. "real data" is the value of real images
  by the same protocol.
- **Bold**: the winner. It has the best mean and is significantly better than the next group (paired t-test over common
  seeds, 5 %); otherwise the two tie. With fewer than two common seeds nothing can be tested. Without any true
  difference, about one metric in twenty has a winner by chance.
- Gradient norms are measured before clipping.
- Minutes are minutes of training, without evaluation, pictures and checkpoints."""

_HOW_TO_READ_PAIRS = """\
- "difference": mean ± standard deviation (n - 1) of first minus second over the pairs, followed by the 95 % interval
  of the mean by Student's t and the absolute mean in standard deviations.
- **Significant**: the interval excludes 0. With two pairs it is very wide (12.7 standard errors to each side; with
  three 4.3, with five 2.8), so "not significant with 2 pairs" says little: use more seeds."""


def explanations(comparison: Comparison) -> tuple[str, str, str]:
    """Makes a paragraph for each of the three tables."""
    last = "Each run at its last evaluation within the budget, which may be exceeded by 5 %."
    return (
        "Each run at its configured end, measured on fresh samples. Values at equal images and at equal time were "
        "measured during training, on the samples that select the best checkpoint.",
        f"Budget: {comparison.images:,} images, as many as the shortest run saw. {last}",
        f"Budget: {number(comparison.seconds / 60)} minutes of training, as many as the fastest run took. {last}",
    )


def plural(count: int, noun: str) -> str:
    """Formats a count: ``1 run``, ``2 runs``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def losses_caption(groups: Sequence[Group]) -> str:
    """Captions the figure of losses, with a warning if the groups have different formulas."""
    networks = [network for network in ("generator", "discriminator") if formulas_differ(groups, network)]
    return f"Losses of {' and '.join(networks)} by {DIFFERENT_LOSSES}." if networks else "Losses."


def page(comparison: Comparison, figures: Sequence[str]) -> str:
    """Writes samples, winners, tables, pairs, figures (names of PNGs), unfinished runs and provenance as Markdown."""
    labels = [group.label for group in comparison.groups]
    parts = _opening(comparison, figures)
    for search in comparison.searches:
        parts += [f"## {search.title}", markdown(search.introduction)]
        parts += [markdown_table(each) for each in search.tables]
        parts += [f"![{picture.name}]({picture.name}.png)\n\n{picture.caption}" for picture in search.pictures]
    for text, table in zip(explanations(comparison), comparison.tables, strict=True):
        parts += [f"## {TITLES[table.name]}", text, markdown_table(values_table(table, labels), code=["group"])]
    if len(comparison.counts("hardware")) > 1:
        parts.append("**The runs used different hardware: their minutes cannot be compared.**")
    parts += _pairs(comparison)
    protocols = [
        f"- {markdown_code(name)}: {each.in_words + ', ' if each.in_words else ''}measured on "
        f"{' or '.join(f'{n:,}' for n in each.n)} images."
        for name, each in comparison.end.protocols.items()
    ]
    parts += ["## How to read the tables", "\n".join([_HOW_TO_READ, *protocols])]
    curves = [name for name in figures if name != SAMPLES_FIGURE]
    notes = {run_dir.LOSS_FIGURE: f"\n\n{losses_caption(comparison.groups)}"}
    parts += ["## Figures", CURVES_NOTE, *(f"![{name}]({name}){notes.get(name, '')}" for name in curves)]
    if comparison.others:
        lines = [
            f"- not in the tables: {markdown_code(comparison.names[run.folder])} "
            f"({markdown_code(' '.join(run.overrides) or 'default')}), last row at {run.images_seen:,} images seen"
            for run in comparison.others
        ]
        title = (
            "Failed, pruned or unfinished" if any(run.pruned for run in comparison.others) else "Failed or unfinished"
        )
        parts += [f"## {title}", "\n".join(lines)]
    sources = [
        f"- {key}: {show(value)} ({plural(times, 'run')})"
        for key, show in (("hardware", markdown), ("command", markdown_code))
        for value, times in comparison.counts(key).items()
    ]
    return "\n\n".join([*parts, "## Provenance", "\n".join(sources)]) + "\n"


def _opening(comparison: Comparison, figures: Sequence[str]) -> list[str]:
    """Makes the title, the samples, who wins, and a warning of repeated seeds."""
    groups = comparison.groups
    parts = [f"# Comparison of {plural(len(comparison.finished), 'run')} in {plural(len(groups), 'group')}"]
    parts += [f"![{name}]({name})" for name in figures if name == SAMPLES_FIGURE]
    if len(groups) > 1 and (winners := winners_table(comparison.tables)).rows:
        parts += ["## Who wins on what", _legend(groups), markdown_table(winners)]
    parts += [
        f"**{markdown_code(group.label)} has seed {', '.join(seeds)} more than once: its ± is not a standard deviation "
        "over seeds. In pairs, a repeated seed counts once with the mean of its runs.**"
        for group in groups
        if (seeds := group.repeated_seeds)
    ]
    return parts


def _pairs(comparison: Comparison) -> list[str]:
    """Makes the section of pairs; empty for one group or without metrics. Repeated tables become a sentence."""
    letters = [letter(index) for index in range(len(comparison.groups))]
    texts: list[str] = []
    shown: list[Pairing] = []
    for table in comparison.tables:
        pairings = shown_pairs(table)
        if not pairings:
            texts.append("No metric was measured within this budget.")
        elif (text := markdown_table(pairs_table(table, letters))) in texts[:1]:
            texts.append("The same numbers as at the end.")
        else:
            texts.append(text)
            shown += pairings
    if not shown:
        return []
    introduction = (
        "Two groups are compared by pairs of runs of equal seed, which see the same order of images and the same "
        "latent vectors. The groups:"
    )
    columns = "The columns:", _how_to_read_pairs(shown, letters)
    parts = ["## Pairs of groups", introduction, _legend(comparison.groups), *columns]
    for title, text in zip(TITLES.values(), texts, strict=True):
        parts += [f"### Pairs {title[0].lower()}{title[1:]}", text]
    return parts


def _legend(groups: Sequence[Group]) -> str:
    """Lists the letter and the label of each group."""
    return "\n".join(f"- **{letter(index)}**: {markdown_code(group.label)}" for index, group in enumerate(groups))


def _how_to_read_pairs(shown: Sequence[Pairing], letters: Sequence[str]) -> str:
    notes = [_HOW_TO_READ_PAIRS]
    if any(each.protocol.direction == "real" for each in shown):
        notes.append(
            "- Metrics marked → real are compared by their distance to real data: below 0, the first group is nearer."
        )
    if len(letters) > FEW:
        notes.append(
            f"- With more than {FEW} groups, each is paired with the group of the best mean (the first group if the "
            "direction of the metric is unknown). The choice by the same numbers favours that group."
        )
    tested = sum(each.difference.n > 1 for each in shown)
    if tested > 1:
        notes.append(
            f"- {tested} tests, not corrected for multiple comparisons: without a true difference, about one in twenty "
            "is significant by chance."
        )
    return "\n".join([*notes, "- `pairs.csv` holds every pair of groups with all digits."])

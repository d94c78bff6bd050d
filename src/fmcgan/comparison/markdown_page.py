"""The page ``comparison.md``."""

from collections import Counter
from collections.abc import Sequence

from fmcgan.app.escaping import markdown, markdown_code
from fmcgan.comparison.markdown import HOW_TO_READ, number, table
from fmcgan.comparison.pair_section import pair_section
from fmcgan.comparison.runs import Comparison


def page(comparison: Comparison, figures: Sequence[str]) -> str:
    """Writes a comparison as Markdown: tables, pairs of groups, figures, what is left out, and the sources.

    Args:
        comparison: the numbers.
        figures: names of the PNGs which stand beside the page.
    """
    finished, groups = len(comparison.finished), len(comparison.groups)
    parts = [f"# Comparison of {_count(finished, 'run')} in {_count(groups, 'group')}", *_repeated_seeds(comparison)]
    for title, text, measured in zip(_TITLES, _explanations(comparison), comparison.tables, strict=True):
        parts += [f"## {title}", text, table(comparison.groups, measured, comparison.protocols)]
    parts += pair_section(comparison)
    parts += ["## How to read the tables", "\n".join([HOW_TO_READ, *_protocol_lines(comparison)])]
    parts += ["## Figures", _FIGURE_NOTE, *(f"![{name}]({name})" for name in figures)]
    parts += [*_left_out(comparison), "## Made from", _sources(comparison)]
    return "\n\n".join(parts) + "\n"


_TITLES = ("At the end", "At equal images", "At equal time")

_FIGURE_NOTE = (
    "Curves are means over the seeds of a group; the light area reaches from the lowest to the highest seed, over the "
    "range that all its seeds cover. Losses and gradient norms of long runs are smoothed by a running mean first."
)


def _explanations(comparison: Comparison) -> tuple[str, str, str]:
    unequal = len(set(_hardware(comparison))) > 1
    warning = " **The runs were not made on equal hardware: their minutes cannot be compared.**" if unequal else ""
    return (
        "Each run where its configuration ended it; scores of fresh samples. (At equal images and equal time they are "
        "those measured while training, whose samples also chose the best checkpoint.)",
        f"Budget: {comparison.images:,} images, what the shortest run saw. "
        "Each run at its last evaluation up to there (at most 5 % above).",
        f"Budget: {number(comparison.seconds / 60)} minutes of training, what the quickest run took. "
        f"Each run at its last evaluation up to there (at most 5 % above).{warning}",
    )


def _repeated_seeds(comparison: Comparison) -> list[str]:
    warnings = []
    for group in comparison.groups:
        repeated = [seed for seed, times in Counter(group.seeds).items() if times > 1]
        if repeated:
            seeds = ", ".join(map(str, repeated))
            warnings.append(
                f"**{markdown_code(group.label)} holds seed {seeds} more than once: its ± is not one over seeds. "
                "In a pair of recipes such a seed counts once, with the mean of its runs.**"
            )
    return warnings


def _protocol_lines(comparison: Comparison) -> list[str]:
    lines = []
    for name, protocol in comparison.protocols.items():
        n = " or ".join(f"{n:,}" for n in protocol.n)
        better = f"{protocol.in_words}, " if protocol.in_words else ""
        lines.append(f"- {markdown_code(name)}: {better}measured from {n} images.")
    return lines


def _left_out(comparison: Comparison) -> list[str]:
    if not comparison.others:
        return []
    lines = [
        f"- not in the tables: {markdown_code(comparison.names[run.folder])} "
        f"({markdown_code(' '.join(run.overrides) or 'default')}), last known at {run.images_seen:,} images seen"
        for run in comparison.others
    ]
    return ["## Failed or unfinished", "\n".join(lines)]


def _sources(comparison: Comparison) -> str:
    lines = [
        f"- hardware: {markdown(name)} ({_count(times, 'run')})"
        for name, times in Counter(_hardware(comparison)).items()
    ]
    commands = Counter(run.result["command"] for run in comparison.finished if run.result)
    lines += [f"- command: {markdown_code(command)} ({_count(times, 'run')})" for command, times in commands.items()]
    return "\n".join(lines)


def _hardware(comparison: Comparison) -> list[str]:
    return [run.result["hardware"] for run in comparison.finished if run.result]


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"

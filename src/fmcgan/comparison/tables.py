"""The tables of ``comparison.html``."""

import math
from collections.abc import Sequence

from fmcgan.analysis.section import Column, Table
from fmcgan.comparison import measurement
from fmcgan.comparison.markdown import ARROWS, HEADINGS, mean_and_std, number
from fmcgan.comparison.measurement import Spread, clear_winner
from fmcgan.comparison.naming import short_names
from fmcgan.comparison.pair_section import FEW, letter
from fmcgan.comparison.pairing import Pairing, best_with_others, every_pair
from fmcgan.comparison.protocol import UNKNOWN
from fmcgan.comparison.run import Run
from fmcgan.comparison.runs import Comparison
from fmcgan.comparison.standing import Standing, standings
from fmcgan.report.html import NO_VALUE, Cell

NO_WINNER = "no clear winner"


def winners_table(comparison: Comparison) -> Table:
    """One row a score: the best group at the end, at equal images and at equal time, if it is surely the best."""
    moments = [{standing.score: standing for standing in standings(comparison, table)} for table in comparison.tables]
    scores = list(dict.fromkeys(score for moment in moments for score in moment))
    rows = [
        [_title(comparison, score), *(_winner(comparison, moment.get(score)) for moment in moments)] for score in scores
    ]
    titles = {"end": "at the end", "equal_images": "at equal images", "equal_time": "at equal time"}
    columns = [Column("score", "score"), *(Column(name, title) for name, title in titles.items())]
    return Table("winners", "Which recipe is best by each score.", columns, rows, open=True)


def measured_table(comparison: Comparison, measured: measurement.Table) -> Table:
    """One row a group and one for real data; bold as in ``comparison.md``, which the caption says."""
    columns, cells, floors = [Column("group", "group"), Column("seeds", "seeds", "whole")], [], []
    for key in measured.keys:
        name, spreads = key.removeprefix("score/"), measured.spreads(key)
        protocol = comparison.protocols.get(name, UNKNOWN) if key.startswith("score/") else UNKNOWN
        winner = clear_winner(spreads, protocol.direction, protocol.floor) if protocol.direction else None
        heading = {"images_seen": "images seen"}.get(key) or HEADINGS.get(key) or _title(comparison, name)
        columns.append(Column(key.replace("/", "_"), heading, "number"))
        counted = key == "images_seen"
        cells.append([_spread(each, place == winner, counted) for place, each in enumerate(spreads)])
        floors.append(Cell(number(protocol.floor), _known(protocol.floor)))
    rows = [
        [_name(comparison, place), len(group.runs), *(column[place] for column in cells)]
        for place, group in enumerate(comparison.groups)
    ]
    rows.append(["real data", None, *floors])
    caption = (
        "All groups, and what real data reach by the same protocol. Bold: the best mean, if it is ahead of the next by "
        "more than both standard deviations summed."
    )
    return Table("measured", caption, columns, rows, open=True)


def intervals_table(comparison: Comparison, measured: measurement.Table) -> Table:
    """One row a score and group: the mean over the seeds and its interval, beside real data."""
    columns = [
        *(Column("score", "score"), Column("group", "group"), Column("seeds", "seeds", "whole")),
        *(Column("mean", "mean", "number"), Column("low", "95 % from", "number"), Column("high", "to", "number")),
        Column("real", "real data", "number"),
    ]
    rows = []
    for score in measured.scores:
        floor = comparison.protocols.get(score, UNKNOWN).floor
        for place, each in enumerate(measured.spreads(f"score/{score}")):
            numbers = [Cell(number(value, each.mean), _known(value)) for value in (each.mean, *each.interval)]
            real = Cell(number(floor), _known(floor))
            rows.append([_title(comparison, score), _name(comparison, place), each.n, *numbers, real])
    return Table("intervals", "The mean of each score over the seeds, with its interval by Student's t.", columns, rows)


def standings_table(comparison: Comparison, found: Sequence[Standing]) -> Table:
    """One row a score: the best group, the next one, and their difference seed by seed."""
    columns = [
        *(Column("score", "score"), Column("best", "best"), Column("mean", "mean", "number")),
        *(Column("next", "next"), Column("next_mean", "mean", "number")),
        *_PAIR_COLUMNS,
    ]
    rows = []
    for each in found:
        if each.pairing is None:
            continue
        best, second = each.pairing.first, each.pairing.second
        means = [_spread(each.spreads[place], place == each.winner) for place in (best, second)]
        names = [_name(comparison, place) for place in (best, second)]
        about = [names[0], means[0], names[1], means[1]]
        verdict = "clear winner" if each.winner is not None else f"{NO_WINNER}: {_verdict(comparison, each.pairing)}"
        pair = [*_pair(each.pairing), Cell(verdict, strong=each.winner is not None)]
        rows.append([_title(comparison, each.score), *about, *pair])
    caption = "The best and the next by each score, with their difference over the seeds that both have."
    return Table("best", caption, columns, rows)


def pairs_table(comparison: Comparison, measured: measurement.Table) -> Table:
    """One row a pair of groups and score; of many groups, each with the best one only."""
    few = len(comparison.groups) <= FEW
    columns = [Column("score", "score"), Column("first", "first"), Column("second", "second"), *_PAIR_COLUMNS]
    pairings = comparison.pairings(measured, every_pair if few else best_with_others)
    rows = [
        [
            _title(comparison, each.score),
            *(_name(comparison, place) for place in (each.first, each.second)),
            *_pair(each),
            Cell(_verdict(comparison, each), strong=each.larger_than_spread),
        ]
        for each in pairings
    ]
    judged = sum(each.difference.n > 1 for each in pairings)
    which = "Every pair of groups" if few else "Each group with the best one"
    known = f"{judged} of them have two seeds or more" if judged else "none of them has two seeds"
    return Table("pairs", f"{which} by each score, first minus second, seed by seed; {known}.", columns, rows)


def runs_table(comparison: Comparison) -> Table:
    """One row a run, finished or not."""
    scores = comparison.end.scores
    columns = [
        *(Column("run", "run"), Column("group", "group"), Column("seed", "seed", "whole"), Column("status", "status")),
        *(Column("images_seen", "images seen", "whole"), Column("minutes", "minutes", "number")),
        *(Column(score, _title(comparison, score), "number") for score in scores),
    ]
    rows = [
        [*_about(comparison, run, _name(comparison, place)), *(_score(run, score) for score in scores)]
        for place, group in enumerate(comparison.groups)
        for run in group.runs
    ]
    rows += [[*_about(comparison, run, NO_VALUE), *(None for _ in scores)] for run in comparison.others]
    return Table("runs", "All runs that were found.", columns, rows, open=True)


_PAIR_COLUMNS = (
    Column("difference", "difference", "number"),
    *(Column("low", "95 % from", "number"), Column("high", "to", "number")),
    *(Column("pairs", "pairs", "whole"), Column("verdict", "verdict")),
)


def _pair(pairing: Pairing) -> list[Cell | int]:
    difference, (low, high) = pairing.difference, pairing.interval
    like = max(abs(end) for end in (difference.mean, low, high) if math.isfinite(end)) if difference.n else None
    return [*(Cell(number(end, like), _known(end)) for end in (difference.mean, low, high)), difference.n]


def _verdict(comparison: Comparison, pairing: Pairing) -> str:
    return pairing.verdict([letter(place) for place in range(len(comparison.groups))])


def _winner(comparison: Comparison, standing: Standing | None) -> Cell:
    if standing is None or standing.pairing is None:
        return Cell(NO_VALUE)
    if standing.winner is None:
        return Cell(f"{NO_WINNER} (ahead: {letter(standing.pairing.first)})")
    return Cell(_name(comparison, standing.winner), strong=True)


def _name(comparison: Comparison, place: int) -> str:
    return short_names(comparison.groups)[place]


def _title(comparison: Comparison, score: str) -> str:
    return score + ARROWS.get(comparison.protocols.get(score, UNKNOWN).better, "")


def _spread(values: Spread, strong: bool = False, count: bool = False) -> Cell:
    if count and values.n:
        text = f"{values.low:,.0f}" if values.low == values.high else f"{values.low:,.0f} to {values.high:,.0f}"
        return Cell(text, values.mean)
    return Cell(mean_and_std(values), _known(values.mean), strong)


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _about(comparison: Comparison, run: Run, group: str) -> list[str | int | float | None]:
    status = "finished" if run.finished else "not finished"
    return [comparison.names[run.folder], group, run.seed, status, run.images_seen, run.seconds / 60]


def _score(run: Run, name: str) -> Cell | None:
    score = (run.result or {"scores": {}})["scores"].get(name)
    if score is None or score["value"] is None:
        return None
    text = number(score["value"])
    if score.get("interval"):
        text += " [{}, {}]".format(*(number(end, score["value"]) for end in score["interval"]))
    return Cell(text, score["value"])

"""Output of the leaderboard: ``leaderboard.html``, ``.csv`` and ``.json``, and a table for the terminal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from fmcgan.analysis.section import Column, Picture, Section, Table, interval_columns
from fmcgan.app.escaping import visible
from fmcgan.app.formatting import percent, short_number, text_table
from fmcgan.app.run_dir import write_atomically, write_json
from fmcgan.data.images import to_pixels
from fmcgan.figure.grid import class_grid
from fmcgan.figure.strip import strip
from fmcgan.metric.results import BETTER, short_name
from fmcgan.ranking.board import BaselineRow, Board
from fmcgan.ranking.standing import Place, ties_in_words
from fmcgan.report.analysis_page import table_csv
from fmcgan.report.encoding import encode
from fmcgan.report.html import render, short

PAGE, TABLE, RESULT = "leaderboard.html", "leaderboard.csv", "leaderboard.json"
_BASELINES = {
    "real": "New real images: what a perfect generator reaches.",
    "shuffled labels": "Real images under wrong labels.",
    "uniform noise": "Every pixel at random.",
    "class means": "The mean training image of each class, repeated.",
    "training copies": "Training images, as from a generator that memorised them.",
}


@dataclass(frozen=True, eq=False)
class Entry:
    """A row of the ranking: a submission or a baseline."""

    name: str
    kind: str  # ``ranked``, ``copies`` (without a rank) or ``baseline``
    rank: int | None
    tied: bool
    note: str  # a few words
    remarks: Sequence[str]  # sentences
    values: Mapping[str, float]
    interval: Sequence[float]  # of the value that ranks; empty for a baseline
    copies: Sequence[float | None]  # share of near copies, number of training and of test images
    examples: Tensor

    @property
    def rank_text(self) -> str:
        """``2``, or ``2=`` for a tie; empty without a rank."""
        return "" if self.rank is None else f"{self.rank}{'=' if self.tied else ''}"

    @property
    def interval_text(self) -> str:
        """``1.23 to 1.34``; empty without an interval."""
        return " to ".join(map(short_number, self.interval))


def entries(board: Board) -> list[Entry]:
    """Makes the rows of the ranking, the best value first."""
    rows = [(place.key, _of_submission(place, board)) for place in board.places]
    rows += [(baseline.key, _of_baseline(baseline)) for baseline in board.baselines]
    return [entry for _, entry in sorted(rows, key=lambda row: row[0])]


def _of_submission(place: Place, board: Board) -> Entry:
    scored, n = place.scored, board.n
    remarks = [f"Not ranked: {each}, bit for bit." for each in place.copies]
    if place.tied_with:
        remarks.append(f"Tie with {', '.join(place.tied_with)}.")
    if place.near_copies and not place.copies:
        share, usual = percent(scored.near_copies / n, 1), percent(board.limits.near, 1)
        remarks.append(f"Near copies: {share} are as close to a training image as {usual} of the test images.")
    notes = ["tie"] * bool(place.tied_with) + ["near copies"] * place.near_copies
    return Entry(
        name=scored.name,
        kind="copies" if place.copies else "ranked",
        rank=place.rank,
        tied=bool(place.tied_with),
        note="copies: no rank" if place.copies else ", ".join(notes),
        remarks=remarks,
        values={name: result["value"] for name, result in scored.results.items()},
        interval=scored.results[board.value_name]["interval"] or (),
        copies=(scored.near_copies / n, scored.train_copies, scored.test_copies),
        examples=scored.examples,
    )


def _of_baseline(baseline: BaselineRow) -> Entry:
    return Entry(
        name=baseline.title,
        kind="baseline",
        rank=None,
        tied=False,
        note="baseline",
        remarks=[_BASELINES[baseline.title]],
        values=baseline.values,
        interval=(),
        copies=(None, None, None),
        examples=baseline.examples,
    )


def write_board(folder: Path, board: Board, provenance: Mapping[str, str]) -> None:
    """Writes all files into a folder that exists."""
    rows = entries(board)
    table = _table(board, rows)
    write_json(folder / RESULT, as_json(board, provenance))
    write_atomically(folder / TABLE, table_csv(table))
    sections = _sections(board, table)
    pictures = {
        (name, picture.name): encode(picture, name)
        for name, section in sections.items()
        for picture in section.pictures
    }
    strips = [encode(Picture("samples", strip(to_pixels(each.examples)), "", "")) for each in rows]
    context = {"board": board, "rows": list(zip(rows, strips, strict=True)), "better": _better(board)}
    context["ties"] = ties_in_words(board.places)
    write_atomically(folder / PAGE, render("leaderboard.html.j2", sections, pictures, provenance, **context))


def as_json(board: Board, provenance: Mapping[str, str]) -> dict[str, object]:
    """Converts everything measured to plain JSON types."""
    return {
        "rank_by": board.value_name,
        "better": board.quantity.better,
        "protocol": board.protocol,
        "n": board.n,
        "bootstrap_samples": board.bootstrap_samples,
        "submissions": [
            {
                "name": place.scored.name,
                "rank": place.rank,
                "tied_with": list(place.tied_with),
                "copies_of_training_images": place.scored.train_copies,
                "copies_of_test_images": place.scored.test_copies,
                "near_copies": place.scored.near_copies,
                "has_near_copies": place.near_copies,
                "scores": place.scored.results,
            }
            for place in board.places
        ],
        "baselines": {row.title: dict(row.values) for row in board.baselines},
        "near_copies_of_test_images": board.limits.near,
        "failed": dict(board.failed),
        "provenance": dict(provenance),
    }


def as_text(board: Board, columns: int) -> str:
    """Writes the ranking as a table for a terminal of so many columns."""
    head = ["", "value", "95 % interval", ""]
    rows = [
        [
            f"{each.rank_text:>4} {visible(each.name)}",
            short(each.values[board.value_name]),
            each.interval_text,
            each.note,
        ]
        for each in entries(board)
    ]
    failed = [f"     {visible(name)}: not scored" for name in board.failed]
    lines = [f"{board.value_name}: {_better(board)}", text_table(head, rows, columns, right=(1, 2), fewest=4), *failed]
    return "\n".join(line.rstrip("\n") for line in lines) + "\n"


def _better(board: Board) -> str:
    return f"{BETTER[board.quantity.better]} is better; {board.n:,} samples each"


def _sections(board: Board, table: Table) -> dict[str, Section]:
    introduction = (
        "All values of all submissions and baselines. Every submission was measured on the same number of samples, "
        "beside the same real images."
    )
    sections = {"values": Section("All values", introduction, tables=[table])}
    flagged = [place for place in board.places if place.copies or place.near_copies]
    if flagged:
        introduction = (
            "The samples that are closest to a training image, above that image. A copy shows the same image to the "
            "pixel, or with noise on it. Blurred or plain samples may be close without being copied. Copies of test "
            "images are counted in the table above and not shown."
        )
        pictures = [_pairs(number, place) for number, place in enumerate(flagged, 1)]
        sections["copies"] = Section("Copies", introduction, pictures=pictures)
    if board.failed:
        columns = [Column("team", "team"), Column("reason", "reason")]
        rows = Table("reasons", "Each with its reason", columns, list(board.failed.items()), open=True)
        sections["not_scored"] = Section("Not scored", "These take no part in the ranking.", tables=[rows])
    return sections


def _pairs(number: int, place: Place) -> Picture:
    name = visible(place.scored.name)
    grid = class_grid(to_pixels(place.scored.pairs), ["sample", "training"], title=name)
    about = f"Samples of {name} above their nearest training images."
    return Picture(f"pairs_{number}", grid, about, about, lead=True)


def _table(board: Board, rows: Sequence[Entry]) -> Table:
    """Makes the table of all values; an unknown one is None."""
    names = dict.fromkeys(name for each in rows for name in each.values if name != board.value_name)
    columns = [
        *(Column("rank", "rank", "whole"), Column("team", "team"), Column("note", "note")),
        *interval_columns(board.value_name, short_name(board.value_name, board.n), digits=3),
        *(Column(name, short_name(name, board.n), "number", 3) for name in names),
        Column("near_copies", "near copies", "percent", 2),
        Column("copies_of_training_images", "copies of training images", "whole"),
        Column("copies_of_test_images", "of test images", "whole"),
    ]
    cells = [
        [
            *(each.rank, each.name, each.note, each.values[board.value_name], *(each.interval or (None, None))),
            *map(each.values.get, names),
            *each.copies,
        ]
        for each in rows
    ]
    return Table("values", "Sorted by the value that ranks; a click on a head sorts anew.", columns, cells, open=True)

"""Who is best by each score, and whether that is more than the luck of the seeds."""

from dataclasses import dataclass

from fmcgan.comparison.measurement import Spread, Table, ranking
from fmcgan.comparison.pairing import Pairing, pair
from fmcgan.comparison.protocol import UNKNOWN, Protocol
from fmcgan.comparison.runs import Comparison


@dataclass(frozen=True)
class Standing:
    """The two best groups by one score.

    Args:
        score: its name.
        protocol: which way it improves.
        spreads: of all groups.
        pairing: the group of the best mean with the next one, seed by seed; ``None`` if less than two groups have a
            value, or if it is unknown what better is.
    """

    score: str
    protocol: Protocol
    spreads: list[Spread]
    pairing: Pairing | None

    @property
    def winner(self) -> int | None:
        """Place of the best group, if its seeds are ahead of the next one's by more than their differences vary.

        The best mean may be that of a group which, of the seeds that both have, is the worse one: it has not won then.
        """
        if self.pairing is None or not self.pairing.larger_than_spread or self.pairing.ahead != self.pairing.first:
            return None
        return self.pairing.first


def standings(comparison: Comparison, table: Table) -> list[Standing]:
    """One for each score of a table.

    Args:
        comparison: of which the table is one.
        table: what was measured.
    """
    return [_standing(comparison, table, score) for score in table.scores]


def _standing(comparison: Comparison, table: Table, score: str) -> Standing:
    protocol = comparison.protocols.get(score, UNKNOWN)
    spreads = table.spreads(f"score/{score}")
    ranked = ranking(spreads, protocol.direction, protocol.floor) if protocol.direction else []
    if len(ranked) < 2:
        return Standing(score, protocol, spreads, None)
    return Standing(score, protocol, spreads, pair(comparison.groups, table, score, protocol, ranked[0], ranked[1]))

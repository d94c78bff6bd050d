"""Several scores measured on the same samples, each beside what real images, and bad ones, get."""

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

from tqdm import tqdm

from fmcgan.app.checks import one_of
from fmcgan.app.errors import Failures, InvalidValueError
from fmcgan.metric.base import Metric, RealImages
from fmcgan.metric.baselines import REAL, TITLES, Rows, applicable
from fmcgan.metric.feature_metric import FeatureMetric
from fmcgan.metric.image_set import ImageSet
from fmcgan.metric.results_store import Store

log = logging.getLogger(__name__)

Results = dict[str, dict[str, Any]]
"""By the measurement's name, which tells the protocol, plain JSON types:

``value``, ``interval`` (95 %, or None), ``floor`` (the value of real images; None if not measured), ``rows`` (the
values of the rows by name), ``better`` (``lower``, ``higher`` or ``real``: near the floor), ``n``, ``by_class`` and
``floor_by_class`` (ten values, or None), ``score`` (the name under which the configuration has it), ``protocol`` (in
full: numbers of different protocols are not to be compared).
"""


class Evaluator:
    """Scores ready to measure.

    Args:
        scores: by the name that the configuration gives them.
        real: the data set.
        n: how many samples a score takes that asks for no number of its own.
        rows: what is measured beside the samples, keys of `fmcgan.metric.baselines.TITLES`.
        store: where what was measured of real images is kept.
        show_progress: draw a progress bar, where there is a terminal.
        failures: takes the unexpected errors of single scores; ``None`` ends at the first.

    Attributes:
        seconds: what measuring the samples took, by score, of the last `measure`. What scores share (the features)
            counts for the first of them.
    """

    def __init__(
        self,
        scores: Mapping[str, Metric],
        real: RealImages,
        n: int,
        rows: Sequence[str] = (REAL,),
        store: Store | None = None,
        show_progress: bool = False,
        failures: Failures | None = None,
    ) -> None:
        for row in rows:
            one_of(tuple(TITLES), rows=row)
        for name, score in scores.items():
            networks = [network.name for network in score.networks] if isinstance(score, FeatureMetric) else []
            if len(set(networks)) < len(networks):
                raise InvalidValueError(f"{name} would measure {', '.join(networks)} under one name; leave one out")
            if min(n, score.n or n) < score.fewest:
                log.warning("%s of %d samples says little about them: it needs %d at least (n=)", name, n, score.fewest)
        self.scores = dict(scores)
        self.real = real
        self.n = n
        self.rows = tuple(rows)
        self.show_progress = show_progress
        self._failures = failures or Failures(Exception)
        self.seconds: dict[str, float] = {}
        self._measured_rows = Rows(real, store or Store())

    @property
    def samples_needed(self) -> int:
        """As many samples as the most demanding score takes."""
        return max([self.n, *(score.n for score in self.scores.values() if score.n)])

    def floors(self) -> dict[str, float]:
        """What real images get, by the name of the measurement."""
        measured: dict[str, float] = {}
        for score in self.scores.values():
            row = self._measured_rows.measure(score, REAL, score.n or self.n)
            measured |= {name: each["value"] for name, each in row.items()}
        return measured

    def measure(self, samples: ImageSet) -> Results:
        """Scores samples.

        Args:
            samples: `samples_needed`, or fewer: each score takes as many as it asks for, balanced over the classes, or
                else all, and its names say how many those were.
        """
        tasks = [(name, row) for name, score in self.scores.items() for row in ("", *applicable(score, self.rows))]
        results: Results = {}
        self.seconds = {}
        with tqdm(tasks, disable=None if self.show_progress else True, unit="", leave=False) as bar:
            for name, row in bar:
                bar.set_description_str(f"{name}: {TITLES.get(row, 'samples')}")
                with self._failures.catch(name):
                    self._measure(results, name, row, samples)
                if not row and name in self.seconds and bar.disable and self.show_progress:
                    log.info("%s: %.1f s", name, self.seconds[name])
        return results

    def _measure(self, results: Results, name: str, row: str, samples: ImageSet) -> None:
        score, start = self.scores[name], time.perf_counter()
        chosen = samples.balanced(min(score.n or self.n, len(samples)))
        if not row:
            _add(results, self._of_samples(name, score, chosen))
            self.seconds[name] = round(time.perf_counter() - start, 2)
        elif any(result["score"] == name for result in results.values()):
            self._add_row(results, score, row, len(chosen))

    def findings(self, samples: ImageSet) -> dict[str, Any]:
        """What the scores found beyond numbers; they name images by their place in ``samples.balanced(n)``."""
        found: dict[str, Any] = {}
        for name, score in self.scores.items():
            if name not in self._failures.failed:
                with self._failures.catch(name):
                    found |= score.findings(samples.balanced(min(score.n or self.n, len(samples))), self.real)
        return found

    def _of_samples(self, name: str, score: Metric, samples: ImageSet) -> Results:
        try:
            measurements = score.measure(samples, self.real)
        except InvalidValueError as error:  # too few samples for this one, which is no reason to give up the others
            log.warning("%s is not measured: %s", name, error)
            return {}
        return {
            measurement: {
                "value": measured.value,
                "interval": None if measured.interval is None else list(measured.interval),
                "floor": None,
                "rows": {},
                "better": measured.better,
                "n": len(samples),
                "by_class": None if measured.by_class is None else list(measured.by_class),
                "floor_by_class": None,
                "score": name,
                "protocol": score.protocol,
            }
            for measurement, measured in measurements.items()
        }

    def _add_row(self, results: Results, score: Metric, row: str, n: int) -> None:
        for name, measured in self._measured_rows.measure(score, row, n).items():
            results[name]["rows"][row] = measured["value"]
            if row == REAL:
                results[name] |= {"floor": measured["value"], "floor_by_class": measured["by_class"]}


def _add(results: Results, more: Results) -> None:
    """Adds results.

    Raises:
        InvalidValueError: two scores, or two networks of one kind, give numbers of the same name.
    """
    if both := results.keys() & more.keys():
        raise InvalidValueError(f"{', '.join(sorted(both))} would be measured twice; leave one of the scores out")
    results |= more


def sort_key(result: Mapping[str, Any]) -> float:
    """One entry of `Results` as a number that falls as the samples get better."""
    if result["better"] == "real":
        return float("inf") if result["floor"] is None else abs(result["value"] - result["floor"])
    return float(result["value"]) if result["better"] == "lower" else -float(result["value"])

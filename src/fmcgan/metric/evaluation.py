"""Evaluation of samples by several metrics, beside baselines."""

import logging
import math
import time
from collections.abc import Mapping, Sequence

from fmcgan.app.checks import one_of
from fmcgan.app.errors import Failures, InvalidValueError
from fmcgan.app.progress import progress_bar
from fmcgan.metric.base import FeatureMetric, Metric
from fmcgan.metric.baselines import BASELINES, REAL, Baselines, applicable, baseline_title
from fmcgan.metric.image_set import ImageSet, RealImages, UnfitNetworkError
from fmcgan.metric.results import Result, Results
from fmcgan.metric.results_store import Store, StoredValue
from fmcgan.metric.value import MetricValue

log = logging.getLogger(__name__)


class Evaluator:
    """Measures metrics on samples and on baselines.

    Metrics are first fitted to the data set. One that needs a network without use on it is left out; the network logs
    why.

    Args:
        metrics: by their names in the configuration.
        real: the data set.
        n: number of samples for metrics that do not set their own.
        baselines: names of `fmcgan.metric.baselines.BASELINES`.
        store: stores values of real images; ``None``: in the user's cache folder.
        show_progress: shows a progress bar in a terminal, else log lines.
        failures: collects unexpected errors of single metrics; ``None``: the first error ends the evaluation.

    Raises:
        InvalidValueError: a baseline is unknown, a metric has no protocol, or two of its feature networks have the same
            name.
    """

    def __init__(
        self,
        metrics: Mapping[str, Metric],
        real: RealImages,
        n: int,
        baselines: Sequence[str] = (REAL,),
        store: Store | None = None,
        show_progress: bool = False,
        failures: Failures | None = None,
    ) -> None:
        for baseline in baselines:
            one_of(BASELINES, baselines=baseline)
        self.metrics: dict[str, Metric] = {}
        for name, metric in metrics.items():
            if not isinstance(getattr(metric, "protocol", None), str):
                how = "set its attribute protocol to a text that names all its parameters"
                raise InvalidValueError(f"{name}: the metric {type(metric).__name__} has no protocol; {how}")
            networks = [network.name for network in metric.networks] if isinstance(metric, FeatureMetric) else []
            if len(set(networks)) < len(networks):
                raise InvalidValueError(f"{name}: feature networks must have distinct names, got {', '.join(networks)}")
            try:
                metric.fit(real)
            except UnfitNetworkError:
                continue
            self.metrics[name] = metric
            if min(n, metric.n or n) < metric.min_samples:
                log.warning("%s of %d samples is unreliable: it needs at least %d (n=)", name, n, metric.min_samples)
        self.real = real
        self.n = n
        self.baselines = tuple(baselines)
        self.show_progress = show_progress
        self._failures = failures or Failures(Exception)
        # By metric in the last `measure`, without baselines. Shared work, as features, counts for the first metric.
        self.seconds: dict[str, float] = {}
        self._measured_baselines = Baselines(real, store or Store())

    @property
    def quantities(self) -> list[str]:
        """Names of the quantities that are measured, without number of samples and split, in their order."""
        return [name for metric in self.metrics.values() for name in metric.quantities]

    @property
    def samples_needed(self) -> int:
        """The largest number of samples that a metric needs."""
        return max([self.n, *(metric.n for metric in self.metrics.values() if metric.n)])

    def floors(self) -> dict[str, float]:
        """Measures the baseline ``real``; returns values by name."""
        measured = [self._baseline(name, REAL, metric.n or self.n) for name, metric in self.metrics.items()]
        return {name: each["value"] for values in measured for name, each in values.items()}

    def measure(self, samples: ImageSet) -> Results:
        """Measures samples, `samples_needed` or fewer, and baselines.

        Each metric measures as many samples as it needs, in the class proportions of the reference, or all if there are
        fewer; the names of its values contain that number.
        """
        tasks = [
            (name, baseline)
            for name, metric in self.metrics.items()
            for baseline in ("", *applicable(metric, self.baselines))
        ]
        results: Results = {}
        self.seconds = {}
        with progress_bar(tasks, disable=None if self.show_progress else True, unit="", leave=False) as bar:
            for name, baseline in bar:
                bar.set_description_str(f"{name}: {baseline_title(baseline) or 'samples'}")
                with self._failures.catch(name):
                    if baseline:
                        self._measure_baseline(results, name, baseline, len(self._subset(name, samples)))
                    else:
                        self._measure_samples(results, name, self._subset(name, samples))
                if not baseline and name in self.seconds and bar.disable and self.show_progress:
                    log.info("%s: %.1f s", name, self.seconds[name])
        return results

    def findings(self, samples: ImageSet) -> dict[str, object]:
        """Collects the findings of all metrics.

        They index images in ``samples.balanced(n, shares)`` with the class shares of the reference.
        """
        found: dict[str, object] = {}
        for name, metric in self.metrics.items():
            if name not in self._failures.failed:
                with self._failures.catch(name):
                    found |= metric.findings(self._subset(name, samples), self.real)
        return found

    def _subset(self, name: str, samples: ImageSet) -> ImageSet:
        return samples.balanced(min(self.metrics[name].n or self.n, len(samples)), self.real.reference.shares)

    def _measure_samples(self, results: Results, name: str, samples: ImageSet) -> None:
        start, metric = time.perf_counter(), self.metrics[name]
        values: dict[str, MetricValue] = {}
        try:
            values = metric.measure(samples, self.real)
        except InvalidValueError as error:  # too few samples for this metric, maybe enough for others
            log.warning("%s is not measured: %s", name, error)
        n, split = len(samples), self.real.reference_split
        added = {metric.value_name(key, n, split): _result(values[key], metric, key, name, n) for key in values}
        if twice := results.keys() & added.keys():
            raise InvalidValueError(f"{', '.join(sorted(twice))} would be measured twice; leave one of the metrics out")
        results |= added
        self.seconds[name] = round(time.perf_counter() - start, 2)

    def _measure_baseline(self, results: Results, name: str, baseline: str, n: int) -> None:
        if any(result["score"] == name for result in results.values()):
            for value_name, value in self._baseline(name, baseline, n).items():
                if value_name not in results:
                    continue
                result = results[value_name]
                result["baselines"][baseline] = value["value"]
                if baseline == REAL:
                    result["floor"], result["floor_by_class"] = value["value"], value["by_class"]

    def _baseline(self, name: str, baseline: str, n: int) -> dict[str, StoredValue]:
        try:
            return self._measured_baselines.measure(self.metrics[name], baseline, n)
        except InvalidValueError as error:  # too few images of a class
            log.warning("%s is not measured on the baseline %s: %s", name, baseline_title(baseline), error)
            return {}


def _result(value: MetricValue, metric: Metric, key: str, metric_name: str, n: int) -> Result:
    quantity = metric.quantities[key]
    return {
        "value": value.value,
        "interval": None if value.interval is None else list(value.interval),
        "floor": None,
        "baselines": {},
        "better": quantity.better,
        "n": n,
        "by_class": None if value.by_class is None else list(value.by_class),
        "floor_by_class": None,
        "score": metric_name,
        "protocol": metric.protocol,
        "title": quantity.title,
        "unit": quantity.unit,
        "range": [end if math.isfinite(end) else None for end in (quantity.lowest, quantity.highest)],
        "summary": quantity.summary,
        "plain": quantity.plain,
    }

"""Evaluation of samples by several metrics, beside baselines."""

import logging
import time
from collections.abc import Mapping, Sequence

from tqdm import tqdm

from fmcgan.app.checks import one_of
from fmcgan.app.errors import Failures, InvalidValueError
from fmcgan.metric.base import FeatureMetric, Metric
from fmcgan.metric.baselines import BASELINES, REAL, Baselines, applicable, baseline_title
from fmcgan.metric.image_set import ImageSet, RealImages
from fmcgan.metric.results import Results, result_of
from fmcgan.metric.results_store import Store

log = logging.getLogger(__name__)


class Evaluator:
    """Measures metrics on samples and on baselines.

    Args:
        metrics: by their names in the configuration.
        real: the data set.
        n: number of samples for metrics that do not set their own.
        baselines: names of `fmcgan.metric.baselines.BASELINES`.
        store: stores values of real images; ``None``: in the user's cache folder.
        show_progress: shows a progress bar in a terminal, else log lines.
        failures: collects unexpected errors of single metrics; ``None``: the first error ends the evaluation.

    Attributes:
        seconds: duration by metric in the last `measure`, without baselines. Shared work, such as features, counts for
            the first metric.

    Raises:
        InvalidValueError: a baseline is unknown, or two feature networks of a metric have the same name.
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
        for name, metric in metrics.items():
            networks = [network.name for network in metric.networks] if isinstance(metric, FeatureMetric) else []
            if len(set(networks)) < len(networks):
                raise InvalidValueError(f"{name}: feature networks must have distinct names, got {', '.join(networks)}")
            if min(n, metric.n or n) < metric.min_samples:
                log.warning("%s of %d samples is unreliable: it needs at least %d (n=)", name, n, metric.min_samples)
        self.metrics = dict(metrics)
        self.real = real
        self.n = n
        self.baselines = tuple(baselines)
        self.show_progress = show_progress
        self._failures = failures or Failures(Exception)
        self.seconds: dict[str, float] = {}
        self._measured_baselines = Baselines(real, store or Store())

    @property
    def samples_needed(self) -> int:
        """The largest number of samples that a metric needs."""
        return max([self.n, *(metric.n for metric in self.metrics.values() if metric.n)])

    def floors(self) -> dict[str, float]:
        """Measures the baseline ``real``; returns values by name."""
        measured: dict[str, float] = {}
        for metric in self.metrics.values():
            values = self._measured_baselines.measure(metric, REAL, metric.n or self.n)
            measured |= {name: each["value"] for name, each in values.items()}
        return measured

    def measure(self, samples: ImageSet) -> Results:
        """Measures samples and baselines.

        Args:
            samples: `samples_needed` or fewer. Each metric measures as many as it needs, balanced over the classes, or
                all if there are fewer; the names of its values contain that number.
        """
        tasks = [
            (name, baseline)
            for name, metric in self.metrics.items()
            for baseline in ("", *applicable(metric, self.baselines))
        ]
        results: Results = {}
        self.seconds = {}
        with tqdm(tasks, disable=None if self.show_progress else True, unit="", leave=False) as bar:
            for name, baseline in bar:
                bar.set_description_str(f"{name}: {baseline_title(baseline) or 'samples'}")
                with self._failures.catch(name):
                    self._measure(results, name, baseline, self._subset(name, samples))
                if not baseline and name in self.seconds and bar.disable and self.show_progress:
                    log.info("%s: %.1f s", name, self.seconds[name])
        return results

    def findings(self, samples: ImageSet) -> dict[str, object]:
        """Collects the findings of all metrics; they index images in ``samples.balanced(n)``."""
        found: dict[str, object] = {}
        for name, metric in self.metrics.items():
            if name not in self._failures.failed:
                with self._failures.catch(name):
                    found |= metric.findings(self._subset(name, samples), self.real)
        return found

    def _subset(self, name: str, samples: ImageSet) -> ImageSet:
        return samples.balanced(min(self.metrics[name].n or self.n, len(samples)))

    def _measure(self, results: Results, name: str, baseline: str, samples: ImageSet) -> None:
        """Measures the samples for ``baseline=""``, else the baseline; adds to the results."""
        if not baseline:
            start = time.perf_counter()
            added = self._measure_samples(name, samples)
            if duplicates := results.keys() & added.keys():
                raise InvalidValueError(
                    f"{', '.join(sorted(duplicates))} would be measured twice; leave one of the metrics out"
                )
            results |= added
            self.seconds[name] = round(time.perf_counter() - start, 2)
        elif any(result["score"] == name for result in results.values()):
            measured = self._measured_baselines.measure(self.metrics[name], baseline, len(samples))
            for value_name, value in measured.items():
                result = results[value_name]
                result["baselines"][baseline] = value["value"]
                if baseline == REAL:
                    result["floor"], result["floor_by_class"] = value["value"], value["by_class"]

    def _measure_samples(self, name: str, samples: ImageSet) -> Results:
        metric = self.metrics[name]
        try:
            values = metric.measure(samples, self.real)
        except InvalidValueError as error:  # too few samples for this metric, maybe enough for others
            log.warning("%s is not measured: %s", name, error)
            return {}
        return {
            metric.value_name(key, len(samples), self.real.reference_split): result_of(
                value, metric.quantities[key], metric, name, samples
            )
            for key, value in values.items()
        }

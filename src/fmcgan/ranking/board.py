"""Scores all submissions and baselines: everything that the leaderboard shows."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from fmcgan.app.errors import Failures, InvalidValueError, UserError
from fmcgan.app.progress import Progress
from fmcgan.data.info import DatasetInfo
from fmcgan.inference.sample_source import DEFAULT_N, Inputs
from fmcgan.metric.base import Metric
from fmcgan.metric.baselines import REAL, Baselines, applicable, baseline_title
from fmcgan.metric.evaluation import Evaluator
from fmcgan.metric.image_set import ImageSet
from fmcgan.metric.results import value_key
from fmcgan.metric.results_store import Store
from fmcgan.metric.value import Quantity
from fmcgan.ranking.scoring import CopyLimits, Scored, Scorer, copy_limits, examples_of
from fmcgan.ranking.standing import Place, ranked
from fmcgan.ranking.submissions import Submission, available_samples, read_submission

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class BaselineRow:
    """A baseline in the ranking, without a rank."""

    title: str
    key: float  # by which the ranking is sorted, rising
    values: Mapping[str, float]  # by name; without those that are not measured on it
    examples: Tensor  # one image of each of the first classes, uint8 [K, C, H, W]


@dataclass(frozen=True)
class Board:
    """The leaderboard.

    Args:
        value_name: of the value that ranks, such as ``class_fd_classifier_10k_test``.
        quantity: what it is, and which values are better.
        protocol: of its metric.
        n: samples of each submission.
        bootstrap_samples: resamples of the intervals and ties.
        places: submissions in the order of the ranking.
        baselines: likewise.
        failed: reasons, by the name of the team.
        limits: of copies.
        info: of the data set.
    """

    value_name: str
    quantity: Quantity
    protocol: str
    n: int
    bootstrap_samples: int
    places: Sequence[Place]
    baselines: Sequence[BaselineRow]
    failed: Mapping[str, str]
    limits: CopyLimits
    info: DatasetInfo


def make_board(
    submissions: Sequence[Submission],
    metrics: Mapping[str, Metric],
    quantity: str,
    inputs: Inputs,
    n: int | None,
    baselines: Sequence[str],
    store: Store,
) -> Board:
    """Scores the submissions. One that cannot be scored does not stop the others.

    Args:
        submissions: of all teams.
        metrics: by their names in the configuration.
        quantity: the one that ranks.
        inputs: the real images.
        n: samples of each submission; ``None``: the most that all have, at most `DEFAULT_N`.
        baselines: names of baselines.
        store: of the submissions; finished ones are not measured again.

    Raises:
        UserError: no submission could be scored.
    """
    real, failures = inputs.real, Failures()
    n = _common_size(submissions, real.reference, n, failures)
    scorer = Scorer(Evaluator(metrics, real, n, (), inputs.store), quantity, store)
    scored: list[Scored] = []
    with Progress(len(submissions), "submissions", "scored") as progress:
        for each in submissions:
            if each.name not in failures.failed:
                with failures.catch(each.name):
                    scored.append(scorer.score(each.name, read_submission(each, real.reference)))
            progress.update(1)
    if not scored:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in failures.failed.items())
        raise UserError(f"no submission could be scored ({reasons})")
    limits, measured = copy_limits(real), Baselines(real, inputs.store)
    floor = measured.measure(scorer.metric, REAL, n)[scorer.value_name]["value"]
    return Board(
        value_name=scorer.value_name,
        quantity=scorer.metric.quantities[quantity],
        protocol=scorer.metric.protocol,
        n=n,
        bootstrap_samples=inputs.bootstrap_samples,
        places=ranked(scored, scorer.value_name, floor, limits, n),
        baselines=[row for name in baselines if (row := _baseline_row(name, scorer, measured, floor))],
        failed=dict(failures.failed),
        limits=limits,
        info=real.info,
    )


def _common_size(submissions: Sequence[Submission], reference: ImageSet, n: int | None, failures: Failures) -> int:
    """Returns the number of samples of all, and collects the submissions that have too few.

    Submissions are read here and again when they are scored, since all of them together may not fit into memory.
    """
    sizes = []
    for each in submissions:
        with failures.catch(each.name):
            sizes.append(available_samples(each, reference, n))
    return n or min([DEFAULT_N, *sizes])


def _baseline_row(baseline: str, scorer: Scorer, measured: Baselines, floor: float) -> BaselineRow | None:
    """Measures a baseline by all metrics that have it; ``None`` if it has no value that ranks."""
    values: dict[str, float] = {}
    for metric in (scorer.metric, *scorer.evaluator.metrics.values()):
        if baseline in applicable(metric, [baseline]):
            try:
                found = measured.measure(metric, baseline, scorer.n)
            except InvalidValueError as error:  # too few images of a class
                log.warning("%s is not measured: %s", baseline_title(baseline), error)
                continue
            values |= {name: each["value"] for name, each in found.items()}
    if scorer.value_name not in values:
        return None
    key = value_key(values[scorer.value_name], scorer.metric.quantities[scorer.quantity].better, floor)
    images = measured.images(scorer.metric, baseline, scorer.n)
    return BaselineRow(baseline_title(baseline), key, values, examples_of(images))

"""``python -m fmcgan.leaderboard``: ranks the samples of many teams by one protocol."""

import functools
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig, ListConfig, OmegaConf

from fmcgan.app.checks import one_of, whole_number
from fmcgan.app.errors import InvalidValueError, UserError
from fmcgan.app.formatting import terminal_columns
from fmcgan.app.hydra_app import run_command
from fmcgan.app.run_dir import refuse_links

if TYPE_CHECKING:
    from fmcgan.metric.base import Metric

log = logging.getLogger(__name__)

SCORES = "scores"  # folder of the results: one file per submission and protocol


def rank_submissions(config: DictConfig) -> None:
    """Scores all submissions, writes ``leaderboard.html``, ``.csv`` and ``.json``, and prints the ranking."""
    from fmcgan.inference.sample_source import load_inputs
    from fmcgan.metric.results_store import Store
    from fmcgan.ranking.board import make_board
    from fmcgan.ranking.page import as_text, write_board
    from fmcgan.ranking.submissions import find_submissions

    metrics, quantity, options = _checked_options(config)
    submissions = find_submissions(Path(options.samples))
    inputs = load_inputs(options, "leaderboard", real_only=True)
    refuse_links(inputs.folder, SCORES)
    store = Store(inputs.folder / SCORES)
    board = make_board(submissions, metrics, quantity, inputs, config.n, tuple(config.baselines), store)
    write_board(inputs.folder, board, inputs.provenance_in_words())
    print(as_text(board, terminal_columns()), end="")  # noqa: T201
    folder = os.path.relpath(inputs.folder)
    log.info("written to %s: leaderboard.html, leaderboard.csv, leaderboard.json", folder)


def _checked_options(config: DictConfig) -> tuple["Mapping[str, Metric]", str, DictConfig]:
    """Builds the metrics after checking all options; reads and downloads nothing.

    Also returns the quantity that ranks, and the options in the form that `fmcgan.inference.sample_source` reads.
    """
    from hydra.utils import instantiate

    from fmcgan.app.config_validation import check_shape, types_checked
    from fmcgan.inference.sample_source import check_options, dataset_info
    from fmcgan.metric.baselines import BASELINES
    from fmcgan.ranking.scoring import ranking_quantity

    check_shape(config, ("data",), ("metric", "feature"))
    options = OmegaConf.create({**dict(config), "run": None, "weights": "ema", "trust": []})
    check_options(options, min_n=20)
    if not options.samples:
        raise UserError("samples must be a folder with the samples of all teams")
    whole_number(minimum=10, maximum=10_000, bootstrap_samples=config.bootstrap_samples)
    if not isinstance(config.baselines, ListConfig):
        raise InvalidValueError(f"baselines must be a list such as baselines=[real], got {config.baselines!r}")
    for baseline in config.baselines:
        one_of(BASELINES, baselines=baseline)
    if not isinstance(config.rank_by, str) or not config.rank_by:
        raise InvalidValueError(f"rank_by must be the name of a value, got {config.rank_by!r}")
    with types_checked(config):
        data, metrics = instantiate(config.data), instantiate(config.metric)
    dataset_info(data)
    return metrics, ranking_quantity(metrics, config.rank_by), options


main = functools.partial(run_command, "leaderboard", rank_submissions)


if __name__ == "__main__":
    main()

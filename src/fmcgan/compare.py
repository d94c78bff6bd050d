"""``python -m fmcgan.compare``: compares groups of runs, averaged over seeds, in tables and figures."""

import functools
import logging
from pathlib import Path

from omegaconf import DictConfig, ListConfig

from fmcgan.app import run_dir
from fmcgan.app.checks import path_text
from fmcgan.app.errors import UserError
from fmcgan.app.hydra_app import run_command
from fmcgan.app.run_dir import refuse_links

log = logging.getLogger(__name__)


def compare_runs(config: DictConfig) -> None:
    """Finds the runs, writes the comparison and prints a summary."""
    from fmcgan.app.formatting import terminal_columns
    from fmcgan.comparison.comparison import write_comparison
    from fmcgan.comparison.results import gather
    from fmcgan.comparison.runs import find_runs
    from fmcgan.comparison.summary import summary

    given, output = _checked_paths(config)
    found = [run for path in given for run in find_runs(path)]
    runs: dict[Path, Path] = {}
    for run in found:
        runs.setdefault(run.resolve(), run)
    if len(runs) < len(found):
        log.warning("runs= names %d of %d runs more than once; each counts once", len(found) - len(runs), len(found))
    if not config.output:
        refuse_links(given[0], run_dir.COMPARISON)
    comparison = gather(list(runs.values()))
    write_comparison(comparison, output)
    print(summary(comparison, output, terminal_columns()), end="")  # noqa: T201


def _checked_paths(config: DictConfig) -> tuple[list[Path], Path]:
    """Returns the folders of ``runs=`` and the output folder."""
    named = config.runs if isinstance(config.runs, ListConfig) else [config.runs]
    given = [path for each in named if (path := path_text(runs=each)) is not None]
    if not given or len(given) < len(named):
        raise UserError(f"runs must be a folder of runs or a list of run folders, got {config.runs!r}")
    output = path_text(output=config.output)
    return [Path(path) for path in given], Path(output) if output else Path(given[0]) / "comparison"


main = functools.partial(run_command, "compare", compare_runs)


if __name__ == "__main__":
    main()

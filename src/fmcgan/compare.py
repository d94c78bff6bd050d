"""``python -m fmcgan.compare``: tables and figures of several runs, seeds taken together."""

import logging
import os
from pathlib import Path

from omegaconf import DictConfig, ListConfig

from fmcgan import run_folder
from fmcgan.app.links import refuse_links
from fmcgan.command import run_command

log = logging.getLogger(__name__)


def compare_runs(config: DictConfig) -> None:
    """Finds the runs, writes the comparison and prints its tables."""
    from fmcgan.report.comparison import compare
    from fmcgan.report.run import find_runs

    given = [Path(str(path)) for path in (config.runs if isinstance(config.runs, ListConfig) else [config.runs])]
    runs = list(dict.fromkeys(run for path in given for run in find_runs(path)))
    output = Path(config.output) if config.output else given[0] / run_folder.COMPARISON
    if not config.output:
        refuse_links(given[0], run_folder.COMPARISON)
    compare(runs, output)
    print((output / "comparison.md").read_text(encoding="utf-8"), end="")  # noqa: T201
    log.info("written to %s", os.path.relpath(output))


def main() -> None:
    """Entry of the console command."""
    run_command("compare", compare_runs)


if __name__ == "__main__":
    main()

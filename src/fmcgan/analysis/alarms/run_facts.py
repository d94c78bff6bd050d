"""Readers of a run folder for the analysis: rows, facts for the alarms, sample grids."""

import logging
import re
from pathlib import Path

from PIL import Image

from fmcgan.analysis.alarms.curves import Facts
from fmcgan.analysis.base import NotApplicable
from fmcgan.app import run_dir
from fmcgan.app.errors import UserError
from fmcgan.app.renamed import had_decision_boundary
from fmcgan.app.run_files import read_config, read_environment, read_metrics, read_result
from fmcgan.data.garments import info_of
from fmcgan.figure.files import read_png

log = logging.getLogger(__name__)

MOST_PIXELS = 1_000_000_000  # limit for all sample grids in memory: about 2,500 default ones


def read_rows(run: Path | None) -> tuple[list[dict[str, float]], Path]:
    """Reads the rows of ``metrics.jsonl``.

    Raises:
        NotApplicable: there is no run folder, or it holds no rows.
        UserError: the file is damaged.
    """
    if run is None:
        raise NotApplicable("samples and exported generators have no training record; give run=outputs/...")
    rows = read_metrics(run / run_dir.METRICS_JSONL)
    if not rows:
        raise NotApplicable(f"{run} holds no training record ({run_dir.METRICS_JSONL}); give another run=outputs/...")
    return rows, run


def read_facts(folder: Path) -> Facts:
    """Reads facts from configuration, result and environment of a run; missing ones have their defaults.

    Raises:
        UserError: a file is damaged.
    """
    config = read_config(folder / run_dir.CONFIG) or {}
    result = read_result(folder / run_dir.RESULT) or {}
    environment = read_environment(folder / run_dir.ENVIRONMENT) or {}
    boundary = environment.get("has_decision_boundary")
    training = config.get("training") or {}
    planned = (config.get("trainer") or {}).get("max_epochs")
    return Facts(
        generator_clip=training.get("generator_clip"),
        discriminator_clip=training.get("discriminator_clip"),
        has_decision_boundary=had_decision_boundary(config) if boundary is None else boundary,
        planned_epochs=planned if planned and planned > 0 else None,
        chance=1 / info_of(config).num_classes,
        finished=result.get("status") == "finished",
    )


def read_frames(folder: Path) -> list[Image.Image]:
    """Reads the sample grids in grey, sorted by epoch.

    Unreadable files are skipped with a warning; reading ends with a warning at `MOST_PIXELS` in total.
    """
    named = [(re.fullmatch(r"epoch_(\d+)\.png", path.name), path) for path in folder.glob("epoch_*.png")]
    frames, left = [], MOST_PIXELS
    for _, path in sorted((int(found[1]), path) for found, path in named if found):
        try:
            frame = read_png(path)
        except UserError as reason:
            log.warning("left out of the animation: %s", reason)
            continue
        left -= frame.width * frame.height
        if left < 0:
            log.warning(
                "the animation ends before %s: the grids have over %s pixels in total", path, f"{MOST_PIXELS:,}"
            )
            break
        frames.append(frame)
    return frames

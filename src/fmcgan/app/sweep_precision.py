"""One answer to `trainer.precision=auto` for all jobs of a sweep, whichever processes run them."""

import contextlib
import hashlib
import logging
from collections.abc import Callable
from pathlib import Path

from hydra.core.hydra_config import HydraConfig

from fmcgan.app import run_dir
from fmcgan.app.errors import UserError
from fmcgan.app.job_folder import in_sweep
from fmcgan.app.run_files import read_precisions
from fmcgan.app.run_lock import exclusive

log = logging.getLogger(__name__)


def shared_precision(setting: str, measure: Callable[[], str]) -> str:
    """Returns the precision that a job of this sweep, or of an earlier start of it, measured; else measures it.

    While one job measures, the others wait: steps timed beside each other would be slower. A run that is no job of a
    sweep measures its own.

    Args:
        setting: all that the answer depends on, such as networks and batch size.
        measure: returns the faster precision.
    """
    if not in_sweep():
        return measure()
    sweep = Path(HydraConfig.get().sweep.dir)
    key = hashlib.sha256(setting.encode()).hexdigest()
    with exclusive(sweep / run_dir.PRECISION_LOCK):
        known = {}
        with contextlib.suppress(UserError):  # a damaged file is measured again
            known = read_precisions(sweep / run_dir.PRECISION) or {}
        if key in known:
            log.info("precision: %s, as in the other jobs of this sweep", known[key])
        else:
            known[key] = measure()
            run_dir.write_json(sweep / run_dir.PRECISION, known)
    return known[key]

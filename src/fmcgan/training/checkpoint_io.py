import io
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO
from typing_extensions import override

from fmcgan.app.renamed import upgrade_checkpoint
from fmcgan.app.run_dir import write_atomically
from fmcgan.training.checkpoint_file import Checkpoint


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes checkpoints atomically: after a kill or on a full disk the previous file is still intact."""

    @override
    def save_checkpoint(
        self, checkpoint: Checkpoint, path: str | PathLike[str], storage_options: object = None
    ) -> None:
        content = io.BytesIO()
        torch.save(checkpoint, content)
        path = Path(path)
        path.parent.mkdir(exist_ok=True)  # never the run folder itself: deleting it ends the run
        write_atomically(path, content.getvalue())

    @override
    def load_checkpoint(self, path: str | Path, *args: Any, **options: Any) -> Checkpoint:
        return upgrade_checkpoint(super().load_checkpoint(path, *args, **options))

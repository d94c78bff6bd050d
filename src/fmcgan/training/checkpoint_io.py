"""Checkpoints that are whole or not there."""

import io
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO
from typing_extensions import override

from fmcgan.app.renamed import upgrade_checkpoint
from fmcgan.app.run_dir import write_atomically


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes beside the final name and renames: a kill or a full disk in the middle leaves the previous file intact."""

    @override
    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        content = io.BytesIO()
        torch.save(checkpoint, content)
        path = Path(path)
        path.parent.mkdir(exist_ok=True)  # never the run folder itself: a deleted one ends the run
        write_atomically(path, content.getvalue())

    @override
    def load_checkpoint(self, path: Any, *args: Any, **options: Any) -> dict[str, Any]:
        checkpoint: dict[str, Any] = upgrade_checkpoint(super().load_checkpoint(path, *args, **options))
        return checkpoint

"""Checkpoints that are whole or not there."""

import io
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from fmcgan.errors import UserError
from fmcgan.run_folder import write_atomically


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes beside the final name and renames: a kill or a full disk in the middle leaves the previous file intact."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Saves a checkpoint.

        Raises:
            UserError: the file cannot be written (disk full, folder not writable).
        """
        content = io.BytesIO()
        torch.save(checkpoint, content)
        path = Path(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, content.getvalue())
        except OSError as error:
            raise UserError(
                f"cannot save {path} ({len(content.getvalue()) / 1e6:.1f} MB): {error.strerror or error}. "
                "An earlier checkpoint of that name is untouched; make room or choose another hydra.run.dir."
            ) from error

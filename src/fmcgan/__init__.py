"""fmcgan: a laboratory for class-conditional GANs on Fashion-MNIST."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fmcgan.inference.generator import load_generator

__all__ = ["load_generator"]


def __getattr__(name: str) -> Any:
    """Imports `load_generator` on first use, so that commands start without torch."""
    if name == "load_generator":
        from fmcgan.inference.generator import load_generator

        return load_generator
    raise AttributeError(f"module 'fmcgan' has no attribute {name!r}")

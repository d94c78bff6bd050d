"""fmcgan: a laboratory for class-conditional GANs on Fashion-MNIST."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fmcgan.inference.discriminator import load_discriminator
    from fmcgan.inference.generator import load_generator

__all__ = ["load_discriminator", "load_generator"]


def __getattr__(name: str) -> Any:
    """Imports the loaders on first use, so that commands start without torch."""
    if name in __all__:
        from fmcgan.inference.discriminator import load_discriminator
        from fmcgan.inference.generator import load_generator

        return {"load_discriminator": load_discriminator, "load_generator": load_generator}[name]
    raise AttributeError(f"module 'fmcgan' has no attribute {name!r}")

"""Classes and shape of the images of a composed configuration."""

from omegaconf import DictConfig, OmegaConf

from fmcgan.app.config_validation import types_checked


def dataset_of(data: DictConfig, seed: object) -> DictConfig:
    """Returns the facts about the data set of ``data=``, which the networks' options name.

    Images are not loaded, unless no other file has the facts.

    Args:
        data: the group ``data``.
        seed: of the run, which the group names.

    Raises:
        UserError: the data set is not there.
    """
    from hydra.utils import instantiate

    alone = OmegaConf.create({"data": data, "seed": seed})
    with types_checked(alone):
        return OmegaConf.create(instantiate(alone.data).info.as_config())


def register_dataset() -> None:
    """Registers the resolver of ``dataset`` in ``configs/train.yaml``, which is called once for a configuration."""
    OmegaConf.register_new_resolver("fmcgan.dataset", dataset_of, replace=True, use_cache=True)

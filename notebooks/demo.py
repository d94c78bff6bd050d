# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A tour of fmcgan
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/)
#
# A class-conditional GAN learns to generate the ten garments of Fashion-MNIST; the label selects the garment. This notebook
# trains one, plots its training, generates images, explores the latent space, analyses what the generator missed, and
# compares two losses. With the settings below it takes under five minutes on two CPU cores.
#
# Lines that begin with `!` are terminal commands; names in braces stand for the settings below. (`| cat` replaces the
# progress bar by lines.)

# %% tags=["install"]
import importlib.util

# In Colab: upload this notebook and the wheel that `make wheel` writes; this cell installs it.
if importlib.util.find_spec("fmcgan") is None:
    # !pip install --quiet "$(ls fmcgan-*.whl)[analysis]"
    pass

# %% tags=["parameters"]
RECIPE = "experiment=minute data.epoch_images=24000"  # half of it; experiment=quick takes ten minutes, for much better images
COMPARED = "loss=non_saturating,wgan_gp trainer.max_epochs=1 trainer.limit_train_batches=150 callback.evaluation.n=2000"
SCORED = 2000  # samples for evaluation and analysis
PARTS = "analysis=[scores,sample_check,confusions,clusters,bias,holes,directions]"  # "": all parts, minutes more
FOLDER = "outputs/demo"
ROOT = "data"  # folder of the data set; downloaded if missing

# %%
import json
import os
import sys
from pathlib import Path

import numpy as np
from IPython.display import Image as ShowImage
from IPython.display import Markdown, display

from fmcgan import load_generator
from fmcgan.data.fashion_mnist import FashionMNISTData
from fmcgan.data.garments import GARMENTS
from fmcgan.figure.grid import class_grid

python = sys.executable

# %% [markdown]
# ## The data
#
# 60,000 training images and 10,000 test images of 28 x 28 pixels, ten classes. Every load verifies the MD5 checksums of the
# four files. The generator never sees the test images: they are the reference for evaluation.

# %%
mirror = os.environ.get("FMCGAN_DATA_MIRROR")  # folder or URL of the four files; None: the official URL
data = FashionMNISTData(ROOT, mirror, batch_size=64, seed=0).load()
rows = [data.train_images[data.train_labels == label][:12, 0].numpy() for label in range(10)]
display(class_grid(np.stack(rows), GARMENTS.class_names, "Real training images"))

# %% [markdown]
# ## Training
#
# One command. The run folder contains the configuration, metrics, sample grids, checkpoints and the result.

# %%
run = Path(FOLDER) / "run"
# !{python} -m fmcgan.train {RECIPE} data.root={ROOT} hydra.run.dir={run} seed=1 2>&1 | cat

# %% [markdown]
# ## Training curves
#
# Bold lines are running means. As a rule of thumb, training is healthy if the discriminator's loss stays near its starting
# value and the generator's loss neither explodes nor vanishes. Gradient norms are measured before clipping.

# %%
for name in ("loss.png", "grad_norm.png"):
    display(ShowImage(run / name))

# %% [markdown]
# ## Generating images
#
# The same seed, class and index always give the same image.

# %%
generator = load_generator(run)
samples = generator.sample(classes=["bag", "ankle boot", "dress"], n_per_class=12, seed=0)
display(class_grid(samples.images.reshape(3, 12, 28, 28), ["bag", "ankle boot", "dress"], "Generated images by class"))

# %% [markdown]
# Truncation trades variety for quality: it draws what the first layer returns towards the mean of its class. Of the shipped
# generator 0.7 is the best value; below 0.6 images only lose variety.

# %%
rows = [generator.sample("sneaker", 12, seed=0, truncation=psi).images for psi in (1.0, 0.7, 0.6)]
display(class_grid(np.stack(rows), ["psi = 1", "psi = 0.7", "psi = 0.6"], "Sneakers with stronger truncation"))

# %% [markdown]
# ## Interpolation in the latent space
#
# Spherical interpolation (`slerp`) between two latent vectors, once for each label. All rows use the same vectors: what
# changes in every row comes from the latent vector, what differs between rows comes from the label.

# %%
import torch

from fmcgan.analysis.latent.space import slerp
from fmcgan.training.latent import draw_latents
from fmcgan.training.sampling import render

first, last = draw_latents(seed=7, label=0, n=2, latent_dim=generator.network.latent_dim)
walk = torch.stack([slerp(first, last, share) for share in np.linspace(0, 1, 12)])
rows = [render(generator.network, walk, torch.full((12,), label))[:, 0].numpy() for label in range(10)]
display(class_grid(np.stack(rows), GARMENTS.class_names, "One interpolation, ten labels"))

# %% [markdown]
# ## Evaluation
#
# Each score is shown beside the same score of real images that the generator has not seen: the value to aim for. The name
# states the protocol: `fd_classifier_2k_test` is a Fréchet distance on our classifier's features, 2,000 samples against
# the test images. It is not the FID.

# %%
# !{python} -m fmcgan.evaluate run={run} data.root={ROOT} n={SCORED} metric=[frechet,gan_test,manifold] baselines=[real] 2>&1 | cat

# %% [markdown]
# ## What it learned, missed and confused
#
# `fmcgan.analyze` examines clusters within the classes, confusions, brightness and shape, holes and copies, and states the
# largest differences from real images as sentences. `report.html` is one file with all figures, tables and maps; it opens
# in any browser. Some parts need the generator (latent space) or the run folder (curves).

# %%
# !{python} -m fmcgan.analyze run={run} data.root={ROOT} n={SCORED} {PARTS} 2>&1 | cat

# %%
found = json.loads((run / "analysis" / "findings.json").read_text())
statements = [finding["statement"] for finding in found["findings"]]
display(Markdown("\n".join(f"{place}. {text}" for place, text in enumerate(statements, 1)) or "*No findings.*"))

# %%
for name in ("bias_brightness", "clusters_overview", "directions_sefa"):
    if (figure := run / "analysis" / f"{name}.png").exists():
        display(ShowImage(figure))

# %% [markdown]
# ## Two losses side by side
#
# A sweep trains one run for each value; the same command resumes an interrupted sweep. `fmcgan.compare` groups the runs by
# their settings, averages over seeds and overlays the curves. Runs this short decide nothing; they show how to compare.
# Losses of different formulas share the axes of `loss.png`: read their course, and never compare their heights.

# %%
sweep = Path(FOLDER) / "sweep"
# !{python} -m fmcgan.train -m {COMPARED} data.root={ROOT} hydra.sweep.dir={sweep} 2>&1 | cat

# %%
# !{python} -m fmcgan.compare runs={sweep} 2>&1 | cat

# %%
for name in ("samples.png", "loss.png"):
    display(ShowImage(sweep / "comparison" / name))

# %% [markdown]
# ## Next steps
#
# - `python -m fmcgan.train experiment=quick` trains ten minutes, `experiment=best` about an hour.
# - `python -m fmcgan.train loss=hinge penalty=r1`: any loss with any penalty.
# - `python -m fmcgan.export run=... format=html`: the generator as a web page that works offline.
# - `tensorboard --logdir outputs` shows curves, grids and, after an analysis, the map in its projector.

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
# # Garments on demand: a tour of fmcgan
#
# A class-conditional GAN learns to draw the ten garments of Fashion-MNIST and, given a label, draws the one that was asked
# for. This notebook trains one, watches it learn, asks it for garments, looks into its latent space, finds out what it
# missed, and compares two losses. With the settings below it takes about five minutes on two CPU cores.
#
# The notebook only calls what the command line offers too: every line that begins with `!` can be typed in a terminal
# (where progress is a bar; `| cat` keeps it out of this page).

# %% tags=["parameters"]
RECIPE = "experiment=minute"  # what is trained; experiment=quick takes ten minutes and is much better
COMPARED = "loss=non_saturating,wgan_gp trainer.max_epochs=1 trainer.limit_train_batches=400"  # two losses, briefly
SCORED = 2000  # samples for the scores and the analysis
PARTS = ""  # all parts of the analysis; some: "analysis=[scores,clusters,directions]"
FOLDER = "outputs/demo"
ROOT = "data"  # where the data set lies, or is downloaded to

# %%
import json
import os
import sys
from pathlib import Path

import numpy as np
from IPython.display import Image as ShowImage
from IPython.display import Markdown, display

from fmcgan import load_generator
from fmcgan.data.classes import CLASS_NAMES
from fmcgan.data.fashion_mnist import FashionMNISTData
from fmcgan.figure.grid import class_grid

python = sys.executable

# %% [markdown]
# ## The data
#
# 60,000 training images and 10,000 test images of 28 x 28 grey levels, ten classes. The four files are checked by their
# MD5 sums every time. The generator never sees the test images: they tell how good real data would score.

# %%
mirror = os.environ.get("FMCGAN_DATA_MIRROR")  # a folder or an address of the four files; else where they are published
data = FashionMNISTData(ROOT, mirror, batch_size=64, seed=0).load()
rows = [data.train_images[data.train_labels == label][:12, 0].numpy() for label in range(10)]
display(class_grid(np.stack(rows), CLASS_NAMES, "Real training images"))

# %% [markdown]
# ## Training
#
# One line. Everything about the run lands in one folder: the resolved configuration, the metrics, sample grids, checkpoints
# and the result.

# %%
run = Path(FOLDER) / "run"
# !{python} -m fmcgan.train {RECIPE} data.root={ROOT} hydra.run.dir={run} seed=1 2>&1 | cat

# %% [markdown]
# ## Watching it learn
#
# Bold lines are running means. The discriminator's loss near its starting value and a generator's loss that neither
# explodes nor vanishes are signs of a game that is still played. Gradient norms are those before any clipping.

# %%
for name in ("loss.png", "grad_norm.png"):
    display(ShowImage(run / name))

# %% [markdown]
# ## Asking for garments
#
# The same seed, class and number give the same image, whatever else is asked for.

# %%
generator = load_generator(run)
samples = generator.sample(classes=["bag", "ankle boot", "dress"], n_per_class=12, seed=0)
display(class_grid(samples.images.reshape(3, 12, 28, 28), ["bag", "ankle boot", "dress"], "Asked for by name"))

# %% [markdown]
# Truncation trades variety for typicality: latent vectors are drawn nearer to the middle. Too near, and the generator has
# never seen vectors so short.

# %%
rows = [generator.sample("sneaker", 12, seed=0, truncation=psi).images for psi in (1.0, 0.8, 0.6)]
display(class_grid(np.stack(rows), ["psi = 1", "psi = 0.8", "psi = 0.6"], "Sneakers, less and less daring"))

# %% [markdown]
# ## A walk through the latent space
#
# From one latent vector to another along the sphere on which nearly all of them lie (`slerp`), label by label. Each row is
# a walk between the same two vectors, so what changes together over the rows belongs to the vector, and what differs to
# the label.

# %%
import torch

from fmcgan.analysis.latent.space import slerp
from fmcgan.training.latent import draw_latents
from fmcgan.training.sampling import render

first, last = draw_latents(seed=7, label=0, n=2, latent_dim=generator.network.latent_dim)
walk = torch.stack([slerp(first, last, share) for share in np.linspace(0, 1, 12)])
rows = [render(generator.network, walk, torch.full((12,), label))[:, 0].numpy() for label in range(10)]
display(class_grid(np.stack(rows), CLASS_NAMES, "One walk, ten labels"))

# %% [markdown]
# ## Numbers to trust
#
# Each score stands beside the same score of real images that the generator has not seen: the best it can hope for. The name
# says the protocol: `fd_classifier_2k_test` is a Fréchet distance on our classifier's features from 2,000 samples against
# the test images. It is not the FID.

# %%
# !{python} -m fmcgan.evaluate run={run} data.root={ROOT} n={SCORED} metric=[frechet,gan_test,manifold] rows=[real] 2>&1 | cat

# %% [markdown]
# ## What it learned, missed and confused
#
# `fmcgan.analyze` looks at styles within the classes, at confusions, brightness and shape, holes and copies, and tells the
# largest differences from real images in words. `report.html` is one file with all figures, tables and maps that opens in
# any browser. Parts that need a generator walk through its latent space; those that need a run read its curves.

# %%
# !{python} -m fmcgan.analyze run={run} data.root={ROOT} n={SCORED} {PARTS} 2>&1 | cat

# %%
found = json.loads((run / "analysis" / "findings.json").read_text())
statements = [finding["statement"] for finding in found["findings"]]
display(Markdown("\n".join(f"{place}. {text}" for place, text in enumerate(statements, 1)) or "*Nothing was found.*"))

# %%
for name in ("bias_brightness", "clusters_overview", "maps_umap_thumbnails", "directions_sefa"):
    if (figure := run / "analysis" / f"{name}.png").exists():
        display(ShowImage(figure))

# %% [markdown]
# ## Two losses side by side
#
# A sweep trains one run for each value; a sweep that was interrupted goes on where it stopped. `fmcgan.compare` groups the
# runs by what differs, takes seeds together and draws their curves over each other. So short a training decides nothing;
# it shows how such a comparison is made.

# %%
sweep = Path(FOLDER) / "sweep"
# !{python} -m fmcgan.train -m {COMPARED} data.root={ROOT} hydra.sweep.dir={sweep} 2>&1 | cat

# %%
# !{python} -m fmcgan.compare runs={sweep} 2>&1 | cat

# %%
for name in ("samples.png", "loss.png"):
    display(ShowImage(sweep / "comparison" / name))

# %% [markdown]
# ## From here
#
# - `python -m fmcgan.train experiment=quick` for ten minutes, `experiment=best` for an evening.
# - `python -m fmcgan.train loss=hinge penalty@loss.penalty=zero_centered`: any loss with any penalty, chosen by words.
# - `python -m fmcgan.export run=... format=html`: the generator as a page that draws in any browser.
# - `tensorboard --logdir outputs` shows curves, grids and, after an analysis, the map in its projector.

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
# # Two losses: vanilla against Wasserstein
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/)
#
# What does the loss of a GAN say, and what do gradient norms say? This notebook trains the default networks with two losses,
# and multilayer perceptrons with a third one, which stops learning. It takes under five minutes on two CPU cores.
#
# Lines that begin with `!` are terminal commands; names in braces stand for the settings below. (`| cat` replaces the progress
# bar by lines.)

# %% tags=["install"]
import importlib.util

# In Colab: upload this notebook and the wheel that `make wheel` writes; this cell installs it.
if importlib.util.find_spec("fmcgan") is None:
    # !pip install --quiet "$(ls fmcgan-*.whl)[analysis]"
    pass

# %% tags=["parameters"]
SHORT = "trainer.max_epochs=1 trainer.limit_train_batches=250 callback.evaluation.n=2000"  # 16,000 images each
MANIFOLD = "metric=[frechet,gan_test,manifold] metric/feature=[classifier]"
FOLDER = "outputs/losses"
ROOT = "data"  # folder of the data set; downloaded if missing

# %%
import csv
import json
import sys
from pathlib import Path

from IPython.display import Image as ShowImage
from IPython.display import Markdown, display

python = sys.executable

# %% [markdown]
# ## The two losses
#
# The discriminator gives each image a *logit*. The **vanilla** loss turns it into a probability of being real and minimises the
# cross-entropy:
#
# `L_D = E[softplus(-real)] + E[softplus(fake)]`, `L_G = E[softplus(-fake)]`
#
# The **Wasserstein** loss uses the logit itself. Its discriminator is called a critic, and a penalty keeps its slope near 1:
#
# `L_D = E[fake] - E[real] + 10 E[(gradient norm - 1)²]`, `L_G = -E[fake]`
#
# `loss=non_saturating` (without a penalty) and `loss=wgan_gp` (with its penalty) choose them; everything else stays.

# %%
sweep = Path(FOLDER) / "sweep"
# !{python} -m fmcgan.train -m loss=non_saturating,wgan_gp {SHORT} data.root={ROOT} hydra.sweep.dir={sweep} 2>&1 | cat

# %%
# !{python} -m fmcgan.compare runs={sweep} 2>&1 | cat

# %% [markdown]
# ## The losses cannot be compared
#
# The curves share an axis, but not a unit. Cross-entropy starts at 2 log 2 = 1.39 for the discriminator, which means "it is
# guessing". The critic's loss estimates minus a distance: the nearer to 0, the more alike are generated and real images. So read
# the *course* of each curve, and compare the *scores* of samples.

# %%
for name in ("loss.png", "samples.png"):
    display(ShowImage(sweep / "comparison" / name))

# %% [markdown]
# ## What gradient norms say
#
# The gradient norm says how strongly a step pushes a network's weights. Three patterns are worth knowing:
#
# - **steady**: training goes on, whatever the loss says;
# - **falling to 0**: the network no longer learns. A generator whose gradient vanishes stays as it is;
# - **growing by orders of magnitude**: training diverges.

# %%
display(ShowImage(sweep / "comparison" / "grad_norm.png"))


# %%
def epochs(run):
    """Reads the last row of a run's epochs.csv."""
    with (Path(run) / "epochs.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))[-1]


rows = {run.parent.name: epochs(run.parent) for run in sorted(sweep.glob("*/epochs.csv"))}
columns = [name for name in next(iter(rows.values())) if "loss" in name or "norm" in name]
lines = ["| run | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
lines += [f"| {name} | " + " | ".join(f"{float(row[c]):.3g}" for c in columns) + " |" for name, row in rows.items()]
display(Markdown("\n".join(lines)))

# %% [markdown]
# ## A training that crashes
#
# In the first GAN paper the generator minimises `E[log(1 - D(G(z)))]` (`loss=minimax`). If the discriminator is certain that an
# image is generated, that function is flat: the generator gets little gradient just when it is worst. Here the learning rates
# are high, the networks are multilayer perceptrons, and there is no penalty.

# %%
stuck = Path(FOLDER) / "minimax"
# !{python} -m fmcgan.train loss=minimax network=mlp lr=2e-3 {SHORT} {MANIFOLD} data.root={ROOT} hydra.run.dir={stuck} 2>&1 | cat

# %%
for name in ("grad_norm.png", "samples/epoch_001.png"):
    display(ShowImage(stuck / name))

# %% [markdown]
# Read the curves from the left. Both norms are low and steady. Then they jump a hundredfold within a few batches: a step was too
# large. After it the discriminator is certain, the generator draws the same few patterns in every class, and no later step
# repairs it. The loss alone would not show it: the generator's loss is *higher* than before.

# %% [markdown]
# `analyze` looks for such failures and names them. An alarm states what it saw and the rule behind it.

# %%
# !{python} -m fmcgan.analyze run={stuck} data.root={ROOT} n=500 analysis=[sample_check,training] 2>&1 | cat

# %%
found = json.loads((stuck / "analysis" / "findings.json").read_text(encoding="utf-8"))
for alarm in found["alarms"]:
    display(Markdown(f"**{alarm['name']}**: {alarm['statement']}"))

# %% [markdown]
# ## What to try next
#
# - `-m loss=non_saturating,non_saturating_r1,wgan_gp seed=0,1,2`: with the R1 penalty and three seeds. `compare` then says which
#   differences exceed the spread of the seeds.
# - `experiment=vanilla,wgan_gp trainer.max_time=180`: the usual constants of both losses at equal time.
# - `loss=minimax penalty=r1`: does the penalty save it?

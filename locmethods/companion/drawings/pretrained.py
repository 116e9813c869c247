"""Drawings of the chapter on a pretrained Transformer."""

from __future__ import annotations

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.patches import Rectangle

from locmethods.companion.drawings import charts
from locmethods.companion.drawings.charts import MARKERS, WHITE, ink

BLACK = "#000001"  # over a picture, on either ground
WIDE = 5.0  # inches: a figure that is wider is for a desktop
HEADS = ("layer 1, head 3", "layer 2, head 12", "layer 1, head 1", "layer 3, head 9")
LETTERS = {"positional": "P", "one-hot": "H", "uniform": "U", "mixed": "·"}


def glances(axes, table):
    """Four heads at one sentence: from each token on the left, lines to where it looks, as strong as the weights."""
    tokens = table["token"]
    for number, (ax, name) in enumerate(zip(axes, HEADS, strict=True)):
        weights = table[name]
        ends = [[(0, i), (1, j)] for i in range(len(tokens)) for j in range(len(tokens))]
        colour = f"C{number}"
        ax.add_collection(LineCollection(ends, colors=[colour] * len(ends), alpha=np.clip(weights.ravel(), 0, 1),
                                         linewidths=2.2, linestyles="-"))
        for place, token in enumerate(tokens):
            ax.text(-0.06, place, token, ha="right", va="center", fontsize=8)
            ax.text(1.06, place, token, ha="left", va="center", fontsize=8)
        ax.set(xlim=(-0.75, 1.75), ylim=(len(tokens) - 0.5, -0.5), title=name)
        ax.set_axis_off()


def levels(axes, table, number):
    """The weights of a layer's twelve heads, a square each: a row for each query, a column for each key."""
    narrow = axes.figure.get_size_inches()[0] < WIDE
    rows, columns = (4, 3) if narrow else (2, 6)
    weights = table[f"layer {number + 1}"]
    n = weights.shape[1]
    heads = weights.reshape(12, n, n)
    gap = 3
    whole = np.full((rows * (n + gap), columns * (n + gap)), np.nan)
    for head, one in enumerate(heads):
        top, left = head // columns * (n + gap) + gap, head % columns * (n + gap) + gap
        whole[top:top + n, left:left + n] = one
        axes.text(left + n / 2 - 0.5, top - 1, f"{head + 1}", ha="center", va="bottom", fontsize=9)
        axes.add_patch(Rectangle((left - 0.5, top - 0.5), n, n, fill=False, edgecolor=ink(axes), linewidth=0.6))
    axes.imshow(np.sqrt(whole), cmap="cividis", vmin=0, vmax=1, interpolation="nearest")
    axes.set_title(f"layer {number + 1}")
    axes.set_axis_off()


def kinds(axes, table):
    """A map of all heads: entropy as colour, the kind as a letter, a frame where half looks at the beginning."""
    share, first = table["entropy"], table["first"]
    picture = axes.imshow(share, cmap="cividis", vmin=0, vmax=1, interpolation="nearest", aspect="equal")
    kind = table["kind"]
    for row in range(share.shape[0]):
        for column in range(share.shape[1]):
            colour = BLACK if share[row, column] > 0.5 else WHITE
            axes.text(column, row, LETTERS[kind[row, column]], ha="center", va="center", fontsize=10, color=colour)
            if first[row, column] >= 0.5:
                axes.add_patch(Rectangle((column - 0.4, row - 0.4), 0.8, 0.8, fill=False, edgecolor=colour,
                                         linewidth=1.1))
    axes.set_xticks(range(share.shape[1]), [str(head + 1) for head in range(share.shape[1])])
    axes.set_yticks(range(share.shape[0]), [str(layer + 1) for layer in range(share.shape[0])])
    axes.set(xlabel="head", ylabel="layer")
    axes.grid(False)
    axes.spines[:].set_visible(False)
    below = axes.figure.get_size_inches()[0] < WIDE
    axes.figure.colorbar(picture, ax=axes, label="entropy / ln n", location="bottom" if below else "right",
                         shrink=0.8 if below else 0.7, aspect=25)


def entropies(axes, table):
    """Each head's entropy by layer with its spread over sentences, and the mean of a layer's heads with its own."""
    layers = table["layer"]
    aside = np.tile(np.linspace(-0.3, 0.3, 12), len(layers))
    axes.fill_between(layers, table["mean"] - table["mean: sd"], table["mean"] + table["mean: sd"], color="C0",
                      alpha=0.2, linewidth=0)
    axes.plot(layers, table["mean"], color="C0", linestyle="-")
    axes.errorbar(np.repeat(layers, 12) + aside, table["head"].ravel(), table["head: sd"].ravel(), linestyle="none",
                  marker="o", markersize=3.5, color="C1", elinewidth=0.8)
    charts.frame(axes, "layer", "entropy / ln n", xlim=(0.5, len(layers) + 0.5), ylim=(-0.03, 1.02))
    axes.set_xticks(layers, [f"{layer:g}" for layer in layers])


def listening(axes, table):
    """Norms of heads' derivatives against how much two draws by the weights differ, below their bound."""
    axes.plot(table["chance"], table["bound"], color=ink(axes), linestyle="--", linewidth=1.3)
    axes.text(0.3, 0.165, "bound", ha="right", fontsize=10)
    for number, name in enumerate(HEADS):
        axes.scatter(table[f"{name}: chance"], table[f"{name}: norm"], s=20, marker=MARKERS[number],
                     color=f"C{number}", linewidths=0, alpha=0.6, label=name)
    axes.legend(loc="upper right", handletextpad=0.2)
    charts.frame(axes, "chance that two draws differ", "norm of the covariance", xlim=(-0.03, 1.0),
                 ylim=(-0.005, 0.2))


def collapse(axes, table):
    """The spread of the tokens, layer by layer, of the whole model and without its parts."""
    curves = ["whole", "no feed-forward", "no residuals", "heads alone"]
    for number, name in enumerate(curves):
        axes.fill_between(table["after layer"], table[f"{name}: low"], table[f"{name}: high"], color=f"C{number}",
                          alpha=0.18, linewidth=0)
    places = {"whole": (0.3, 3), "no feed-forward": (2.6, 3), "no residuals": (3.9, 2.5e-2), "heads alone": (0.8, 1e-6)}
    charts.lines(axes, table, "after layer", curves, logy=True, marker=True, xlabel="after layer",
                 ylabel="spread of the tokens", names=places, ylim=(4e-11, 30))


def retrieval(axes, table):
    """The mean reciprocal rank of each kernel and of the peers, and what each lacks of the first."""
    score, lack = axes
    colours = [1 if name in ("TF-IDF", "mean of word vectors") else 0 for name in table["answer"]]
    charts.dots(score, table, "answer", "MRR", "error", xlabel="mean reciprocal rank", colours=colours)
    charts.dots(lack, table, "answer", "difference", "its error", xlabel="loss", colours=colours)
    charts.references(lack, vertical=0.0)
    if axes[0].figure.get_size_inches()[0] > WIDE:
        lack.set_yticklabels([])

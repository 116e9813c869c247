"""The drawings of the page on the Transformer: each takes all that it shows from the figure's table."""

from __future__ import annotations

from locmethods.companion.drawings import charts


def prior(axes, table):
    """Draw what one query gives to each key: by attention, by a Gaussian, and by the prior of the key."""
    x, y = table["key"].T
    for ax, name in zip(axes, ("attention", "the Gaussian", "the prior"), strict=True):
        share = table[name] / table[name].max()
        ax.scatter(x, y, s=10 + 190 * share, c=share, cmap="cividis", vmin=-0.2, vmax=1.0, linewidths=0, alpha=0.9)
        ax.scatter(*table["query"], s=120, marker="*", color="C1", linewidths=0, zorder=3)
        ax.set_title(name)
        ax.set_aspect("equal")
        ax.set_xticks([])
        ax.set_yticks([])


def temperature(axes, table):
    """Draw the entropy of weights against β, and the way of the mean through the keys."""
    charts.lines(axes[0], table, "beta", ["measured"], logx=True, xlabel="β = 1/τ", ylabel="entropy (nats)",
                 title="weights become few", names=None)
    axes[0].plot(table["beta"], table["integrated"], linestyle="none", marker="o", markersize=5, markevery=6,
                 color="C1")
    axes[0].text(0.06, 0.1, "line: measured\ndots: −β Var, summed up", transform=axes[0].transAxes, fontsize=10)
    axes[1].scatter(*table["key"].T, s=26, color="C3", linewidths=0, alpha=0.6)
    axes[1].plot(*table["mean"].T, color="C0")
    axes[1].scatter(*table["query"], s=120, marker="*", color="C1", linewidths=0, zorder=3)
    axes[1].annotate("the best key", table["mean"][-1], (-7, -3), textcoords="offset points", fontsize=10, ha="right")
    axes[1].annotate("all keys' mean", table["mean"][0], (-1.2, -2.0), fontsize=10, ha="center",
                     arrowprops={"arrowstyle": "-", "linewidth": 0.8, "color": charts.ink(axes[1])})
    axes[1].set_aspect("equal")
    charts.frame(axes[1], "first feature", "second feature", "the mean's way")
    axes[1].margins(x=0.08)


def positions(axes, table):
    """Draw the score of three pairs of contents against their distance, under a penalty and under a rotation."""
    names = {f"{part} {number}": f"pair {number}" for part in ("penalty", "rotary") for number in (1, 2, 3)}
    for ax, part, title in zip(axes, ("penalty", "rotary"), ("a penalty of the distance", "a rotation"), strict=True):
        charts.lines(ax, table, "distance", {key: name for key, name in names.items() if part in key},
                     xlabel="distance t − s", ylabel="log K", title=title, marker=True)


def causal(axes, table):
    """Draw one feature of all tokens as the same weights are applied again and again, with the mask and without."""
    for ax, name in zip(axes, ("causal", "no mask"), strict=True):
        paths = table[name]
        for number in range(paths.shape[1]):
            ax.plot(table["layer"], paths[:, number], linestyle="-", color="C1" if number == 0 else "C0",
                    linewidth=2.6 if number == 0 else 1.0, alpha=1.0 if number == 0 else 0.6, zorder=3 - (number > 0))
        charts.frame(ax, "layers", "a token's feature", name)
    axes[0].annotate("first token", (table["layer"][-1], table["causal"][-1, 0]), (-4, 6), textcoords="offset points",
                     color="C1", ha="right", fontsize=10)


def collapse(axes, table):
    """Draw the spread of tokens layer by layer, and the spread after one layer against that before."""
    names = {"attention alone": (5.4, 3e-7), "half a residual": (6.0, 4e-3), "a whole stack": (4.0, 3e1)}
    charts.lines(axes[0], table, "layer", list(names), xlabel="layers", ylabel="spread of the tokens",
                 title="layer by layer", logy=True, marker=True, names=names, ylim=(1e-11, 1e3))
    charts.lines(axes[1], table, "before", ["r³ / nτ"], xlabel="spread before", ylabel="spread after",
                 title="one layer", logx=True, logy=True, names={"r³ / nτ": (0.06, 1.5e-6)})
    for number, name in enumerate(("no common mean", "a common mean", "the Gaussian"), 1):
        axes[1].scatter(table["before"], table[name], s=(130, 60, 14)[number - 1], marker=charts.MARKERS[number],
                        facecolors=f"C{number}" if number == 3 else "none", edgecolors=f"C{number}", linewidths=1.6,
                        zorder=3, label=name)
    axes[1].legend(loc="upper left")


def units(axes, table):
    """Draw over the plane the weight of a feed-forward unit, of a head's key, and of a Gaussian's."""
    for ax, name in zip(axes, ("max(0, k·x + b)", "exp(k·x)", "the Gaussian"), strict=True):
        ax.contourf(table["x"], table["x"], table[name] / table[name].max(), levels=9, cmap="cividis")
        ax.scatter(*table["key"], s=60, marker="o", facecolors="none", edgecolors=charts.WHITE, linewidths=2)
        ax.set_title(name)
        ax.set_aspect("equal")
        ax.set_xticks([])
        ax.set_yticks([])


def features(axes, table):
    """Draw the error of attention by random features against their number, with standard errors over draws."""
    for number, name in enumerate(("long tokens", "short tokens")):
        axes.errorbar(table["M"], table[name], yerr=table[f"{name}, error"], marker=charts.MARKERS[number],
                      color=f"C{number}", capsize=3)
        axes.annotate(name, (table["M"][2], table[name][2]), (0, -18), textcoords="offset points", ha="right",
                      color=f"C{number}", fontsize=10)
    axes.plot(table["M"], table["law"], linestyle=":", color=charts.ink(axes))
    charts.frame(axes, "number of features M", "root mean squared error", None, logx=True, logy=True)
    axes.annotate("slope −½", (table["M"][1], table["law"][1]), (6, 4), textcoords="offset points", fontsize=10)

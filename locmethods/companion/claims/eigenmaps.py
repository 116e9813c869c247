"""What the page on learned eigenmaps checks."""

import numpy as np
from numpy.polynomial.hermite_e import hermeval
from scipy.linalg import eigh

import locmethods as lm
from locmethods.companion import at_least, at_most, claim, datasets, same
from locmethods.companion.expected.eigenmaps import (
    best_assignment,
    by_hand,
    dense_eigenmaps,
    descend,
    pair_loss,
    precision,
    unit_functions,
)
from locmethods.eigenmaps import (
    EigenmapLoss,
    KernelPairs,
    NeuralEFLoss,
    NeuralEigenmaps,
    RayleighRitz,
    SpectralContrastiveLoss,
    collapse_rule,
    extension,
    least_alpha,
    mean_average_precision,
)
from locmethods.kernels import Gaussian

LINE = np.array([-1.3, -0.9, -0.5, -0.2, 0.1, 0.4, 0.9, 1.3])[:, None]
WIDTH = 0.5  # eigenvalues 1, 0.81, 0.57, 0.26, …: far enough apart to tell where an output lands


@claim("P1", kind="identity", sources=("deng2022",))
def positive_pairs_average(seed=0):
    r"""For pairs with the joint density $p(x, x')$, the operator $f \mapsto E[f(x') \mid x]$ is the local mean with the
    kernel $K(x, x') = p(x, x')$; for pairs that are drawn from a finite sample in proportion to a symmetric kernel it
    is $D^{-1}K$."""
    rng = np.random.default_rng(seed)
    rho, where = rng.uniform(0.5, 0.9), np.linspace(-2, 2, 9)
    keys = np.linspace(-12, 12, 4001)[:, None]
    functions = np.stack([hermeval(keys[:, 0], np.eye(5)[j]) for j in range(5)], 1)
    # As a function of x', the density of a normal pair is a Gaussian around ρx.
    found = lm.local_mean(rho * where[:, None], keys, functions, kernel=Gaussian(np.sqrt(1 - rho**2)))
    known = np.stack([rho**j * hermeval(where, np.eye(5)[j]) for j in range(5)], 1)
    one_view = lm.local_mean(np.sqrt(rho) * where[:, None], keys, functions, kernel=Gaussian(np.sqrt(1 - rho)))
    yield same("normal pairs", found, known, within=1e-9, because="sums over a grid much finer than the width",
               broken=one_view, how="one view of the clean point in the place of the pair's other side")

    joint, degrees, _, _ = dense_eigenmaps(LINE, WIDTH)
    values, n = rng.normal(size=8), 60_000
    drawn = KernelPairs(LINE, Gaussian(WIDTH)).draw(n, rng)
    first, second = (np.searchsorted(LINE[:, 0], side[:, 0]) for side in drawn)
    seen = np.bincount(first, values[second], 8) / np.bincount(first, minlength=8)
    noise = 6 * np.sqrt((joint @ values**2 / degrees - (joint @ values / degrees) ** 2) / degrees / n)
    strangers = np.bincount(first, values[rng.permutation(second)], 8) / np.bincount(first, minlength=8)
    yield at_most("drawn pairs", abs(seen - joint @ values / degrees), noise,
                  because="six standard errors of each mean",
                  broken=(abs(strangers - joint @ values / degrees), noise), how="partners that were shuffled")


@claim("P2", kind="identity", sources=("bengio2004b",))
def the_extension_is_one_local_mean(seed=0):
    r"""An eigenfunction $\psi_j$ of $\tilde K$ with $\mu_j \ne 0$ extends to a new point by one local mean,
    $\psi_j(x^*) = m(\psi_j)(x^*)/\mu_j$, which at the keys is the eigenvector again."""
    rng = np.random.default_rng(seed)
    keys, new = rng.normal(size=(80, 2)), rng.normal(size=(20, 2))
    _, _, mu, psi = dense_eigenmaps(keys, 0.6)
    found = extension(new, keys, psi[:, :6], mu[:6], kernel=Gaussian(0.6))
    weights = np.exp(-((new[:, None] - keys) ** 2).sum(-1) / (2 * 0.36))
    means = weights / weights.sum(1, keepdims=True) @ psi[:, :6]
    yield same("new points", found, means / mu[:6], within=1e-9, because="rounding, divided by the sixth eigenvalue",
               broken=means, how="local means that nobody divides by the eigenvalue")
    yield same("the keys", extension(keys, keys, psi[:, :6], mu[:6], kernel=Gaussian(0.6)), psi[:, :6], within=1e-9,
               because="rounding, divided by the sixth eigenvalue",
               broken=extension(keys + 0.1, keys, psi[:, :6], mu[:6], kernel=Gaussian(0.6)),
               how="queries that are not where the eigenvectors are known")


@claim("P3", kind=("identity", "counter-example"), sources=("deng2022",))
def the_first_output_is_constant(seed=0):
    r"""If the kernel connects the sample, the first output of Neural Eigenmaps, whose loss centres nothing, comes near
    the constant function as it is trained: that is the eigenfunction of $\mu_1 = 1$, and says nothing about $x$."""
    x = datasets.moons(60, seed=seed, noise=0.05).x
    options = {"pairs": Gaussian(0.5), "steps": 150, "batch_size": 128, "hidden": (32,), "learning_rate": 0.01,
               "tol": np.inf, "random_state": seed}
    model = NeuralEigenmaps(2, **options).fit(x)
    psi = model.transform(x)
    joint, degrees, mu, _ = dense_eigenmaps(x, 0.5)
    centred = NeuralEigenmaps(2, loss="barlow", **options).fit(x).transform(x)
    yield at_least("overlap with the constant", abs(degrees @ psi[:, 0]), 0.98,
                   because="sampled pairs leave a network of 32 units within a fifth of the constant, root mean square",
                   broken=(abs(degrees @ centred[:, 0]), 0.98), how="Barlow Twins, which subtracts the mean")
    yield same("its eigenvalue", mu[0], 1.0, within=1e-12, because="the rows of averages sum to one",
               broken=mu[1], how="the first function that is not constant")
    weights = [np.asarray(one.detach(), dtype=float) for one in model.network_.parameters()]
    yield same("what transform gives", psi, unit_functions(x, weights, degrees), within=1e-9,
               because="rounding of a network of two layers", broken=unit_functions(x, weights, np.full(60, 1 / 60)),
               how="points that count alike instead of by their degree")
    yield same("the eigenvalues it names", model.eigenvalues_, np.diag(psi.T @ joint @ psi), within=1e-9,
               because="sums of 60 × 60 products",
               broken=np.diag(psi.T @ psi) / 60, how="points that are their own partners")


@claim("P4", kind=("identity", "algorithm"))
def outputs_land_where_the_penalty_lets_them(seed=0):
    r"""If the earlier outputs are eigenfunctions, output $j$ of Neural Eigenmaps lands on
    $\arg\max_a \mu_a - \alpha n_a \mu_a^2$, where $n_a$ outputs are on the $a$-th already; for positive $\mu$, no two
    equal, the first $k$ come in order if $\alpha > \max_{i < j \le k} (\mu_i - \mu_j)/\mu_i^2$, and not below it."""
    joint, degrees, mu, psi = dense_eigenmaps(LINE, WIDTH)
    landed, loose = [], []
    # A third output that falls back on the first function's place, and all in order; nearer ties take longer.
    for alpha, steps in ((0.3, 800), (3.0, 400)):
        predicted = np.arange(3), best_assignment(mu, alpha, 3)
        for ordered, found in ((True, landed), (False, loose)):
            loss = pair_loss(EigenmapLoss(alpha, ordered=ordered), joint)
            found.append(overlaps(descend(loss, (8, 3), seed, steps), degrees, psi)[predicted])
    yield same("where outputs land", landed, 1.0, within=0.03,
               because="so many steps of descent end near the eigenfunctions", broken=loose,
               how="earlier outputs that give way to later ones")
    rng = np.random.default_rng(seed)
    values = psi[:, :3] + 0.1 * rng.normal(size=(8, 3))
    unit = values / np.sqrt(degrees @ values**2)
    cross = unit.T @ joint @ unit
    yield same("the loss", pair_loss(EigenmapLoss(2.0), joint)(values)[0],
               2.0 * np.sum(np.triu(cross, 1) ** 2) - np.trace(cross), within=1e-11, because="sums of 64 pairs",
               broken=2.0 * np.sum(np.triu(cross) ** 2) - np.trace(cross),
               how="a penalty that counts the outputs themselves")
    spectrum = np.sort(rng.uniform(0.05, 1, 7))[::-1]
    rules = [collapse_rule(spectrum, alpha, 5) for alpha in (0.3, 1.0, 4.0)]
    found = [best_assignment(spectrum, alpha, 5) for alpha in (0.3, 1.0, 4.0)]
    greedy = [best_assignment(spectrum, 0.0, 5)] * 3
    yield same("the rule", rules, found, because="indices are equal or they are not",
               broken=greedy, how="outputs that do not see each other")
    gaps = [(spectrum[i] - spectrum[j]) / spectrum[i] ** 2 for i in range(5) for j in range(i + 1, 5)]
    yield same("the least penalty", least_alpha(spectrum, 5), max(gaps), within=1e-12, because="one rounding",
               broken=spectrum[0] - spectrum[4], how="gaps that nobody divides by a squared eigenvalue")
    below, above = (best_assignment(spectrum, factor * max(gaps), 5) for factor in (0.999, 1.001))
    yield same("its two sides", above, np.arange(5), because="indices are equal or they are not",
               broken=below, how="a thousandth less than that")


def overlaps(values, degrees, psi):
    """Return |⟨ψ̂ᵢ, ψⱼ⟩| for functions scaled to mean square one."""
    return abs((values / np.sqrt(degrees @ values**2)).T @ (degrees[:, None] * psi))


@claim("P5", kind=("identity", "algorithm"), sources=("deng2022b",))
def neuralef_divides_by_what_is_enough(seed=0):
    r"""NeuralEF's division by $R_{ii}$ is a penalty $\alpha_i = 1/\mu_i$, which is what a positive spectrum asks for
    whatever comes after $\mu_i$; and the gradient that its authors write by hand is that of
    $-\sum_j R_{jj} + \sum_{i<j} R_{ij}^2/R_{ii}$ with earlier outputs held fixed."""
    joint, degrees, _, psi = dense_eigenmaps(LINE, WIDTH)
    rng = np.random.default_rng(seed)
    values = psi[:, :4] + 0.1 * rng.normal(size=(8, 4))
    yield same("the gradient", pair_loss(NeuralEFLoss(), joint)(values)[1], by_hand(values, joint), within=1e-11,
               because="sums of 64 pairs", broken=pair_loss(EigenmapLoss(1.0), joint)(values)[1],
               how="one penalty for all in the place of the division")
    spectrum = np.sort(rng.uniform(0.1, 1, 5))[::-1]
    last, half = ([least_alpha(np.r_[spectrum[:i], share * spectrum[i - 1]], i + 1) for i in range(1, 6)]
                  for share in (1e-13, 0.5))
    yield same("what is asked for", last, 1 / spectrum, relative=1e-9,
               because="what comes after μᵢ is a 10⁻¹³th of it, and 1 − 10⁻¹³ is asked for",
               broken=half, how="a spectrum that goes on at half the height")
    landed = overlaps(descend(pair_loss(NeuralEFLoss(), joint), (8, 3), seed), degrees, psi)
    alike = overlaps(descend(pair_loss(EigenmapLoss(0.05), joint), (8, 3), seed), degrees, psi)
    yield same("where it lands", np.diag(landed), 1.0, within=0.03,
               because="three hundred steps of descent end near the eigenfunctions", broken=np.diag(alike),
               how="hardly any penalty instead of the division")


SEEDS = range(5)  # of each training, counted from the claim's own
DIGITS = {"pairs": Gaussian(0.5), "hidden": (64,), "batch_size": 128, "learning_rate": 0.01, "tol": np.inf}


def retrieval(codes, labels, kept):
    """Return the mean average precision of digits after the first 500 among those, from some of the components."""
    known, asked = codes[:500][:, kept], codes[500:][:, kept]
    return mean_average_precision(known, labels[:500], asked, labels[500:])


@claim("P6", kind="inequality", sources=("deng2022",))
def a_prefix_retrieves_better_than_a_random_part(seed=0):
    r"""Codes of new digits, by Neural Eigenmaps trained on a Gaussian's pairs of 500 others and cut to their first
    eight components after the constant, find a digit's like better than eight random ones of the 24 do in the mean of
    two draws, in each of five trainings."""
    x, y = datasets.digits()
    x, y = x[:700].astype(np.float32), y[:700]
    rng, first, random, spoilt = np.random.default_rng(seed), [], [], []
    for one in SEEDS:
        model = NeuralEigenmaps(25, alpha=0.5, steps=100, random_state=one + 5 * seed, **DIGITS).fit(x[:500])
        codes = model.transform(x)
        parts = [rng.choice(24, 8, replace=False) + 1 for _ in range(2)]
        first.append(retrieval(codes, y, range(1, 9)))
        random.append(np.mean([retrieval(codes, y, part) for part in parts]))
        spoilt.append(retrieval(codes, y, range(17, 25)))
    yield at_least("eight of 24", first, random, because="it holds in every training, or it does not",
                   broken=(spoilt, random), how="the last eight components in the place of the first")
    known, asked = codes[:500, 1:9], codes[500:, 1:9]
    yield same("the score", first[-1], precision(known, y[:500], asked, y[500:]), within=1e-5,
               because="codes in single precision, in which cosines may tie", broken=random[-1],
               how="random components")


@claim("P7", kind="inequality", sources=("varici2025",))
def a_rotation_afterwards_orders_as_well(seed=0):
    r"""A Rayleigh–Ritz rotation after training orders outputs that a loss without order has learned: after trainings of
    one length on a Gaussian's pairs of 500 digits, its first eight after the constant retrieve better than eight
    outputs of the spectral contrastive loss and of Barlow Twins as they came, and no worse than those of Neural
    Eigenmaps less a twentieth, in the mean of five trainings."""
    x, y = datasets.digits()
    x, y = x[:700].astype(np.float32), y[:700]
    options = {**DIGITS, "hidden": (32,), "steps": 40}
    ordered, plain, turned, last = [], [], [], []
    for one in SEEDS:
        for scores in (plain, turned, last):
            scores.append([])
        for loss in ("barlow", "contrastive"):
            model = NeuralEigenmaps(25, loss=loss, random_state=one + 5 * seed, **options).fit(x[:500])
            codes, ritz = model.transform(x), model.rayleigh_ritz()
            kept = range(8) if loss == "barlow" else range(1, 9)  # Barlow Twins centres: there is no constant
            plain[-1].append(retrieval(codes, y, kept))
            turned[-1].append(retrieval(ritz.transform(codes), y, kept))
            last[-1].append(retrieval(ritz.transform(codes), y, range(17, 25)))
        model_values = codes[:500]
        model = NeuralEigenmaps(25, alpha=0.5, random_state=one + 5 * seed, **options).fit(x[:500])
        ordered.append(retrieval(model.transform(x), y, range(1, 9)))
    plain, turned, last = (np.mean(scores, axis=0) for scores in (plain, turned, last))
    joint, degrees, _, _ = dense_eigenmaps(x[:500].astype(float), 0.5)
    values = model_values.astype(float)
    turned_values = ritz.transform(values)
    best = eigh(values.T @ joint @ values, values.T @ (degrees[:, None] * values), eigvals_only=True)[::-1]
    yield same("the rotation", turned_values.T @ (degrees[:, None] * turned_values), np.eye(25), within=1e-3,
               because="outputs of a network in single precision",
               broken=values.T @ (degrees[:, None] * values), how="outputs that nobody turned")
    yield same("its eigenvalues", ritz.eigenvalues_, best, within=1e-3,
               because="outputs of a network in single precision",
               broken=np.sort((values**2).mean(0))[::-1], how="lengths of outputs instead of quotients")
    yield at_least("turned and not", turned, plain, because="the means of five trainings",
                   broken=(plain, turned), how="outputs that nobody turned")
    yield at_least("beside Neural Eigenmaps", turned, np.mean(ordered), within=0.05,
                   because="trainings differ by some hundredths", broken=(last, np.mean(ordered)),
                   how="the last eight in the place of the first")


@claim("P8", kind=("identity", "counter-example"), sources=("haochen2021",))
def the_contrastive_loss_learns_a_span(seed=0):
    r"""If the first $k$ eigenvalues are not negative and the next is smaller, the spectral contrastive loss has its
    minimum where $zz^\top = \sum_{j\le k} \mu_j \psi_j \psi_j^\top$: the outputs are the $\sqrt{\mu_j}\,\psi_j$ in any
    rotation, and where some of these eigenvalues are equal only the span of their functions is a function of the
    pairs."""
    joint, _, mu, psi = dense_eigenmaps(LINE, WIDTH)
    loss = pair_loss(SpectralContrastiveLoss(), joint)
    values = descend(loss, (8, 3), seed)
    best = (psi[:, :3] * mu[:3]) @ psi[:, :3].T
    yield same("products of outputs", values @ values.T, best, within=0.01 * best.max(),
               because="three hundred steps of descent end near the minimum",
               broken=psi[:, :3] @ psi[:, :3].T, how="functions that are not weighed by their eigenvalues")
    yield same("the minimum", loss(values)[0], -np.sum(mu[:3] ** 2), within=1e-3,
               because="the loss is flat at its minimum", broken=loss(psi[:, :3])[0],
               how="functions that are not weighed by their eigenvalues")

    # Eight points on a ring: cosine and sine belong to one eigenvalue.
    angle = 2 * np.pi * np.arange(8) / 8
    ring = np.column_stack([np.cos(angle), np.sin(angle)])
    joint, _, mu, psi = dense_eigenmaps(ring, 1.0)
    values = descend(pair_loss(SpectralContrastiveLoss(), joint), (8, 3), seed)
    first, second = np.nonzero(np.ones((8, 8)))
    ritz = RayleighRitz().fit(values[first], values[second], sample_weight=joint.ravel())
    turned = ritz.transform(values)
    # Another basis of the same two functions, forty degrees away from the first.
    turn = np.array([[1, 0, 0], [0, np.cos(0.7), -np.sin(0.7)], [0, np.sin(0.7), np.cos(0.7)]])
    yield same("equal eigenvalues, as a span", turned @ turned.T, psi[:, :3] @ psi[:, :3].T, within=0.03,
               because="three hundred steps of descent end near the minimum",
               broken=(abs(psi[:, :3] @ turn), abs(psi[:, :3])), how="functions compared one by one")
    yield same("the eigenvalues", ritz.eigenvalues_, mu[:3], within=0.005,
               because="they are off by the square of what the functions are", broken=np.linalg.norm(values, axis=0),
               how="lengths of outputs instead of quotients")

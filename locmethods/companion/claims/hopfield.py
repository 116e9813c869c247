"""What the page on Hopfield networks checks."""

from __future__ import annotations

import math
import warnings

import numpy as np
import torch
from scipy.optimize import brentq
from scipy.special import logsumexp, softmax

import locmethods as lm
from locmethods.companion import at_least, at_most, claim, datasets, order, same
from locmethods.companion.expected import capacity
from locmethods.hopfield import (
    DenseAssociativeMemory,
    HopfieldLayer,
    HopfieldNetwork,
    ModernHopfield,
    hebbian_weights,
    network_energy,
    retrieval_energy,
    retrieve,
    run_network,
    separation,
    separation_bound,
)
from locmethods.kernels import Exponential, Flat, Gaussian, Linear, Polynomial


def signs(rng, *shape):
    """Return fair signs."""
    return rng.choice([-1.0, 1.0], size=shape)


def one_update(memory, states):
    """Return states after a single update of all bits at once."""
    memory.set_params(update="synchronous", max_steps=1)
    with warnings.catch_warnings(action="ignore"):  # one update is not enough to settle
        return memory.recall(states)


@claim("G1", kind=("identity", "counter-example"), sources=("hopfield1982",))
def a_bit_is_the_sign_of_a_signed_local_sum(seed=0):
    r"""With Hebb's weights the update of a bit is the sign of a local *sum* of the patterns under the linear kernel
    $x_\mu \cdot s$, diagonal included; that kernel takes both signs, so the sum is no local mean, and leaving the
    diagonal out changes the update."""
    rng = np.random.default_rng(seed)
    x, states = signs(rng, 21, 201), signs(rng, 50, 201)  # odd numbers of odd terms: no sum is zero
    x[:, 0] = 1.0
    overlaps = np.array([[sum(a * b for a, b in zip(pattern, state, strict=True)) for pattern in x.tolist()]
                         for state in states.tolist()])
    field = np.einsum("sm,mi->si", overlaps, x)
    summed = lm.local_sum(states, x, x, kernel=Linear()).numerator
    yield same("the field", summed, field, within=1e-9, because="21 products of size 201, each rounded",
               broken=abs(overlaps) @ x, how="weights whose sign is dropped, as a local mean would need them")
    kept = one_update(HopfieldNetwork(self_coupling=True).fit(x), states)
    freed = one_update(HopfieldNetwork().fit(x), states)
    yield same("a bit, diagonal kept", kept, np.sign(field), because="both are signs of whole numbers",
               broken=freed, how="weights without their diagonal")
    without = field - len(x) * states
    yield same("a bit, diagonal left out", freed, np.where(without == 0, states, np.sign(without)),
               because="both are signs of whole numbers", broken=kept, how="weights with their diagonal")
    # A bit changes if its own weight outvotes the others: |field without it| < n, and the sign is against the bit.
    clean = [one_update(HopfieldNetwork(self_coupling=keep).fit(x), x) for keep in (True, False)]
    yield at_least("bits that the diagonal holds", (kept != freed).mean(), 0.1,
                   because="the field's standard deviation is √(nd) and the diagonal n: a share near n/√(2πnd), which "
                           "is an eighth",
                   broken=(clean[0] != clean[1]).mean(), how="states that are stored patterns, of strong fields")
    network = HopfieldNetwork(update="synchronous", max_steps=1).fit(x)
    with warnings.catch_warnings(action="ignore"):  # one update is what is asked
        predicted = network.predict(states)
    yield same("predict is recall", predicted, np.where(without == 0, states, np.sign(without)),
               because="both are signs of whole numbers", broken=kept, how="weights with their diagonal")
    crowd = signs(rng, 29, 201)
    own = np.array([[sum(crowd[m, i] * (crowd[m] @ row) for m in range(29)) for i in range(201)] for row in crowd])
    keeps, stays = (HopfieldNetwork(self_coupling=held).fit(crowd).stable_ for held in (False, True))
    yield same("which patterns stay", keeps, ((own - 29 * crowd) * crowd >= 0).all(1),
               because="both are signs of whole numbers", broken=stays, how="weights with their diagonal")
    weights, negative = hebbian_weights(x), overlaps < 0
    yield same("Hebb's weights", weights, x.T @ x / 201 - np.eye(201) * 21 / 201, within=1e-14,
               because="entries of at most 21/201, rounded",
               broken=hebbian_weights(x, self_coupling=True), how="the diagonal kept")
    yield at_least("overlaps below zero", negative.mean(), 0.3,
                   because="a fair sign of 1,050 overlaps, and twelve standard errors below a half",
                   broken=(overlaps**2 < 0).mean(), how="a kernel that squares the inner product")


@claim("G2", kind=("identity", "counter-example"))
def a_mean_is_not_linear_in_its_query(seed=0):
    r"""A local mean whose kernel is linear in features $\phi(q)$ of the query does not change when $\phi(q)$ is
    multiplied by a positive number; so it is linear in $\phi(q)$ nowhere but where it is zero."""
    rng = np.random.default_rng(seed)
    keys, query, values = rng.normal(size=(40, 3)), rng.normal(size=(30, 3)), rng.normal(size=(40, 2))
    kernel = Polynomial(degree=2)  # (q·k)², linear in the nine products of the query's coordinates
    found = lm.local_mean(query, keys, values, kernel=kernel)
    by_hand = np.array([[sum((q @ k) ** 2 * v[j] for k, v in zip(keys, values, strict=True))
                         / sum((q @ k) ** 2 for k in keys) for j in range(2)] for q in query])
    yield same("the mean", found, by_hand, within=1e-12, because="forty terms of one size",
               broken=lm.local_mean(query, keys, values, kernel=Polynomial(degree=2, offset=1.0)),
               how="a kernel (q·k + 1)², which is not linear in the products alone")
    scaled = lm.local_mean(1.5 * query, keys, values, kernel=kernel)
    plain, more = (lm.local_sum(q, keys, values, kernel=kernel).numerator for q in (query, 1.5 * query))
    yield same("of a longer query", scaled, found, within=1e-12, because="forty terms of one size",
               broken=(more, plain), how="a local sum, which is linear: it grows with the query")
    yield same("what linearity would add", abs(1.5**2 * found - scaled), 1.25 * abs(by_hand), within=1e-11,
               because="forty terms of one size", broken=abs(1.5**2 * plain - more),
               how="a local sum, to which nothing is added")


@claim("G3", kind=("monotone", "counter-example"), sources=("hopfield1982", "bruck1988"))
def energy_falls_bit_by_bit(seed=0):
    r"""If the weights are symmetric and their diagonal is zero, no asynchronous update raises $E(s) = -\tfrac12 s^\top
    W s$, so that every state settles; synchronous updates may alternate between two states for ever, and with
    asymmetric weights a state may run in a circle of four."""
    rng = np.random.default_rng(seed)
    square = rng.normal(size=(40, 40)) / math.sqrt(40)
    weights = np.triu(square, 1) + np.triu(square, 1).T
    lopsided = square - np.diag(np.diagonal(square))
    states = signs(rng, 60, 40)
    found = run_network(states, weights)
    yield at_most("each sweep", np.diff(found.energy, axis=0), 0, within=1e-12,
                  because="rounding of an energy of size twenty",
                  broken=bit_by_bit(states[0], lopsided)[1], how="asymmetric weights")
    slowest = found.n_iter.argmax()  # it takes more than a sweep
    end, changes = bit_by_bit(states[slowest], weights)
    yield at_most("each flip", changes, 0, within=1e-12, because="rounding of an energy of size twenty",
                  broken=bit_by_bit(states[0], lopsided)[1], how="asymmetric weights")
    with warnings.catch_warnings(action="ignore"):  # one sweep is not enough
        swept = run_network(states, weights, max_steps=1).states
    yield same("where a state settles", found.states[slowest], end,
               because="the same flips in the same order", broken=swept[slowest],
               how="a network that is stopped after one sweep")
    energies = [-0.5 * sum(weights[i, j] * s[i] * s[j] for i in range(40) for j in range(40))
                for s in found.states[:3]]
    yield same("its energy", network_energy(found.states[:3], weights), energies, within=1e-12,
               because="1,600 terms of size one sixth", broken=network_energy(found.states[:3], 2 * weights),
               how="each pair counted twice")
    with warnings.catch_warnings(action="ignore"):  # that they do not settle is what is shown
        together = run_network(states, weights, update="synchronous")
        around = run_network([[1.0, 1.0]], [[0.0, -1.0], [1.0, 0.0]], update="synchronous", max_steps=40)
        path = [run_network([[1.0, 1.0]], [[0.0, -1.0], [1.0, 0.0]], update="synchronous", max_steps=t).states[0]
                for t in range(1, 9)]
        again = run_network(together.states, weights, update="synchronous", max_steps=1).states
    yield same("settled", found.settled.mean(), 1, because="a count",
               broken=together.settled.mean(), how="synchronous updates, under which some states alternate")
    back = np.where(again @ weights.T >= 0, 1.0, -1.0)  # one update more by hand
    yield same("two synchronous steps on", back, together.states, because="whole numbers",
               broken=again, how="one step on, which is the other state of the pair")
    yield same("a circle of four", np.vstack(path[4:]), [[-1, 1], [-1, -1], [1, -1], [1, 1]],
               because="whole numbers", broken=np.vstack(path[4:])[:, ::-1], how="the two bits exchanged")
    yield same("and no end", around.settled.mean(), 0, because="a count",
               broken=run_network([[1.0, 1.0]], [[0.0, -1.0], [-1.0, 0.0]]).settled.mean(), how="symmetric weights")


def bit_by_bit(state, weights, sweeps=30):
    """Return where a state goes whose bits take the signs of their fields one by one, and each change of the energy."""
    state, changes = state.copy(), []
    for _ in range(sweeps):
        for i in range(len(state)):
            before = -0.5 * state @ weights @ state
            state[i] = 1.0 if weights[i] @ state > 0 else -1.0
            changes.append(-0.5 * state @ weights @ state - before)
    return state, np.array(changes)


@claim("G4", kind=("capacity", "limit"), sources=("amit1985", "mceliece1987"))
def how_many_patterns_hebb_holds(seed=0):
    r"""With $n$ random patterns of $d$ bits, Hebb's rule flips a stored bit with a probability that tends to $\tfrac12
    \operatorname{erfc}\sqrt{d/2n}$ at a fixed load $n/d$; a network started at a pattern settles at the overlap of the
    mean field, near one below the load $0.138$ and lost above it; and for $n = d/(2 \ln d)$ most patterns are stored
    without an error."""
    rng = np.random.default_rng(seed)
    counts, wrong, held = np.array([20, 40, 60]), [], []
    for n in counts:
        batches = [signs(rng, n, 200) for _ in range(600 // n)]
        wrong.append([(one_update(HopfieldNetwork().fit(x), x) != x).mean() for x in batches])
        held.append([(one_update(HopfieldNetwork(self_coupling=True).fit(x), x) != x).mean() for x in batches])
    mean, error = np.array([[np.mean(row), np.std(row, ddof=1) / math.sqrt(len(row))] for row in wrong]).T
    exact = np.array([capacity.hebbian_error(n, 200) for n in counts])
    error = np.maximum(error, np.sqrt(exact / 120_000))
    yield same("bits wrong after one update, in standard errors", (mean - exact) / error, 0, within=6.0,
               because="of ten batches or more, or of 120,000 bits if that error is more; ten batches may put an "
                       "error at half of what it is, and six are three then",
               broken=(np.array([np.mean(row) for row in held]) - exact) / error,
               how="the diagonal kept, which holds the bits")
    sizes = np.array([100, 400, 1600, 6400])
    gap, slow = ([capacity.hebbian_error(n, d) - limit(n, d) for n, d in zip(sizes // 5, sizes, strict=True)]
                 for limit in (capacity.gaussian_error, lambda n, d: 0.5 * math.erfc(math.sqrt(d / n))))
    yield order("towards ½ erfc √(d/2n)", sizes, gap, -1, within=0.05,
                because="the lattice of the votes is one part in √(nd), and the law symmetric",
                broken=slow, how="a Gaussian of half the variance")
    loads = np.array([0.05, 0.08, 0.10])
    overlaps, biased = [], []
    for load in loads:
        x = signs(rng, int(1000 * load), 1000)
        overlaps.append((HopfieldNetwork(max_steps=200).fit(x).recall(x) * x).mean())
        tilted = np.where(rng.random(x.shape) < 0.65, 1.0, -1.0)
        biased.append((HopfieldNetwork(max_steps=200).fit(tilted).recall(tilted) * tilted).mean())
    yield same("the overlap where it settles", overlaps, [capacity.mean_field_overlap(load) for load in loads],
               within=0.006, because="a thousand bits in place of infinitely many",
               broken=biased, how="patterns that have more ones than minus ones")
    lost = signs(rng, 120, 600)
    far = (HopfieldNetwork(max_steps=200).fit(lost).recall(lost) * lost).mean()
    yield at_most("beyond the critical load", far, 0.6,
                  because="at the load 0.2 no stable state is near a pattern, and at 0.138 the overlap is 0.967 still",
                  broken=(HopfieldNetwork("pseudo-inverse").fit(lost).recall(lost) * lost).mean(),
                  how="the pseudo-inverse in place of Hebb's rule")
    yield same("the critical load", capacity.critical_load()[0], 0.138, within=5e-4,
               because="three digits are quoted", broken=1 / (2 * math.log(1000)),
               how="the load d/(2 ln d) of a thousand bits, at which patterns are stored without an error")
    shares, laws = [], []
    for d in (128, 256, 512):
        n = int(d / (2 * math.log(d)))
        stable = np.concatenate([HopfieldNetwork().fit(signs(rng, n, d)).stable_ for _ in range(400 // n)])
        shares.append(stable.mean())
        laws.append((1 - capacity.hebbian_error(n, d)) ** d)
    crowded = [HopfieldNetwork().fit(signs(rng, int(0.138 * d), d)).stable_.mean() for d in (128, 256, 512)]
    yield same("patterns without an error", shares, laws, within=0.08,
               because="four standard errors of four hundred patterns, whose errors go together a little",
               broken=crowded, how="as many patterns as the critical load, which keep some errors each")


@claim("G5", kind=("capacity", "order"), sources=("krotov2016", "demircigil2017"))
def a_steeper_energy_holds_more(seed=0):
    r"""With the energy $-\sum_\mu (x_\mu \cdot s)^p$ and random patterns an update flips a stored bit with the
    probability $\tfrac12\operatorname{erfc}\sqrt{d^{p-1}/(2\,(2p-3)!!\,n)}$, as $d$ and $n$ grow; with
    $-\sum_\mu \exp(x_\mu \cdot s)$ it is at most a bound that falls with $d$ even for $n = 2^{d/2}$ patterns."""
    rng = np.random.default_rng(seed)
    found, laws, steeper = [], [], []
    for degree, d, n in ((2, 50, 15), (3, 50, 400), (3, 50, 1200), (4, 30, 1200)):
        batches = [signs(rng, n, d) for _ in range(max(8, 1200 // n))]
        found.append(np.mean([(one_update(DenseAssociativeMemory(degree=degree).fit(x), x) != x).mean()
                              for x in batches]))
        fifth = DenseAssociativeMemory(degree=5).fit(batches[0])
        steeper.append((one_update(fifth, batches[0]) != batches[0]).mean())
        laws.append(float(capacity.polynomial_error(n, d, degree)))
    yield same("bits wrong, degrees 2, 3 and 4", found, laws, within=0.02,
               because="the bits of one set of patterns err together: the share of a set wobbles by 0.008 at most, and "
                       "eight sets or more are averaged, so that this is seven standard errors",
               broken=steeper, how="the fifth power in the energy of each")
    sizes = np.array([20, 40, 80, 160])
    for degree in (3, 4):
        ratios, other = ([capacity.polynomial_argument(d, degree) / limit(d, degree) - 1 for d in sizes]
                         for limit in (capacity.krotov_argument,
                                       lambda d, p: float(d) ** (p - 1) / math.factorial(p)))
        yield order(f"the exponent of degree {degree}", sizes, ratios, -1, within=0.1,
                    because="d has relative corrections of one part in d",
                    broken=other, how="p! in place of (2p − 3)!!")
    sizes = (8, 12, 16, 20)
    exponential, quadratic, bounds = [], [], []
    for d in sizes:
        n = 2 ** (d // 2)
        x = [signs(rng, n, d) for _ in range(max(1, 256 // n))]
        exponential.append(np.mean([(one_update(DenseAssociativeMemory("exponential").fit(p), p) != p).mean()
                                    for p in x]))
        quadratic.append((one_update(DenseAssociativeMemory(degree=2).fit(x[0]), x[0]) != x[0]).mean())
        bounds.append(capacity.exponential_bound(n, d))
    bits = np.array([d * 2 ** (d // 2) * max(1, 256 // 2 ** (d // 2)) for d in sizes])
    yield at_most("the exponential at n = 2^(d/2)", exponential, bounds + 5 * np.sqrt(np.array(bounds) / bits),
                  because="five standard errors of the bits counted",
                  broken=quadratic, how="the square in place of the exponential")
    states, x = signs(rng, 40, 16), signs(rng, 100, 16)
    mean = softmax(0.5 * states @ x.T, axis=1) @ x
    memory = DenseAssociativeMemory("exponential", beta=0.5).fit(x)
    inside = softmax(0.3 * x @ x.T, axis=1) @ x
    kept = DenseAssociativeMemory("exponential", beta=0.3).fit(x).stable_
    yield same("which patterns stay", kept, (np.sign(inside - math.tanh(0.3) * x) == x).all(1), because="signs",
               broken=(np.sign(inside) == x).all(1), how="the bit's own part left in the softmax mean")
    yield same("a bit under the exponential", one_update(memory, states), np.sign(mean - math.tanh(0.5) * states),
               because="signs", broken=np.where(mean >= 0, 1.0, -1.0),
               how="the bit's own part left in the softmax mean")


@claim("G6", kind="monotone", sources=("ramsauer2021",))
def a_softmax_step_loses_half_its_square(seed=0):
    r"""The step $\xi' = \sum_i \operatorname{softmax}(\beta x_i \cdot \xi)_i\, x_i$ lowers $E(\xi) = -\tfrac1\beta
    \log\sum_i e^{\beta x_i\cdot\xi} + \tfrac12\lVert\xi\rVert^2$ by at least $\tfrac12\lVert\xi'-\xi\rVert^2$; it is a
    gradient step of size one."""
    rng = np.random.default_rng(seed)
    digits = datasets.digits().x
    x = digits[rng.permutation(len(digits))[:200]]
    states = x[:40] + 0.5 * rng.normal(size=(40, 64))
    betas = (0.1, 1.0, 5.0)

    def energy(at, beta):
        return -logsumexp(beta * at @ x.T, axis=1) / beta + 0.5 * (at**2).sum(1)

    there = np.array([retrieve(states, x, beta=beta) for beta in betas])
    lost = np.array([energy(states, beta) - energy(step, beta) for step, beta in zip(there, betas, strict=True)])
    far = [states + 2 * (step - states) for step in there]
    yield at_least("energy lost", lost, 0.5 * ((there - states) ** 2).sum(2), within=1e-9,
                   because="rounding of energies of size a hundred, over β",
                   broken=([energy(states, beta) - energy(step, beta) for step, beta in zip(far, betas, strict=True)],
                           [0.5 * ((step - states) ** 2).sum(1) for step in far]), how="steps twice as long")
    levels = np.array([retrieval_energy(states, x, beta=beta) for beta in betas])
    largest = 0.5 * (x**2).sum(1).max()
    want = np.array([energy(states, beta) + math.log(200) / beta + largest for beta in betas])
    yield same("the energy", levels, want, within=1e-9, because="the same",
               broken=want - largest, how="half of the largest squared norm forgotten")
    slope = np.array([[(energy(s[None] + 1e-4 * e, 1.0) - energy(s[None] - 1e-4 * e, 1.0))[0] / 2e-4
                       for e in np.eye(64)] for s in states[:5]])
    yield same("the step is the gradient", states[:5] - there[1, :5], slope, within=1e-6,
               because="central differences at 10⁻⁴, each of energies rounded at 10⁻¹⁴",
               broken=states[:5] - there[2, :5], how="a colder softmax than the energy's")
    memory = ModernHopfield(beta=1.0).fit(x)
    record = memory.trace(states)
    ends = states
    for _ in range(int(record.n_iter.max())):
        ends = softmax(ends @ x.T, axis=1) @ x
    yield same("where it settles", record.states, ends, within=1e-3,
               because="steps below 10⁻⁶ of the largest norm are left, at a rate that may be close to one",
               broken=states, how="the states before the first step")
    yield same("its recorded energy", record.energy[[0, -1]],
               [energy(states, 1.0) + math.log(200) + largest, energy(record.states, 1.0) + math.log(200) + largest],
               within=1e-9, because="the same", broken=record.energy[[-1, 0]], how="the path run backwards")
    labels = np.eye(10)[rng.integers(10, size=200)]
    read = ModernHopfield(beta=1.0).fit(x, labels).predict(states)
    yield same("what predict reads there", read, softmax(record.states @ x.T, axis=1) @ labels, within=1e-9,
               because="200 weights, rounded", broken=softmax(states @ x.T, axis=1) @ labels,
               how="labels read at the start")
    yield same("the energy that a memory says", memory.energy(states), want[1], within=1e-9, because="the same",
               broken=want[1] - largest, how="half of the largest squared norm forgotten")
    yield at_most("along the way", np.diff(record.energy, axis=0), 0, within=1e-9, because="the same",
                  broken=np.diff(record.energy[::-1], axis=0), how="the path run backwards")


@claim("G7", kind=("identity", "counter-example"), sources=("ramsauer2021", "vaswani2017"))
def the_update_is_attention_and_mean_shift(seed=0):
    r"""The modern update is attention with the patterns as keys and values and the temperature $1/\beta$; it is also a
    Gaussian mean-shift step with $h^2 = 1/\beta$ if all patterns have one norm, and otherwise one with the prior
    weights $e^{\beta\lVert x_i\rVert^2/2}$."""
    rng = np.random.default_rng(seed)
    x = datasets.digits().x[rng.permutation(1797)[:150]]
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    states = unit[:30] + 0.1 * rng.normal(size=(30, 64))
    beta, h = 9.0, 1 / 3.0
    attention = torch.nn.functional.scaled_dot_product_attention(
        *(torch.from_numpy(part)[None] for part in (states, x, x)), scale=beta)[0].numpy()
    yield same("attention", retrieve(states, x, beta=beta), attention, within=1e-10,
               because="sums of 150 terms of size one", broken=lm.local_mean(states, x, kernel=Gaussian(h)),
               how="weights by distance")
    yield same("as a local mean", lm.local_mean(states, x, kernel=Exponential(temperature=1 / beta)),
               softmax(beta * states @ x.T, axis=1) @ x, within=1e-10, because="the same",
               broken=lm.local_mean(states, x, kernel=Gaussian(h)), how="weights by distance")
    shift = gaussian_shift(states, unit, h)
    yield same("mean shift, one norm", retrieve(states, unit, beta=beta), shift, within=1e-10,
               because="exponents of size ten, each rounded",
               broken=(retrieve(states, x, beta=beta), gaussian_shift(states, x, h)),
               how="digits that are not brought to one norm")
    yield same("the package's mean shift", lm.local_mean(states, unit, kernel=Gaussian(h)), shift, within=1e-10,
               because="the same", broken=retrieve(states, x, beta=beta), how="unequal norms")
    prior = np.exp(0.5 * beta * ((x**2).sum(1) - (x**2).sum(1).max()))
    yield same("mean shift with a prior", retrieve(states, x, beta=beta), gaussian_shift(states, x, h, prior),
               within=1e-9, because="exponents of size a hundred, each rounded",
               broken=gaussian_shift(states, x, h, 1 / np.maximum(prior, 1e-12)), how="the prior upside down")
    torch.manual_seed(seed)
    layer = HopfieldLayer(16, n_heads=4)
    asked, stored, mask = torch.randn(2, 7, 16), torch.randn(2, 9, 16), torch.rand(2, 1, 7, 9) < 0.6
    mask[..., 0] = True
    with torch.no_grad():
        heads = [project(part).reshape(2, -1, 4, 4).permute(0, 2, 1, 3) for project, part in (
            (layer.of_states, asked), (layer.of_patterns, stored), (layer.of_values, stored))]
        cut = layer.in_heads(layer.of_patterns(stored))
    yield same("cut into heads", cut, heads[1], because="the same numbers in another order",
               broken=layer.of_patterns(stored).detach().reshape(2, 4, -1, 4), how="heads cut across the patterns")
    with torch.no_grad():
        theirs = [layer.out(torch.nn.functional.scaled_dot_product_attention(*heads, attn_mask=some)
                            .transpose(1, 2).flatten(2)) for some in (None, mask)]
        ours = [layer(asked, stored, mask=some) for some in (None, mask)]
    yield same("the layer, masks included", torch.stack(ours), torch.stack(theirs), within=1e-6,
               because="float32 numbers of size one", broken=torch.stack(ours[::-1]),
               how="the mask where there should be none")


def gaussian_shift(states, x, h, prior=1.0):
    """Return the Gaussian mean of patterns, weighted besides by a prior, written out."""
    square = ((states[:, None] - x) ** 2).sum(2)
    weight = prior * np.exp(-(square - square.min(1, keepdims=True)) / (2 * h**2))
    return weight @ x / weight.sum(1, keepdims=True)


@claim("G8", kind="inequality", sources=("ramsauer2021",))
def what_is_apart_is_retrieved_in_one_step(seed=0):
    r"""With $\Delta_i = x_i\cdot x_i - \max_{j\ne i} x_i\cdot x_j$ and $M = \max_j \lVert x_j\rVert$ one step $f$ of
    the modern network from any $\xi$ ends within $\lVert f(\xi) - x_i\rVert \le 2M(n-1)\,e^{-\beta(\Delta_i -
    2M\lVert\xi - x_i\rVert)}$ of the pattern $x_i$."""
    rng = np.random.default_rng(seed)
    x = datasets.digits().x[rng.permutation(1797)[:60]]
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    off = rng.normal(size=x.shape)
    off /= np.linalg.norm(off, axis=1, keepdims=True)
    distances, betas = np.array([0.003, 0.02, 0.1]), np.array([30.0, 100.0, 300.0])
    gone = np.array([[np.linalg.norm(retrieve(x + r * off, x, beta=b) - x, axis=1) for r in distances] for b in betas])
    gaps = np.array([x[i] @ x[i] - max(x[i] @ x[j] for j in range(60) if j != i) for i in range(60)])
    bound = np.array([[2 * 59 * np.exp(-b * (gaps - 2 * r)) for r in distances] for b in betas])
    # From a state at the distance r straight towards the strongest rival, with the way to it forgotten.
    rival = np.array([x[np.argsort(x @ x[i])[-2]] for i in range(60)])
    towards = x + 0.9 * (rival - x)
    misled = np.linalg.norm(retrieve(towards, x, beta=300.0) - x, axis=1)
    yield at_most("how far one step ends", gone, bound, within=1e-12, because="rounding of patterns of length one",
                  broken=(misled, 2 * 59 * np.exp(-300.0 * gaps)), how="a bound that forgets how far the state is off")
    yield same("the separation", separation(x), gaps, within=1e-13, because="products of length one",
               broken=1 - np.sort(x @ x.T, axis=1)[:, 0], how="the weakest rival in place of the strongest")
    yield same("the bound", [[separation_bound(x, r, beta=b) for r in distances] for b in betas], bound, relative=1e-9,
               because="exponents of at most three hundred", broken=bound / 59,
               how="a single rival in place of all")


@claim("G9", kind=("limit", "order"))
def two_patterns_fork(seed=0):
    r"""With the two patterns $\pm a$ the update is $\xi' = a\tanh(\beta a\xi)$: its only fixed point is zero, the mean
    of both, as long as $\beta a^2 \le 1$; above that two more leave it like $a\sqrt{3(\beta a^2 - 1)}$. That is where
    the sum of two Gaussians at $\pm a$ gets two modes, $a = h$."""
    rng = np.random.default_rng(seed)
    a = rng.uniform(0.5, 3.0)
    x, start = np.array([[a], [-a]]), np.array([[0.3 * a], [a], [-0.8 * a]])
    for name, load in (("a state's step", 0.7), ("a state's step, colder", 2.0)):
        beta = load / a**2
        yield same(name, retrieve(start, x, beta=beta), a * np.tanh(beta * a * start), within=1e-12,
                   because="one quotient", broken=a * np.tanh(load * start), how="β in place of βa")
    warm = ModernHopfield(beta=0.8 / a**2, tol=1e-13).fit(x).recall(start)
    cold = ModernHopfield(beta=1.25 / a**2, tol=1e-13).fit(x).recall(start)
    yield same("below the fork", warm, np.zeros((3, 1)), within=1e-10,
               because="the map shrinks distances by at least a fifth a step, until a step is 10⁻¹³ long",
               broken=cold, how="βa² above one")
    loads = 1 + np.array([0.0025, 0.005, 0.01, 0.02])
    roots = [brentq(lambda z, c=c: z - math.tanh(c * z), 1e-6, 1) for c in loads]
    branch, uneven = ([ModernHopfield(beta=c / a**2, tol=1e-11, max_steps=100_000).fit(p).recall([[a]])[0, 0] / a
                       for c in loads] for p in (x, np.array([[a], [-0.9 * a]])))
    yield same("above it", branch, roots, within=1e-7,
               because="steps of 10⁻¹¹ at a rate of at most 1 − 2·0.0025 nearly",
               broken=uneven, how="two patterns of unequal length")
    yield order("how the branch leaves", loads - 1, branch, 0.5, within=0.02,
                because="the next term takes nine fifths of βa² − 1 off the square, and 0.007 off the slope",
                broken=uneven, how="two patterns of unequal length, which part without a fork")
    counts = [modes_of_two(a, a / math.sqrt(c)) for c in (0.9, 1.1)]
    yield same("modes of two Gaussians", counts, [1, 2], because="a count on a grid of 2,001 places",
               broken=[modes_of_two(2 * a, a / math.sqrt(c)) for c in (0.9, 1.1)],
               how="means twice as far apart")


def modes_of_two(a, h):
    """Return how many local maxima the sum of two Gaussians at ±a has."""
    z = np.linspace(-1.5 * a, 1.5 * a, 2001)
    density = np.exp(-((z - a) ** 2) / (2 * h**2)) + np.exp(-((z + a) ** 2) / (2 * h**2))
    return int(((density[1:-1] > density[:-2]) & (density[1:-1] >= density[2:])).sum())


@claim("G10", kind="counter-example", sources=("ramsauer2021",))
def what_is_close_together_is_averaged(seed=0):
    r"""If the patterns of a group are close, $\beta\lVert x_i - x_j\rVert^2 \ll 1$, while other groups are far, a
    state near one of them does not end at a memory: it ends at a fixed point close to the mean of its group, which
    nobody stored."""
    rng = np.random.default_rng(seed)
    corners = 3 * np.eye(6)[:4]
    x = (corners[:, None] + 0.1 * rng.normal(size=(4, 8, 6))).reshape(-1, 6)
    x = 3 * x / np.linalg.norm(x, axis=1, keepdims=True)  # one norm, so that no pattern outbids its group
    mean = np.repeat(x.reshape(4, 8, 6).mean(1), 8, axis=0)
    warm = ModernHopfield(beta=2.0, tol=1e-12).fit(x)
    ends = warm.recall(x)
    slow = x
    for _ in range(300):
        slow = softmax(2.0 * slow @ x.T, axis=1) @ x
    cold = ModernHopfield(beta=2000.0, tol=1e-12).fit(x).recall(x)
    yield same("the fixed point", ends, slow, within=1e-9, because="the map contracts by more than half a step there",
               broken=cold, how="a β at which every pattern is apart")
    yield at_most("from the mean of the group", np.linalg.norm(ends - mean, axis=1), 0.1,
                  because="patterns of a group differ by a few tenths, weights by a few per cent, and another group "
                          "has less than e⁻¹⁵",
                  broken=np.linalg.norm(cold - mean, axis=1).max() * np.ones(32), how="a β at which they are apart")
    nearest = np.linalg.norm(ends[:, None] - x, axis=2).min(1)
    yield at_least("from every memory", nearest, 0.03,
                   because="the mean of eight that differ by a tenth in five directions is that near to one by a rare "
                           "chance",
                   broken=np.linalg.norm(cold[:, None] - x, axis=2).min(1), how="a β at which they are apart")
    shares = softmax(2.0 * ends @ x.T, axis=1)
    counted = lm.effective_sample_size(ends, x, kernel=Exponential(temperature=0.5))
    yield same("how many are averaged", counted, 1 / (shares**2).sum(1), relative=1e-9, because="32 weights, rounded",
               broken=np.full(32, 32.0), how="all patterns counted")
    groups = x.reshape(4, 8, 6)
    apart = 0.5 * ((groups[:, :, None] - groups[:, None]) ** 2).sum(-1)
    yield at_most("products within a group", 2.0 * apart.max(), 0.5,
                  because="half of a squared distance is Δ for patterns of one norm: 0.05 on average here, and no more "
                          "than 0.2 among 112",
                  broken=2.0 * separation(corners).max(), how="the four groups' centres alone, nine apart")


@claim("G11", kind=("identity", "counter-example"), sources=("hoover2025",))
def a_window_retrieves_exactly_and_invents(seed=0):
    r"""The steps of the memory with the energy $-\log\sum_i \max(0, 1 - \beta\lVert x_i - \xi\rVert^2/2)$ are means
    over the flat window of radius $\sqrt{2/\beta}$; if the patterns' balls of that radius are disjoint every pattern is
    retrieved exactly from within its ball, and where they overlap there may be minima that nobody stored."""
    rng = np.random.default_rng(seed)
    x, states = rng.normal(size=(80, 2)), rng.normal(size=(50, 2))
    radius = 0.6
    memory = DenseAssociativeMemory("epanechnikov", beta=2 / radius**2).fit(x)
    climb = states
    for _ in range(100):
        climb = np.array([flat_mean(s, x, radius) for s in climb])
    record = memory.trace(states)
    wrong = states
    for _ in range(100):
        wrong = np.array([flat_mean(s, x, 1.3 * radius) for s in wrong])
    yield same("where states settle", record.states, climb, within=1e-10, because="means of at most eighty numbers",
               broken=wrong, how="windows of another radius than the energy's")
    yield same("what predict says", memory.predict(states), climb, within=1e-10, because="the same", broken=wrong,
               how="windows of another radius than the energy's")
    yield same("what recall says", memory.recall(states), climb, within=1e-10, because="the same", broken=wrong,
               how="windows of another radius than the energy's")
    near = np.array([s for s in states if ((x - s) ** 2).sum(1).min() < 0.8 * radius**2])
    yield same("one step", lm.local_mean(near, x, kernel=Flat(radius)), [flat_mean(s, x, radius) for s in near],
               within=1e-12, because="the same", broken=[flat_mean(s, x, 1.3 * radius) for s in near],
               how="windows of another radius than the energy's")
    levels = -np.log(np.maximum(0, 1 - ((near[:, None] - x) ** 2).sum(2) / radius**2).sum(1))
    yield same("the energy", memory.energy(near), levels, within=1e-9,
               because="a logarithm of a sum that is a fifth or more",
               broken=-np.log(np.exp(-((near[:, None] - x) ** 2).sum(2) / radius**2).sum(1)),
               how="a Gaussian in place of the parabola")
    grid = np.stack(np.meshgrid(np.arange(5.0), np.arange(4.0)), -1).reshape(-1, 2)
    angle, way = rng.uniform(0, 2 * np.pi, 20), rng.uniform(0, 0.99, 20)
    inside = grid + 0.49 * np.column_stack([way * np.cos(angle), way * np.sin(angle)])
    apart, over = (DenseAssociativeMemory("epanechnikov", beta=2 / r**2).fit(grid) for r in (0.49, 1.2))
    yield same("disjoint balls", apart.recall(inside), grid, within=1e-15, because="the mean of one pattern",
               broken=over.recall(inside), how="balls that overlap")
    line = np.sort(rng.uniform(0, 10, 12))[:, None]
    starts = np.linspace(0, 10, 4001)[:, None]
    small = DenseAssociativeMemory("epanechnikov", beta=2 / 0.5**2).fit(line)
    ends = small.recall(starts)
    reached = np.isfinite(small.energy(starts))
    found = np.unique(ends[reached].round(9))
    fixed = standing(line[:, 0], 0.5)
    yield same("all minima on a line", found, fixed, within=1e-9, because="means of at most twelve numbers",
               broken=np.linspace(fixed[0], fixed[-1], len(fixed)), how="minima that are spread evenly")
    pair = np.array([[0.0], [1.5]])
    both = DenseAssociativeMemory("epanechnikov", beta=2.0).fit(pair)  # of radius one
    kept = both.recall([[-0.2], [0.75], [1.7]])
    yield same("two patterns, three minima", kept, [[0.0], [0.75], [1.5]], within=1e-15,
               because="the mean of one or two numbers",
               broken=ModernHopfield(beta=2.0).fit(pair - 0.75).recall(kept - 0.75) + 0.75,
               how="a softmax in place of the window")


def flat_mean(state, x, radius):
    """Return the mean of the patterns within a radius, the state itself if there is none."""
    near = ((x - state) ** 2).sum(1) <= radius**2
    return x[near].mean(0) if near.any() else state


def standing(line, radius):
    """Return every mean of neighbours on a line whose window holds these neighbours and no others."""
    means = [(first, last, line[first:last].mean()) for first in range(len(line))
             for last in range(first + 1, len(line) + 1)]
    return np.unique([mean for first, last, mean in means
                      if ((abs(line - mean) <= radius) == ((line[first] <= line) & (line <= line[last - 1]))).all()])

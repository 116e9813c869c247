"""What the page on the Transformer checks."""

import copy
import math

import numpy as np
import torch
from scipy.special import entr, softmax
from torch.nn import functional

import locmethods as lm
from locmethods.companion import at_least, at_most, claim, order, same
from locmethods.denoising import EmpiricalDenoiser
from locmethods.hopfield import retrieve
from locmethods.kernels import Exponential, Gaussian, Linear
from locmethods.transformer import (
    FeatureKernel,
    HierarchicalLocalModel,
    MultiHeadLocalMean,
    PositiveRandomFeatures,
    RecurrentAttention,
    alibi,
    feed_forward,
    linear_attention,
    rotate,
)

ROUNDING = "rounding of sums of some dozen terms"


@claim("N1", kind="identity", sources=("vaswani2017", "tsai2019"))
def attention_is_a_local_mean(seed=0):
    r"""Each row of softmax attention is the local mean of the values under the kernel $e^{q\cdot k/\sqrt d}$, so it is
    the point $t$ that minimises $\sum_j w_j \lVert v_j - t\rVert^2$ with these weights $w_j$."""
    query, keys, values = tokens(seed, 12, 20, 20)
    found = lm.local_mean(query, keys, values, kernel=Exponential(math.sqrt(4)))
    attention = functional.scaled_dot_product_attention(*map(torch.from_numpy, (query, keys, values))).numpy()
    warm = lm.local_mean(query, keys, values, kernel=Exponential(1.0))
    yield same("attention", found, attention, within=1e-12, because=ROUNDING, broken=warm,
               how="a temperature of one, the root of d forgotten")
    weights = softmax(query @ keys.T / 2, axis=1)
    nearest = [np.linalg.lstsq(np.sqrt(w)[:, None], np.sqrt(w)[:, None] * values, rcond=None)[0][0] for w in weights]
    yield same("the nearest point", found, nearest, within=1e-12, because=ROUNDING, broken=warm,
               how="weights of another temperature")
    yield same("its weights", lm.local_weights(query, keys, kernel=Exponential(2.0)), weights, within=1e-12,
               because=ROUNDING, broken=lm.local_weights(query, keys, kernel=Gaussian(math.sqrt(2.0))),
               how="a Gaussian of the same scale")


@claim("N2", kind=("identity", "counter-example"), sources=("tsai2019",))
def attention_is_a_gaussian_with_a_prior(seed=0):
    r"""The kernel $e^{q\cdot k/\sqrt d}$ gives the same local mean as the Gaussian of bandwidth $d^{1/4}$ times the
    prior $e^{\lVert k\rVert^2/2\sqrt d}$ of the key; without the prior the mean is the same if all keys are equally
    long, and in general another one if they are not."""
    query, keys, values = tokens(seed, 12, 20, 20)
    gap = ((query[:, None] - keys) ** 2).sum(-1)
    plain = np.exp(-gap / (2 * 2))  # the bandwidth is the root of two, d being four
    weighed = plain * np.exp((keys**2).sum(-1) / (2 * 2))
    found = lm.local_mean(query, keys, values, kernel=Exponential(2.0))
    yield same("with the prior", found, averaged(weighed, values), within=1e-12, because=ROUNDING,
               broken=averaged(plain, values), how="no prior, though keys differ in length")
    round_keys = 2 * keys / np.linalg.norm(keys, axis=1, keepdims=True)
    alike = lm.local_mean(query, round_keys, values, kernel=Gaussian(math.sqrt(2.0)))
    attention = softmax(query @ round_keys.T / 2, axis=1) @ values
    yield same("keys of one length", alike, attention, within=1e-12, because=ROUNDING,
               broken=(lm.local_mean(query, keys, values, kernel=Gaussian(math.sqrt(2.0))),
                       softmax(query @ keys.T / 2, axis=1) @ values), how="keys of several lengths")


@claim("N3", kind="identity")
def a_gaussian_mean_is_attention_with_one_more_coordinate(seed=0):
    r"""A Gaussian local mean of bandwidth $h$ is dot-product attention between $(q, 1)/h^2$ and
    $(k, -\lVert k\rVert^2/2)$."""
    query, keys, values = tokens(seed, 12, 20, 20)
    found = lm.local_mean(query, keys, values, kernel=Gaussian(0.8))
    longer = np.column_stack([query, np.ones(12)]) / 0.64
    lifted = np.column_stack([keys, -(keys**2).sum(1) / 2])
    yield same("attention", found, softmax(longer @ lifted.T, axis=1) @ values, within=1e-12, because=ROUNDING,
               broken=softmax(query @ keys.T / 0.64, axis=1) @ values, how="the extra coordinate left out")
    x = torch.from_numpy(tokens(seed, 9, width=8)[0][None])
    heads = module(seed, kernel=Gaussian(0.8))
    q, k, v = projected(heads, x)
    weights = np.exp(-((q[:, :, None] - k[:, None]) ** 2).sum(-1) / (2 * 0.64))
    expected = mixed(heads, averaged(weights, v))
    yield same("in a module", heads(x, x, x)[0][0].detach(), expected, within=1e-12, because=ROUNDING,
               broken=module(seed)(x, x, x)[0][0].detach(), how="the exponential kernel")


@claim("N4", kind="identity")
def the_derivative_of_attention_is_a_covariance(seed=0):
    r"""$\partial m/\partial q = \frac1\tau \operatorname{Cov}_w(v, k)$: the Jacobian of attention in the query is the
    covariance of values and keys under the query's own weights, over the temperature."""
    query, keys, values = tokens(seed, 5, 20, 20)
    both = np.concatenate([values, keys], axis=1)
    moments = lm.local_moments(query, keys, both, kernel=Exponential(2.0))
    slopes = moments.covariance[:, :4, 4:] / 2
    differences = np.stack([(attend(query + step, keys, values, 2) - attend(query - step, keys, values, 2)) / 2e-5
                            for step in 1e-5 * np.eye(4)], axis=-1)
    yield same("differences", slopes, differences, within=1e-8,
               because="the square of a step of 1e-5, and rounding over the step", broken=2 * slopes,
               how="the temperature left out")
    yield same("the mean beside it", moments.mean[:, :4], attend(query, keys, values, 2), within=1e-12,
               because=ROUNDING, broken=attend(query, keys, values, 1), how="another temperature")


@claim("N5", kind=("limit", "monotone"))
def attention_between_two_limits(seed=0):
    r"""With $\beta = 1/\tau$ attention tends to the mean of the values whose keys have the largest score, in equal
    parts, as $\beta \to \infty$, and to the mean of all values as $\beta \to 0$; the entropy of the weights falls in
    between, $\mathrm dH/\mathrm d\beta = -\beta \operatorname{Var}_w(q\cdot k)$."""
    query, keys, values = tokens(seed, 6, 20, 20)
    query[0], keys[7] = 5 * keys[3], keys[3]
    # The two are its best keys, for they lie in its direction and are longer than all others.
    keys[[3, 7]] *= 1.1 * np.linalg.norm(keys, axis=1).max() / np.linalg.norm(keys[3])
    scores = query @ keys.T
    best = scores >= scores.max(1, keepdims=True) - 1e-9
    sharp = lm.local_mean(query, keys, values, kernel=Exponential(1e-6))
    yield same("no temperature", sharp, averaged(best, values), within=1e-9,
               because="the second best score is lower by far more than a millionth",
               broken=values[best.argmax(1)], how="the first of two equals taken alone")
    flat = lm.local_mean(query, keys, values, kernel=Exponential(1e9))
    yield same("a high temperature", flat, np.tile(values.mean(0), (6, 1)), within=1e-6,
               because="scores of some dozens, over 1e9", broken=attend(query, keys, values, 1),
               how="a temperature of one")
    betas = np.array([0.1, 0.3, 1.0])
    entropies = np.array([[entr(lm.local_weights(query[1:], keys, kernel=Exponential(1 / (beta + step)))).sum(1)
                           for beta in betas] for step in (-1e-5, 1e-5)])
    weights = [softmax(beta * scores[1:], axis=1) for beta in betas]
    spread = np.array([(w * scores[1:] ** 2).sum(1) - (w * scores[1:]).sum(1) ** 2 for w in weights])
    yield same("the fall of the entropy", (entropies[1] - entropies[0]) / 2e-5, -betas[:, None] * spread, within=1e-6,
               because="the square of a step of 1e-5, and rounding over the step", broken=-spread,
               how="the factor β left out")


@claim("N6", kind=("identity", "counter-example"), sources=("vaswani2017",))
def heads_are_a_sum_of_local_means(seed=0):
    r"""Multi-head attention is $\sum_h A_h V_h W_h$, a sum of local means with weights $A_h$ of their own; where the
    heads differ it is in general no local mean with the mean of their weights."""
    x = torch.from_numpy(np.stack(tokens(seed, 9, 9, width=8)))
    heads = module(seed)
    q, k, v = projected(heads, x)
    weights = softmax(q @ k.mT / 2, axis=-1)
    expected = mixed(heads, weights @ v)
    found, shown = heads(x, x, x)
    mean = np.broadcast_to(weights.mean(0), weights.shape)
    yield same("the sum", found[0].detach(), expected, within=1e-12, because=ROUNDING,
               broken=mixed(heads, mean @ v), how="one local mean, with the mean of the weights")
    yield same("the weights", shown[0].detach(), weights.mean(0), within=1e-12, because=ROUNDING,
               broken=weights[0], how="the weights of one head")
    theirs = torch.nn.MultiheadAttention(8, 2, batch_first=True, dtype=torch.float64)
    theirs.load_state_dict(heads.state_dict())
    wide = MultiHeadLocalMean(8, 2, batch_first=True, dtype=torch.float64, kernel=Exponential(4.0))
    wide.load_state_dict(heads.state_dict())
    yield same("torch's", found.detach(), theirs(x, x, x)[0].detach(), within=1e-12, because=ROUNDING,
               broken=wide(x, x, x)[0].detach(), how="twice the temperature")


@claim("N7", kind="identity", sources=("press2022", "tsai2019"))
def positions_are_factors_of_the_kernel(seed=0):
    r"""A penalty $-\mu|t-s|$ of the distance multiplies the kernel of the contents by the Laplace kernel of the
    positions; position vectors that are added to the tokens multiply it by three kernels, of content and position, of
    position and content, and of two positions."""
    query, keys, values = tokens(seed, 12, 12, 12)
    at = np.arange(12.0)
    placed = [np.column_stack([part, at]) for part in (query, keys)]
    found = lm.local_mean(*placed, values, kernel=alibi(2.0, 0.25))
    scores = query @ keys.T / 2 - 0.25 * abs(at[:, None] - at)
    yield same("a penalty", found, softmax(scores, axis=1) @ values, within=1e-12, because=ROUNDING,
               broken=attend(query, keys, values, 2), how="no penalty")
    p, r = tokens(seed + 100, 12, 12)
    added = lm.local_weights(query + p, keys + r, kernel=Exponential(2.0))
    four = math.prod(np.exp(a @ b.T / 2) for a in (query, p) for b in (keys, r))
    two = np.exp(query @ keys.T / 2) * np.exp(p @ r.T / 2)
    yield same("added vectors", added, four / four.sum(1, keepdims=True), within=1e-12, because=ROUNDING,
               broken=two / two.sum(1, keepdims=True), how="the two mixed kernels left out")


@claim("N8", kind="counter-example", sources=("su2024",))
def a_rotation_is_no_product_of_content_and_position(seed=0):
    r"""Under rotary positions the score depends on the positions by $t - s$ alone; yet its kernel is no product of a
    kernel of contents and a kernel of $t - s$, for the table of log-weights, pairs of contents by distances, is no sum
    of a row and a column."""
    query, keys = tokens(seed, 30, 30)
    at = np.arange(30.0)
    score = (rotate(query, at) * rotate(keys, at[::-1])).sum(1)
    turned = [(query[:, 2 * i] + 1j * query[:, 2 * i + 1]) * (keys[:, 2 * i] - 1j * keys[:, 2 * i + 1])
              * np.exp(1j * (at - at[::-1]) * 100.0 ** -i) for i in range(2)]
    yield same("the score", score, np.real(sum(turned)), within=1e-12, because=ROUNDING,
               broken=(query * keys).sum(1), how="no rotation")
    later = (rotate(query, at + 5) * rotate(keys, at[::-1] + 5)).sum(1)
    sums = [((query + wave(at + step)) * (keys + wave(at[::-1] + step))).sum(1) for step in (0, 5)]
    yield same("five places later", later, score, within=1e-12, because=ROUNDING, broken=tuple(sums),
               how="sinusoids added to the tokens")
    distances = np.arange(8.0)
    rotary = np.array([[(rotate(q[None], [t])[0] * k).sum() for t in distances]
                       for q, k in zip(query, keys, strict=True)])
    penalty = (query * keys).sum(1)[:, None] - 0.25 * distances
    yield at_least("what is no sum of row and column", interaction(rotary), 0.1,
                   because="a tenth of the table's spread is no rounding", broken=interaction(penalty),
                   how="a penalty of the distance")


@claim("N9", kind=("identity", "counter-example"))
def without_positions_order_does_not_count(seed=0):
    r"""If no kernel of positions takes part and nothing is masked, a stack of attention and feed-forward layers is
    permutation equivariant: shuffled tokens give the shuffled answer."""
    stack, theirs = stacks(seed)
    x = torch.from_numpy(np.stack(tokens(seed, 9, 9, width=8)))
    shuffle = torch.from_numpy(np.random.default_rng(seed).permutation(9))
    before, after = stack(x)[:, shuffle], theirs(x[:, shuffle])
    yield same("shuffled", before.detach(), after.detach(), within=1e-10, because="three levels of rounding",
               broken=(stack(x, is_causal=True)[:, shuffle].detach(),
                       stack(x[:, shuffle], is_causal=True).detach()), how="a causal mask, which knows the order")


@claim("N10", kind=("identity", "limit"), sources=("wu2024",))
def a_causal_mask_is_the_support_of_the_kernel(seed=0):
    r"""Under a causal mask the kernel's support is $s \le t$: what comes later changes nothing; the eigenvalues of the
    weights are their diagonal, and as layers of the same weights are stacked every token tends to the first, if no
    other keeps all weight for itself."""
    heads, x = module(seed), torch.from_numpy(tokens(seed, 9, width=8)[0][None])
    whole, prefix = heads(x, x, x, is_causal=True)[0][0], heads(x[:, :5], x[:, :5], x[:, :5])[0][0]
    free = heads(x, x, x)[0][0]
    last = tuple(part[4].detach() for part in (whole, prefix))
    yield same("the future", last[0], last[1], within=1e-12, because=ROUNDING,
               broken=(free[4].detach(), last[1]), how="no mask")
    query, keys = tokens(seed, 12, 12)
    seen = np.tri(12, dtype=bool)
    weights = lm.local_weights(query, keys, kernel=Exponential(2.0).where(seen))
    scores = np.where(seen, query @ keys.T / 2, -np.inf)
    diagonal = np.exp(np.diag(scores)) / np.exp(scores).sum(1)
    full = lm.local_weights(query, keys, kernel=Exponential(2.0))
    yield same("the spectrum", np.sort(np.linalg.eigvals(weights).real), np.sort(diagonal), within=1e-6,
               because="eigenvalues that nearly coincide are known to a root of the rounding",
               broken=np.sort(np.linalg.eigvals(full).real), how="no mask")
    second = np.sort(diagonal)[-2]
    depth = math.ceil(math.log(1e-16) / math.log(second)) + 100
    values = tokens(seed, 12)[0]
    far, other = (np.linalg.matrix_power(part, depth) @ values for part in (weights, full))
    yield same("many layers", far, np.tile(values[0], (12, 1)), within=1e-9,
               because="the second eigenvalue to that power is 1e-16, times a polynomial of the depth",
               broken=other, how="no mask: a consensus of all")


@claim("N11", kind=("identity", "counter-example"), sources=("ramsauer2021", "comaniciu2002"))
def four_names_of_one_mean(seed=0):
    r"""If keys are their own values and all have one length, attention is a Gaussian mean-shift step, the update of a
    modern Hopfield network with $\beta = 1/\tau$, and the empirical Bayes denoiser at the noise $\sigma^2 = \tau$; with
    keys of several lengths Hopfield's update is still attention, and the other two are not."""
    query, keys = tokens(seed, 12, 20)
    alike = 2 * keys / np.linalg.norm(keys, axis=1, keepdims=True)
    for name, answer in faces().items():
        yield same(name, answer(query, alike), attend(query, alike, alike, 1.5), within=1e-12, because=ROUNDING,
                   broken=(answer(query, keys), attend(query, keys, keys, 1.5)) if "Hopfield" not in name
                   else answer(query, 1.1 * alike), how="keys of several lengths" if "Hopfield" not in name
                   else "keys that are a tenth longer")
    apart = np.abs(faces()["the denoiser"](query, keys) - attend(query, keys, keys, 1.5)).max()
    yield at_least("the denoiser elsewhere", apart, 0.05, because="a twentieth is no rounding",
                   broken=np.abs(faces()["the denoiser"](query, alike) - attend(query, alike, alike, 1.5)).max(),
                   how="keys of one length")


@claim("N12", kind="algorithm", sources=("cheng1995", "comaniciu2002"))
def self_attention_blurs_and_cross_attention_climbs(seed=0):
    r"""With a Gaussian kernel and identity maps, self-attention moves all tokens at once and is blurring mean shift;
    cross-attention to keys that stay is mean shift proper, which ends where the gradient of the keys' density is
    zero."""
    keys = tokens(seed, 25, width=2)[0]
    blurred, climbed = keys, keys
    for _ in range(3):
        blurred = lm.local_mean(blurred, blurred, kernel=Gaussian(0.7))
        climbed = lm.local_mean(climbed, keys, kernel=Gaussian(0.7))
    yield same("tokens that move together", blurred, steps_of(keys, 3, blurring=True), within=1e-12, because=ROUNDING,
               broken=climbed, how="keys that stay")
    yield same("tokens that look at what stays", climbed, steps_of(keys, 3, blurring=False), within=1e-12,
               because=ROUNDING, broken=blurred, how="keys that move too")
    for _ in range(3000):
        climbed = lm.local_mean(climbed, keys, kernel=Gaussian(0.7))
    yield at_most("the gradient at the end", np.abs(slope_of_density(climbed, keys, 0.7)).max(), 1e-6,
                  because="three thousand steps, at rates below one",
                  broken=np.abs(slope_of_density(blurred, keys, 0.7)).max(), how="tokens that moved together")


@claim("N13", kind="order", sources=("dong2021", "carreira2006"))
def pure_attention_collapses_at_a_cubic_rate(seed=0):
    r"""With identity maps and no residual, the spectral norm $r$ of the centred token matrix goes to
    $r' \approx r^3/n\tau$ in a layer near consensus of $n$ tokens, for the exponential kernel, with a common mean or
    without, and for the Gaussian with $\tau = h^2$; with a residual it goes to $r$ to first order."""
    shape = tokens(seed, 16)[0]
    shape = (shape - shape.mean(0)) / np.linalg.norm(shape - shape.mean(0), 2)
    sizes = np.array([0.05, 0.1, 0.2])
    kinds = {"no common mean": (0.0, Exponential(1.5)), "a common mean": (1.0, Exponential(1.5)),
             "the Gaussian": (0.0, Gaussian(math.sqrt(1.5)))}
    for name, (centre, kernel) in kinds.items():
        clouds = [centre + size * shape for size in sizes]
        found = np.array([spread(lm.local_mean(x, x, kernel=kernel)) for x in clouds])
        stays = [spread(x + lm.local_mean(x, x, kernel=kernel)) for x in clouds]
        yield order(f"{name}: the order", sizes, found, 3, within=0.05,
                    because="the next term is smaller by a hundredth", broken=stays, how="a residual connection")
        yield same(f"{name}: the constant", found[0] / sizes[0] ** 3, 1 / (16 * 1.5), relative=0.05,
                   because="a term of higher order, and the common mean's pull on the weights",
                   broken=found[0] / sizes[0] ** 2, how="the square in place of the cube")
        yield same(f"{name}: a residual", stays[0] / sizes[0], 1.0, within=0.01,
                   because="the cube of a twentieth over 24 is a ten-thousandth of it",
                   broken=found[0] / sizes[0], how="no residual connection")


@claim("N14", kind="counter-example", sources=("dong2021",))
def stacked_means_alone_destroy_their_input(seed=0):
    r"""With identity maps and near consensus, in units of $\sqrt{n\tau}$, the logarithm of the spread triples with each
    layer of pure attention, so that a handful of literal iterations leave nothing but rounding; a residual of one half
    makes the loss linear, a factor of one half a layer."""
    shape = tokens(seed, 16)[0]
    x = math.sqrt(16 * 1.5) * 0.1 * (shape - shape.mean(0)) / np.linalg.norm(shape - shape.mean(0), 2)
    pure, half = [x], [x]
    for _ in range(12):
        pure.append(lm.local_mean(pure[-1], pure[-1], kernel=Exponential(1.5)))
        half.append((half[-1] + lm.local_mean(half[-1], half[-1], kernel=Exponential(1.5))) / 2)
    pure, half = (np.array([spread(one) for one in path]) for path in (pure, half))
    logs = np.log(pure[:3] / math.sqrt(16 * 1.5))
    halves = np.log(half[:3] / math.sqrt(16 * 1.5))
    yield same("logarithms triple", logs[1:] / logs[:-1], 3.0, within=0.05,
               because="the next term, a hundredth of the spread, beside a logarithm of two",
               broken=halves[1:] / halves[:-1], how="a residual of one half")
    yield at_most("after four layers", pure[4], 1e-14, because="rounding of tokens of size one",
                  broken=half[4], how="a residual of one half")
    yield same("half a layer", half[-1] / half[-2], 0.5, within=1e-4, because="a cube of a small number is nothing",
               broken=pure[2] / pure[1], how="no residual")


@claim("N15", kind=("inequality", "counter-example"))
def the_logarithm_has_low_rank(seed=0):
    r"""The matrix of scores, the logarithm of the kernel $e^{q\cdot k/\tau}$, has at most the rank $d$ of a head,
    although the matrix of the kernel itself can have full rank: it has if distinct tokens are queries and keys at once,
    and at a low temperature ten digits show it."""
    angle = np.sort(np.random.default_rng(seed).uniform(0, 0.3, 12)) + np.arange(12) * math.tau / 12
    x = np.column_stack([np.cos(angle), np.sin(angle)])
    weights, y = Exponential(0.05)(x, x), tokens(seed, 12, width=2)[0]
    yield at_most("the logarithm's rank", rank_of(np.log(weights)), 2, because="it is a product through two columns",
                  broken=rank_of(np.log(Gaussian()(y, y))), how="a Gaussian, which has two columns more")
    yield same("the kernel's rank", rank_of(weights), 12, because="ranks are equal or they are not",
               broken=rank_of(Exponential(1e9)(x, x)), how="a temperature at which ten digits are too few")


@claim("N16", kind="order", sources=("choromanski2021",))
def random_features_are_unbiased(seed=0):
    r"""Inner products of $M$ positive random features are unbiased for $e^{q\cdot k/\tau}$, with the standard deviation
    $e^{q\cdot k/\tau}\sqrt{(e^{\lVert q+k\rVert^2/\tau} - 1)/M}$."""
    q, k = tokens(seed, 2)[0] / 3
    exact, sizes = math.exp(q @ k / 1.5), np.array([16, 64, 256])
    draws = {size: np.array([products(q, k, size, number) for number in range(seed * 800, seed * 800 + 800)])
             for size in sizes}
    known = exact * math.sqrt(math.expm1(((q + k) ** 2).sum() / 1.5))
    spreads = np.array([draws[size].std() for size in sizes])
    copies = [draws[16].std() for size in sizes]
    yield same("the mean", draws[256].mean() / exact, 1.0, within=4.5 * known / exact / math.sqrt(256 * 800),
               because="four and a half standard errors",
               broken=math.exp((q @ q + k @ k) / 3) * draws[256].mean() / exact,
               how="the squared norms left out of the exponent")
    yield order("the error", sizes, spreads, -0.5, within=0.12, because="800 draws know a deviation to some per cent",
                broken=copies, how="directions that are copies of the first sixteen")
    yield same("the deviation", spreads * np.sqrt(sizes), known, relative=0.25,
               because="800 draws with heavy tails know a deviation to some per cent", broken=spreads,
               how="the number of features left out")


@claim("N17", kind=("identity", "counter-example"), sources=("katharopoulos2020",))
def linear_attention_is_a_recurrent_network(seed=0):
    r"""Causal attention with $K = \phi(q)\cdot\phi(k)$ and $\phi > 0$ is a recurrent network whose state is
    $\sum_j \phi(k_j) v_j^\top$ and $\sum_j \phi(k_j)$; without $\phi > 0$ it need not be a mean: the plain linear
    kernel gives negative weights to about half of Gaussian keys, and totals of either sign."""
    query, keys, values = tokens(seed, 40, 40, 40)
    kernel = np.exp(query) @ np.exp(keys).T * np.tri(40)
    expected = averaged(kernel, values)
    cell, recurrent, late = RecurrentAttention(np.exp), [], []
    for q, k, v in zip(query, keys, values, strict=True):
        late.append(cell.mean(q) if recurrent else np.zeros(4))
        recurrent.append(cell.step(q, k, v))
    yield same("token by token", recurrent, expected, within=1e-12, because=ROUNDING, broken=late,
               how="a state that is asked before it has read the token")
    at_once = linear_attention(query, keys, values, features=np.exp, causal=True)
    every = linear_attention(query, keys, values, features=np.exp)
    yield same("all at once", at_once, expected, within=1e-12, because=ROUNDING, broken=every, how="no mask")
    mean = lm.local_mean(query, keys, values, kernel=FeatureKernel(np.exp))
    yield same("a local mean", mean, averaged(np.exp(query) @ np.exp(keys).T, values), within=1e-12, because=ROUNDING,
               broken=attend(query, keys, values, 1), how="the exponential of the product, not the product of the "
               "exponentials")
    signs, total = query @ keys.T, (query @ keys.T).sum(1)
    positive = np.exp(query) @ np.exp(keys).T
    yield at_least("weights below zero", (signs < 0).mean(), 0.25, because="a half, less what forty keys may do",
                   broken=(positive < 0).mean(), how="positive features")
    yield at_most("the least total beside its terms", (total / abs(signs).sum(1)).min(), 0.0,
                  because="a total below zero belongs to no mean", broken=(positive.sum(1) / positive.sum(1)).min(),
                  how="positive features")
    yield at_least("the greatest", (total / abs(signs).sum(1)).max(), 0.0,
                   because="a total above zero beside those below", broken=(-positive.sum(1) / positive.sum(1)).max(),
                   how="positive features of keys that are turned round")


@claim("N18", kind="identity", sources=("oswald2023", "geva2021"))
def sums_that_nobody_divides(seed=0):
    r"""Linear attention without its denominator, $\eta \sum_i (q\cdot x_i)\, y_i$, predicts what linear regression does
    after one step of gradient descent from zero at the rate $\eta$; and a feed-forward layer with ReLU is such a sum
    too, under the kernel $\max(0, k\cdot x + b)$."""
    query, x, y = tokens(seed, 12, 20, 20)
    found = 0.05 * lm.local_sum(query, x, y, kernel=Linear()).numerator
    matrix = torch.zeros(4, 4, dtype=torch.float64, requires_grad=True)
    error = torch.from_numpy(y) - torch.from_numpy(x) @ matrix.T
    (slope,) = torch.autograd.grad(error.square().sum() / 2, matrix)
    yield same("a step of descent", found, query @ (-0.05 * slope).numpy().T, within=1e-12, because=ROUNDING,
               broken=attend(query, x, y, 2), how="softmax attention, which is divided")
    first, second = (torch.nn.Linear(*shape, dtype=torch.float64) for shape in ((4, 30), (30, 4)))
    layer = torch.nn.Sequential(first, torch.nn.ReLU(), second)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(seed))
    weights = [part.detach().numpy() for part in (first.weight, first.bias, second.weight.T, second.bias)]
    expected = layer(torch.from_numpy(query)).detach()
    smooth = second(functional.gelu(first(torch.from_numpy(query)))).detach()
    yield same("a feed-forward layer", feed_forward(query, *weights), expected, within=1e-11, because=ROUNDING,
               broken=smooth, how="GELU, which is below zero somewhere")


def tokens(seed, *lengths, width=4):
    """Return Gaussian points, a set of each length."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(length, width)) for length in lengths]


def averaged(weights, values):
    """Return means of values under un-normalised weights."""
    return (weights @ values) / weights.sum(-1, keepdims=True)


def attend(query, keys, values, temperature):
    """Return softmax attention."""
    return softmax(query @ keys.T / temperature, axis=1) @ values


def module(seed, kernel=None):
    """Return two heads of four features with drawn weights and biases."""
    heads = MultiHeadLocalMean(8, 2, batch_first=True, dtype=torch.float64, kernel=kernel)
    generator = torch.Generator().manual_seed(seed)
    for parameter in heads.parameters():
        torch.nn.init.normal_(parameter, std=0.5, generator=generator)
    return heads


def projected(heads, x):
    """Return queries, keys and values of the two heads, each of shape (2, n, 4)."""
    weight, bias = heads.in_proj_weight.detach().numpy(), heads.in_proj_bias.detach().numpy()
    parts = (x[0].numpy() @ weight.T + bias).reshape(-1, 3, 2, 4)
    return [np.swapaxes(parts[:, i], 0, 1) for i in range(3)]


def mixed(heads, means):
    """Return Σ_h m_h W_h and the bias, from means of shape (2, n, 4)."""
    weight, bias = heads.out_proj.weight.detach().numpy(), heads.out_proj.bias.detach().numpy()
    return sum(mean @ weight[:, 4 * h:4 * h + 4].T for h, mean in enumerate(means)) + bias


def stacks(seed):
    """Return three levels with drawn weights, ours and torch's."""
    torch.manual_seed(seed)
    layer = torch.nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True, dtype=torch.float64)
    theirs = torch.nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return HierarchicalLocalModel.from_torch(copy.deepcopy(theirs)), theirs


def wave(positions):
    """Return sinusoids of positions, four columns."""
    return np.column_stack([np.sin(positions), np.cos(positions), np.sin(positions / 100), np.cos(positions / 100)])


def interaction(table):
    """Return what of a table is no sum of a row and a column, as a share of what is not its mean."""
    centred = table - table.mean()
    rest = centred - centred.mean(0) - centred.mean(1, keepdims=True)
    return np.linalg.norm(rest) / np.linalg.norm(centred)


def faces():
    """Return three of attention's other names, as functions of queries and keys at the temperature 1.5."""
    width = math.sqrt(1.5)
    return {
        "a mean-shift step": lambda query, keys: lm.local_mean(query, keys, kernel=Gaussian(width)),
        "Hopfield's update": lambda query, keys: retrieve(query, keys, beta=1 / 1.5),
        "the denoiser": lambda query, keys: EmpiricalDenoiser(width).fit(keys).denoise(query),
    }


def steps_of(points, steps, blurring):
    """Return points after steps of mean shift at the width 0.7, one point after the other."""
    keys = points
    for _ in range(steps):
        weights = np.array([np.exp(-((q - keys) ** 2).sum(1) / (2 * 0.49)) for q in points])
        points = averaged(weights, keys)
        keys = points if blurring else keys
    return points


def slope_of_density(points, keys, width):
    """Return the gradient of a sum of Gaussian bumps."""
    gap = keys - points[:, None]
    return (np.exp(-(gap**2).sum(-1, keepdims=True) / (2 * width**2)) * gap).sum(1)


def spread(x):
    """Return the spectral norm of the centred token matrix."""
    return np.linalg.norm(x - x.mean(0), 2)


def rank_of(matrix):
    """Return a numerical rank, singular values below 1e-10 of the largest being none."""
    return np.linalg.matrix_rank(matrix, rtol=1e-10)


def products(q, k, size, number):
    """Return the inner product of random features."""
    features = PositiveRandomFeatures(4, int(size), temperature=1.5, seed=number)
    return features(q) @ features(k)

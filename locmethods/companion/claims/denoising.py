"""What the page on denoising autoencoders checks: a claim is a function, its parts are the evidence."""

from itertools import pairwise

import numpy as np
import torch
from scipy import stats
from scipy.integrate import solve_ivp
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist
from scipy.special import softmax
from sklearn.neighbors import KernelDensity

import locmethods as lm
from locmethods.companion import at_least, at_most, claim, datasets, order, same
from locmethods.denoising import (
    EmpiricalDenoiser,
    PatchDenoiser,
    annealed_mean_shift,
    denoising_risk,
    denoising_score_matching,
    explicit_score_matching,
    implicit_score_matching,
    noise_schedule,
    probability_flow,
    stochastic_flow,
)
from locmethods.kernels import Gaussian

H = 0.45  # a level of noise for the petals, in centimetres


def shuffled_digits(seed):
    """Return 300 known digits, and 30 others with noise of level 0.4."""
    x, rng = datasets.digits().x, np.random.default_rng(seed)
    x = x[rng.permutation(len(x))]
    return x[:300], x[300:330] + 0.4 * rng.normal(size=(30, 64))


def bayes(x, z, sigma):
    """Return the posterior mean under Gaussian noise by the formula, all pairs at once."""
    return softmax(-cdist(x, z, "sqeuclidean") / (2 * sigma**2), axis=1) @ z


def noisy_petals(seed, level=H):
    """Return the petals' length and width, and eight of them with noise."""
    z, rng = datasets.petals().x, np.random.default_rng(seed)
    return z, z[rng.integers(150, size=8)] + level * rng.normal(size=(8, 2))


def slope(function, x, step=1e-4):
    """Return the gradient of a function of points by central differences, of shape (n, d) or (n, m, d)."""
    return np.stack([(function(x + step * e) - function(x - step * e)) / (2 * step) for e in np.eye(x.shape[1])], -1)


def density_of(z, width):
    """Return scikit-learn's log-density of a Gaussian at each point, in one leaf so that it sums all terms."""
    return KernelDensity(bandwidth=width, leaf_size=len(z)).fit(z).score_samples


def line_of(z, sigma, n=1501):
    """Return places on a line that hold all noisy points, and N(x; zᵢ, σ²) dx for each datum and place."""
    x = np.linspace(z.min() - 8 * sigma, z.max() + 8 * sigma, n)
    return x, stats.norm.pdf(x, z[:, None], sigma) * (x[1] - x[0]) / len(z)


@claim("J1", kind="identity", sources=("vincent2011",))
def the_best_denoiser_is_a_local_mean(seed=0):
    r"""Over training points $z_i$ and Gaussian noise of level $\sigma$ the function of least mean squared error is
    $D(x) = \sum_i N(x; z_i, \sigma^2)\, z_i / \sum_i N(x; z_i, \sigma^2)$, a Gaussian local mean of bandwidth $\sigma$,
    and the risk of any other function $r$ exceeds its risk by $E\lVert r(x) - D(x)\rVert^2$.
    """
    known, noisy = shuffled_digits(seed)
    denoiser = EmpiricalDenoiser(sigma=0.4).fit(known)
    root = softmax(-cdist(noisy, known) / 0.4, axis=1) @ known
    yield same("by Bayes' rule", denoiser.denoise(noisy), bayes(noisy, known, 0.4), within=1e-12,
               because="two routes of sums of 300 terms, squares of distances up to 40 in the exponent",
               broken=root, how="distances that nobody squares")
    yield same("as a transformer", denoiser.transform(noisy), bayes(noisy, known, 0.4), within=1e-12,
               because="the same", broken=root, how="distances that nobody squares")
    yield same("as a local mean", lm.local_mean(noisy, known, kernel=Gaussian(0.4)), bayes(noisy, known, 0.4),
               within=1e-12, because="the same", broken=root, how="distances that nobody squares")

    # On a line expectations are integrals: over the noisy place, for each datum.
    z = datasets.petals().x[:, 0]
    x, mass = line_of(z, H)
    pairs = {"clean": np.repeat(z, len(x))[:, None], "weights": mass.ravel()}
    answers = {prior: EmpiricalDenoiser(H, prior=prior, bandwidth=0.3).fit(z[:, None]).denoise(x[:, None])[:, 0]
               for prior in ("empirical", "kernel_density", "gaussian")}
    rng = np.random.default_rng(seed)
    others = {"Wiener's": answers["gaussian"], "a wave": x + rng.normal() * np.sin(3 * x)}

    def risk(answer):
        return denoising_risk(np.tile(answer, len(z))[:, None], **pairs)

    def apart(answer, best):
        return mass.sum(0) @ (answer - best)**2

    best, smooth = answers["empirical"], answers["kernel_density"]
    yield same("excess of risk", [risk(one) - risk(best) for one in others.values()],
               [apart(one, best) for one in others.values()], within=1e-10,
               because="sums over a grid that is 17 times finer than the noise",
               broken=([risk(one) - risk(smooth) for one in others.values()],
                       [apart(one, smooth) for one in others.values()]),
               how="a denoiser that takes each datum for a small cloud, in place of the best")
    yield same("the risk itself", risk(best), (mass * (best - z[:, None])**2).sum(), within=1e-10,
               because="the same sum in another order",
               broken=risk(smooth), how="a denoiser that takes each datum for a small cloud")


@claim("J2", kind="identity", sources=("robbins1956", "miyasawa1961", "efron2011"))
def the_step_is_the_score(seed=0):
    r"""Whatever the prior, under Gaussian noise $D(x) = x + \sigma^2\, \nabla \log p_\sigma(x)$, with the density
    $p_\sigma$ of the noisy points.
    """
    z, x = noisy_petals(seed)
    h, wide = 0.3, np.hypot(0.3, H)
    mean, spread = z.mean(0), np.cov(z.T, bias=True)
    densities = {"empirical": density_of(z, H), "kernel_density": density_of(z, wide),
                 "gaussian": stats.multivariate_normal(mean, spread + H**2 * np.eye(2)).logpdf}
    for prior, density in densities.items():
        denoiser = EmpiricalDenoiser(H, prior=prior, bandwidth=h).fit(z)
        score = slope(density, x)
        steep = score * np.exp(density(x))[:, None]
        yield same(f"{prior.replace('_', ' ')} prior", denoiser.denoise(x), x + H**2 * score, within=1e-6,
                   because="central differences: a step of 1e-4, squared, times a third derivative below 100",
                   broken=x + H**2 * steep, how="the gradient of the density in place of its logarithm's")
        yield same(f"score, {prior.replace('_', ' ')} prior", denoiser.score_function(x), score, within=1e-5,
                   because="the same, over σ²",
                   broken=steep, how="the gradient of the density in place of its logarithm's")
        yield same(f"log-density, {prior.replace('_', ' ')} prior", denoiser.log_density(x), density(x), within=1e-10,
                   because="two routes of sums of 150 terms",
                   broken=np.exp(density(x)), how="the density in place of its logarithm")


@claim("J3", kind="identity", sources=("efron2011",))
def the_derivative_is_the_posterior_covariance(seed=0):
    r"""Under Gaussian noise $\operatorname{Cov}(z \mid x) = \sigma^2\, \partial D/\partial x
    = \sigma^2 (I + \sigma^2\, \nabla^2 \log p_\sigma)$; over training points it is their covariance under the weights
    of the local mean.
    """
    z, x = noisy_petals(seed)
    denoiser, other = EmpiricalDenoiser(H).fit(z), EmpiricalDenoiser(H, noise="laplace").fit(z)
    weights = softmax(-cdist(x, z, "sqeuclidean") / (2 * H**2), axis=1)
    covariance = np.stack([np.cov(z.T, aweights=row, bias=True) for row in weights])
    rooted = np.stack([np.cov(z.T, aweights=row, bias=True) for row in np.sqrt(weights)])
    strange = other.posterior_covariance(x)
    yield same("covariance", denoiser.posterior_covariance(x), covariance, within=1e-12,
               because="two routes of sums of 150 terms",
               broken=rooted, how="the roots of the weights in their place")
    yield same("as a derivative", H**2 * slope(lambda at: bayes(at, z, H), x), denoiser.posterior_covariance(x),
               within=1e-6, because="central differences: a step of 1e-4, squared, times a third derivative below 100",
               broken=(H**2 * slope(other.denoise, x), strange),
               how="Laplace's noise, its own denoiser and its own covariance")
    yield same("the derivative itself", denoiser.jacobian(x), slope(lambda at: bayes(at, z, H), x), within=1e-6,
               because="the same",
               broken=covariance, how="the covariance that nobody divides by σ²")

    def bent(density):
        bend = slope(lambda at: slope(density, at, step=1e-3), x, step=1e-3)
        return H**2 * (np.eye(2) + H**2 * bend)

    yield same("as a curvature", bent(density_of(z, H)), denoiser.posterior_covariance(x), within=1e-4,
               because="second differences: a step of 1e-3, squared, times a fourth derivative below 1,000, times σ⁴",
               broken=(bent(other.log_density), strange), how="Laplace's noise, its own density and covariance")


@claim("J4", kind="order", sources=("alain2014",))
def little_noise_shows_the_score_of_the_clean_density(seed=0):
    r"""If the clean density $p$ is smooth, $D(x) - x = \sigma^2\, \nabla \log p(x) + O(\sigma^4)$, and on the line the
    remainder is $\tfrac{\sigma^4}{2}\,(p''/p)'$ to leading order.
    """
    rng = np.random.default_rng(seed)
    centres, h, x = np.array([[-1.0], [0.4], [1.3]]), 0.6, rng.uniform(1.5, 1.9, (1, 1))
    part = stats.norm.pdf(x, centres.T, h)
    gap = (centres.T - x) / h**2
    p = part.sum()
    first, second, third = ((part * factor).sum() / p for factor in
                            (gap, gap**2 - h**-2, gap**3 - 3 * gap / h**2))  # p'/p, p''/p and p'''/p
    levels = np.array([0.1, 0.05, 0.025])
    smooth = EmpiricalDenoiser(prior="kernel_density", bandwidth=h).fit(centres)
    rough = EmpiricalDenoiser().fit(centres)
    left, rest = (np.array([model.denoise(x, s).item() - x.item() - s**2 * first for s in levels])
                  for model in (smooth, rough))
    yield order("what is left", levels, left, 4, within=0.15,
                because="the next term is of relative order σ²/h², 1/36 at the largest level",
                broken=rest, how="the data themselves for a prior, which have no density")
    finest, limit = left[-1] / levels[-1]**4, (third - second * first) / 2
    yield same("its constant", finest, limit, relative=0.05,
               because="the next term is of relative order σ²/h², 1/576 here, times the ratio of derivatives",
               broken=(third - second * first) / 2 - first * (second - first**2),
               how="the derivative of (log p)″ in place of that of p″/p")


@claim("J5", kind="identity", sources=("vincent2011", "hyvarinen2005"))
def three_losses_differ_by_constants(seed=0):
    r"""Denoising score matching, $\tfrac12 E\lVert s(x) + (x - z)/\sigma^2\rVert^2$, exceeds explicit score matching,
    $\tfrac12 E\lVert s(x) - \nabla\log p_\sigma(x)\rVert^2$, by the same number for every $s$; implicit score matching,
    $E[\tfrac12 \lVert s(x)\rVert^2 + \nabla\cdot s(x)]$, lies below it by another.
    """
    rng, z = np.random.default_rng(seed), datasets.petals().x[:, 0]
    x, mass = line_of(z, H)
    share = mass.sum(0)
    true, wrong = (EmpiricalDenoiser(H, prior=prior, bandwidth=0.3).fit(z[:, None]).score_function(x[:, None])
                   for prior in ("empirical", "kernel_density"))
    by_hand = slope(density_of(z[:, None], H), x[:, None])[:, 0]
    pairs = {"clean": np.repeat(z, len(x))[:, None], "noisy": np.tile(x, len(z))[:, None], "sigma": H,
             "weights": mass.ravel()}
    gaps, wrong_gaps, implicit, forgetful = [], [], [], []
    for strength in rng.uniform(0.2, 2.0, 3):
        score = (np.sin(strength * x) - strength * (x - 4))[:, None]
        divergence = strength * np.cos(strength * x) - strength
        matched = denoising_score_matching(np.tile(score, (len(z), 1)), **pairs)
        explicit = explicit_score_matching(score, true, weights=share)
        gaps.append(matched - explicit)
        wrong_gaps.append(matched - explicit_score_matching(score, wrong, weights=share))
        implicit.append(implicit_score_matching(score, divergence, weights=share) - explicit)
        forgetful.append(implicit_score_matching(score, 0 * divergence, weights=share) - explicit)
    energy = share @ by_hand**2 / 2
    yield same("denoising less explicit", gaps, np.full(3, 1 / (2 * H**2) - energy), within=1e-6,
               because="the right side's score by differences of step 1e-4; the sums are good to 1e-12",
               broken=wrong_gaps, how="the score of the smoothed density for a target")
    yield same("implicit less explicit", implicit, np.full(3, -energy), within=1e-6, because="the same",
               broken=forgetful, how="the divergence left out")


@claim("J6", kind="counter-example", sources=("robbins1956", "cheng1995"))
def other_noise_has_another_formula(seed=0):
    r"""For noise that is not Gaussian the posterior mean is still a local mean, with the noise's density for a kernel,
    but $D(x) = x + \sigma^2\, \nabla\log p(x)$ fails; for uniform noise the step is a gradient over a density, of a
    parabola and of the window, and for Poisson noise $D(x) = (x + 1)\, p(x + 1)/p(x)$.
    """
    rng, z = np.random.default_rng(seed), datasets.petals().x[:, :1]
    x = rng.choice(z[:, 0], 20)[:, None] + rng.uniform(-0.7, 0.7, (20, 1))
    laplace, gauss = (EmpiricalDenoiser(H, noise=noise).fit(z) for noise in ("laplace", "gaussian"))
    weight = stats.laplace.pdf(x, z.T, H / np.sqrt(2))
    yield same("Laplace's noise", laplace.denoise(x), weight @ z / weight.sum(1, keepdims=True), within=1e-12,
               because="two routes of sums of 150 terms", broken=gauss.denoise(x), how="the denoiser of Gaussian noise")
    grid = np.linspace(1, 7, 601)[:, None]
    missed = [abs(model.denoise(grid) - grid - H**2 * slope(model.log_density, grid, step=1e-6)).max()
              for model in (laplace, gauss)]
    yield at_least("how far Tweedie is off", missed[0], 0.1, because="a tenth of a centimetre, a fifth of the noise",
                   broken=missed[1], how="Gaussian noise, for which he is right")

    window = np.sqrt(3) * H
    count, parabolas = (KernelDensity(bandwidth=window, kernel=kernel, leaf_size=len(z)).fit(z)
                        for kernel in ("tophat", "epanechnikov"))
    # The densities are Σ1/2nR and 3Σ(1 − u)/4nR, so that (R²/2) ∇Σ(1 − u)/Σ1 is R²/3 of the quotient.
    shadow, own = (window**2 / 3 * slope(lambda at, one=one: np.exp(one.score_samples(at)), x, step=1e-6)
                   / np.exp(count.score_samples(x))[:, None] for one in (parabolas, count))
    yield same("uniform noise", EmpiricalDenoiser(H, noise="uniform").fit(z).denoise(x) - x, shadow, within=1e-7,
               because="differences of step 1e-6, which of parabolas are right to rounding",
               broken=own, how="the slope of the window's own count in place of its shadow's")

    rates, counts = rng.gamma(3.0, 2.0, (60, 1)), np.arange(12.0)[:, None]
    chance = stats.poisson.pmf(np.arange(13)[:, None], rates.T).mean(1)
    robbins = np.arange(1, 13) * chance[1:] / chance[:-1]
    counted = EmpiricalDenoiser(noise="poisson").fit(rates).denoise(counts)[:, 0]
    yield same("Poisson noise", counted, robbins, relative=1e-11, because="sums of 60 exponentials of numbers up to 60",
               broken=chance[1:] / chance[:-1], how="the ratio of chances without x + 1")


@claim("J7", kind="limit", sources=("gu2023", "scarvelis2023"))
def the_exact_denoiser_remembers(seed=0):
    r"""As $\sigma \to 0$, $D_\sigma(x)$ tends to the nearest training point, if there is one nearest, and the
    probability flow of the exact denoiser ends at training points: here 500 starts at forty points, each of which is
    reached.
    """
    roots = ((80 ** (1 / 7) + np.arange(10) / 9 * (0.01 ** (1 / 7) - 80 ** (1 / 7))) ** 7).tolist()
    yield same("the levels", noise_schedule(10, sigma_max=80.0, sigma_min=0.01), [*roots, 0.0], relative=1e-12,
               because="seventh roots and powers", broken=[*np.geomspace(80, 0.01, 10), 0.0],
               how="levels of one ratio")
    rng = np.random.default_rng(seed)
    cells = np.stack(np.mgrid[-2:2:8j, -1.5:1.5:5j], -1).reshape(-1, 2)
    z = cells + rng.uniform(-0.15, 0.15, size=(40, 2))  # no two so near that the last noise would blend them
    start = 10 * rng.normal(size=(500, 2))
    sigmas = noise_schedule(60, sigma_max=10.0, sigma_min=0.002)
    ends, smeared = (probability_flow(EmpiricalDenoiser(prior=prior, bandwidth=0.3).fit(z), start, sigmas).points
                     for prior in ("empirical", "kernel_density"))
    distance, reached = cKDTree(z).query(ends)
    yield at_most("distance from a training point", distance, 1e-3, because="half of the last noise level",
                  broken=cKDTree(z).query(smeared)[0], how="each training point taken for a small cloud")
    yield same("how many are reached", len(np.unique(reached)), 40, because="a count",
               broken=len(np.unique(cKDTree(z).query(annealed_mean_shift(start, z, sigmas, relaxation=1.0).points)[1])),
               how="whole steps of mean shift in place of the flow's")

    known, noisy = shuffled_digits(seed)
    near, far = np.transpose(cKDTree(known).query(noisy, k=2)[0] ** 2)
    noisy = noisy[far > near + 0.0003]
    crisp, soft = (EmpiricalDenoiser(0.003, prior=prior, bandwidth=0.3).fit(known).denoise(noisy)
                   for prior in ("empirical", "kernel_density"))
    yield same("little noise", crisp, known[cKDTree(known).query(noisy)[1]], within=1e-6,
               because="a picture that is farther by 0.0003 in square has the share e⁻¹⁶",
               broken=soft, how="each training point taken for a small cloud")


@claim("J8", kind="counter-example", sources=("song2021",))
def denoising_is_not_the_inverse_of_noise(seed=0):
    r"""A denoiser does not undo noise: of Gaussian data of variance $v$ one application shrinks the noisy points'
    standard deviation by $v/(v + \sigma^2)$, to less than the clean ones' $\sqrt v$, while the flow shrinks it by
    $\sqrt{v/(v + \sigma^2)}$ and gives the variance $v$ back.
    """
    z = datasets.petals().x[:, :1]
    v, sigma = z.var(), np.random.default_rng(seed).uniform(1.0, 2.0)
    share = v / (v + sigma**2)
    noisy = z.mean() + np.sqrt(v + sigma**2) * stats.norm.ppf((np.arange(1000) + 0.5) / 1000)[:, None]
    bell, points = (EmpiricalDenoiser(prior=prior).fit(z) for prior in ("gaussian", "empirical"))
    sigmas = np.append(np.linspace(sigma, 0.01, 200), 0)

    def shrunk(answer):
        return answer.std() / noisy.std()

    yield same("applied once", bell.denoise(noisy, sigma), z.mean() + share * (noisy - z.mean()), within=1e-12,
               because="numbers below 20, rounded a few times",
               broken=points.denoise(noisy, sigma), how="the data themselves, which are not Gaussian")
    yield same("along the flow", shrunk(probability_flow(bell, noisy, sigmas).points), np.sqrt(share), within=1e-4,
               because="200 steps of Heun's method, and the last level, 0.01, squared over v",
               broken=shrunk(probability_flow(bell, noisy, [sigma, 0.0]).points),
               how="one step in place of many, which is the denoiser's own answer")


@claim("J9", kind="identity", sources=("karras2022", "song2021"))
def a_sampler_is_mean_shift_whose_width_shrinks(seed=0):
    r"""The probability flow $dx/d\sigma = (x - D_\sigma(x))/\sigma = -\sigma\, \nabla\log p_\sigma(x)$ of the exact
    denoiser runs against mean shift, and Euler's step of it from $\sigma$ down to $\sigma'$ is a step of mean shift of
    width $\sigma$, shortened by the factor $1 - \sigma'/\sigma$.
    """
    z, _ = noisy_petals(seed)
    rng = np.random.default_rng(seed)
    sigmas = noise_schedule(25, sigma_max=6.0, sigma_min=0.05)
    start = z.mean(0) + 6 * rng.normal(size=(20, 2))
    by_hand, whole = [start], [start]
    for here, there in pairwise(sigmas):
        by_hand.append(by_hand[-1] + (1 - there / here) * (bayes(by_hand[-1], z, here) - by_hand[-1]))
        whole.append(bayes(whole[-1], z, here))
    shifted = annealed_mean_shift(start, z, sigmas, keep_path=True).path
    yield same("step by step", shifted, by_hand, within=1e-9, because="roundings that 25 steps carry along",
               broken=whole, how="whole steps of mean shift")
    euler, heun = (probability_flow(EmpiricalDenoiser().fit(z), start, sigmas, method=method, keep_path=True).path
                   for method in ("euler", "heun"))
    yield same("Euler's steps", euler, by_hand, within=1e-9, because="roundings that 25 steps carry along",
               broken=heun, how="Heun's steps, which ask twice")

    def against_the_score(sigma, x, power):
        return -(sigma**power) * (bayes(x[None], z, sigma) - x)[0] / sigma**2

    fine = np.geomspace(6.0, 0.4, 200)
    ends = probability_flow(EmpiricalDenoiser().fit(z), start[:3], fine).points
    theirs, other = (np.stack([solve_ivp(against_the_score, (6.0, 0.4), one, args=(power,), rtol=1e-8, atol=1e-10)
                               .y[:, -1] for one in start[:3]]) for power in (1, 0))
    yield same("the equation", ends, theirs, within=5e-3,
               because="Heun's error: steps of 1.4%, squared, where the equation magnifies what is off by ten or less",
               broken=other, how="the score itself in place of σ times it")

    twin = np.random.default_rng(seed + 1)
    at = start
    for here, there in pairwise(sigmas):
        at = at + np.sqrt((1.2 * here)**2 - here**2) * twin.normal(size=at.shape)
        at = at + (1 - there / (1.2 * here)) * (bayes(at, z, 1.2 * here) - at)
    lifted = stochastic_flow(EmpiricalDenoiser().fit(z), start, sigmas, churn=0.2, method="euler", seed=seed + 1)
    yield same("with fresh noise", lifted.points, at, within=1e-9, because="roundings that 25 steps carry along",
               broken=euler[-1], how="noise that nobody adds")


@claim("J10", kind="identity", sources=("lyu2009",))
def noise_brings_densities_together(seed=0):
    r"""If two densities $p_t$ and $q_t$ are spread by noise of variance $t$,
    $\frac{d}{dt} \operatorname{KL}(p_t \Vert q_t) = -\tfrac12\, E_{p_t}\lVert \nabla\log p_t - \nabla\log q_t\rVert^2$.
    """
    rng = np.random.default_rng(seed)
    left, right = rng.normal(-1, 1, 4), rng.normal(1, 1, 4)
    x, t, step = np.linspace(-14, 14, 4001), 0.8, 1e-3

    def of(centres, variance):
        return stats.norm.pdf(x, centres[:, None], np.sqrt(variance)).mean(0)

    def divergence(variance):
        p, q = of(left, variance), of(right, variance)
        return (p * np.log(p / q)).sum() * (x[1] - x[0])

    rate = (divergence(t + step) - divergence(t - step)) / (2 * step)
    ours, theirs = (EmpiricalDenoiser(np.sqrt(t)).fit(one[:, None]).score_function(x[:, None])[:, 0]
                    for one in (left, right))
    fisher, swapped = ((of(one, t) * (ours - theirs)**2).sum() * (x[1] - x[0]) for one in (left, right))
    yield same("the rate", rate, -fisher / 2, relative=1e-4,
               because="central differences in t: a step of 1e-3, squared, times a third derivative below 100",
               broken=(rate, -swapped / 2), how="the average taken under q in place of p")


@claim("J11", kind="identity", sources=("vincent2011",))
def the_best_denoiser_is_a_softmax_layer(seed=0):
    r"""Over $K$ training points, the rows of $\mu$,
    $D(x) = \mu^{\mathsf T} \operatorname{softmax}(\mu x/\sigma^2 + b)$ with $b_k = -\lVert\mu_k\rVert^2/2\sigma^2$: an
    autoencoder with one hidden layer and tied weights, the gradient of $\sigma^2$ times a log-sum-exp; a sum of
    softplus makes a sigmoid layer instead.
    """
    known, noisy = shuffled_digits(seed)
    sigma, mu = 0.4, torch.from_numpy(known)
    layer = torch.nn.Linear(64, 300, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(mu / sigma**2)
        layer.bias.copy_(-mu.square().sum(1) / (2 * sigma**2))
    x = torch.from_numpy(noisy).requires_grad_()
    hidden = layer(x)
    answer = EmpiricalDenoiser(sigma).fit(known).denoise(noisy)
    yield same("a softmax layer", answer, torch.softmax(hidden, 1) @ mu, within=1e-11,
               because="inner products of size 100 over 0.16, whose rounding the softmax passes on",
               broken=torch.sigmoid(hidden) @ mu, how="a sigmoid layer")
    energies = {"log-sum-exp": torch.logsumexp(hidden, 1), "softplus": torch.nn.functional.softplus(hidden).sum(1)}
    slopes = {name: sigma**2 * torch.autograd.grad(energy.sum(), x, retain_graph=True)[0]
              for name, energy in energies.items()}
    yield same("its energy", answer, slopes["log-sum-exp"], within=1e-11, because="the same",
               broken=slopes["softplus"], how="a sum of softplus")


@claim("J12", kind=("identity", "counter-example"), sources=("kamb2025",))
def who_sees_patches_composes(seed=0):
    r"""Localized to windows the best denoiser is at each pixel a local mean over training patches; with a window as
    large as the picture its flow ends at training pictures, and with a smaller one it ends elsewhere, though each of
    its patches is near to one of them.
    """
    rng = np.random.default_rng(seed)
    x = datasets.digits().x
    known = x[rng.permutation(len(x))[:200]].reshape(-1, 8, 8)
    noisy = known[:3] + 0.4 * rng.normal(size=(3, 8, 8))
    local, alike = (PatchDenoiser(3, position=position).fit(known) for position in ("same", "any"))
    answers = {name: model.denoise(noisy, 0.4)[:, 1:-1, 1:-1] for name, model in (("same", local), ("any", alike))}
    slow = {position: patchwise(noisy, known, 0.4, position) for position in ("same", "any")}
    for position, name in (("same", "patches of the same place"), ("any", "patches of all places")):
        other = "any" if position == "same" else "same"
        yield same(name, answers[position], slow[position], within=1e-11,
                   because="scores of size 30 as inner products, whose rounding the softmax passes on",
                   broken=slow[other], how=f"patches of {'all places' if other == 'any' else 'the same place'}")

    sigmas = noise_schedule(14, sigma_max=3.0, sigma_min=0.02)
    start = 3 * rng.normal(size=(8, 8, 8))
    ends = {name: probability_flow(PatchDenoiser(window, position="same").fit(known), start, sigmas).points
            for name, window in (("whole", None), ("patches", 3))}
    far = {name: cdist(end.reshape(8, 64), known.reshape(200, 64)).min(1) for name, end in ends.items()}
    yield at_most("whole pictures", far["whole"], 1e-3, because="the last noise level is 0.02, and other pictures are "
                  "farther by more than a tenth", broken=far["patches"], how="a window of three pixels")
    yield at_least("windows of three", far["patches"], 0.5,
                   because="half the distance of two digits that are much alike",
                   broken=far["whole"], how="a window of the whole picture")
    crops = np.lib.stride_tricks.sliding_window_view
    there = [cdist(crops(ends["patches"], (3, 3), axis=(1, 2))[:, i, j].reshape(8, 9),
                   crops(known, (3, 3), axis=(1, 2))[:, i, j].reshape(200, 9)).min(1) for i, j in np.ndindex(6, 6)]
    mixed = rng.permuted(ends["patches"].reshape(8, 64), axis=1).reshape(8, 8, 8)
    torn = [cdist(crops(mixed, (3, 3), axis=(1, 2))[:, i, j].reshape(8, 9),
                  crops(known, (3, 3), axis=(1, 2))[:, i, j].reshape(200, 9)).min(1) for i, j in np.ndindex(6, 6)]
    yield at_most("its patches", np.mean(there), 0.5, because="half of the grey scale in a single one of nine pixels",
                  broken=np.mean(torn), how="the same pixels in disorder")


def patchwise(noisy, known, sigma, position):
    """Return the local means over 3 × 3 patches at the 6 × 6 inner pixels, a pixel after another."""
    crops, old = (np.lib.stride_tricks.sliding_window_view(pictures, (3, 3), axis=(1, 2)).reshape(-1, 6, 6, 9)
                  for pictures in (noisy, known))
    answer = np.empty((len(noisy), 6, 6))
    for i, j in np.ndindex(6, 6):
        keys = old[:, i, j] if position == "same" else old.reshape(-1, 9)
        answer[:, i, j] = softmax(-cdist(crops[:, i, j], keys, "sqeuclidean") / (2 * sigma**2), axis=1) @ keys[:, 4]
    return answer

"""The exact denoiser against Bayes' rule by slow loops, quadrature and scikit-learn, and the score-matching losses."""

import math
import pickle
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.datasets import load_digits
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity
from sklearn.utils.estimator_checks import parametrize_with_checks

from locmethods.denoising import (
    EmpiricalDenoiser,
    denoising_risk,
    denoising_score_matching,
    explicit_score_matching,
    implicit_score_matching,
)
from locmethods.denoising.noise import kernel_of


def cloud(seed, n=30, d=3):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, d))
    return z, z[rng.integers(n, size=8)] + rng.normal(size=(8, d))


def by_bayes(x, z, likelihood):
    """Return posterior mean, covariance and mean likelihood at one x, a training point after another."""
    weight = [likelihood(x, one) for one in z]
    mean = sum(w * one for w, one in zip(weight, z, strict=True)) / math.fsum(weight)
    spread = sum(w * np.outer(one - mean, one - mean) for w, one in zip(weight, z, strict=True)) / math.fsum(weight)
    return mean, spread, math.fsum(weight) / len(z)


NOISE = {
    "gaussian": lambda x, z: math.prod(stats.norm.pdf(x, z, 0.7)),
    "laplace": lambda x, z: math.prod(stats.laplace.pdf(x, z, 0.7 / math.sqrt(2))),
    "uniform": lambda x, z: math.prod(stats.uniform.pdf(x, z - 0.7 * math.sqrt(3), 2 * 0.7 * math.sqrt(3))),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("noise", NOISE)
def test_it_is_bayes_rule_whatever_the_noise(noise, seed):
    z, x = cloud(seed)
    x = z[:8] + np.random.default_rng(seed).uniform(-1, 1, (8, 3))  # so that uniform noise can have led there
    denoiser = EmpiricalDenoiser(0.7, noise=noise).fit(z)
    mean, spread, density = (np.array(part) for part in zip(*(by_bayes(one, z, NOISE[noise]) for one in x),
                                                            strict=True))
    # Sums of 30 terms in two orders, and logarithms of weights down to exp(-40).
    assert_allclose(denoiser.denoise(x), mean, rtol=0, atol=1e-13)
    assert_allclose(denoiser.posterior_covariance(x), spread, rtol=0, atol=1e-13)
    assert_allclose(denoiser.log_density(x), np.log(density), rtol=1e-12)
    assert_array_equal(denoiser.transform(x), denoiser.denoise(x))
    assert_array_equal(denoiser(x, 0.7), denoiser.denoise(x, sigma=0.7))


@pytest.mark.parametrize("sigma", [1.0, 0.5])
def test_poisson_noise_counts(sigma):
    rng = np.random.default_rng(0)
    z = rng.gamma(2.0, 2.0, (40, 2))
    z[3] = 0.0  # an intensity of zero can only give zero
    count = rng.poisson(z[:10] / sigma**2)
    denoiser = EmpiricalDenoiser(sigma, noise="poisson").fit(z)
    found = [by_bayes(one, z, lambda k, rate: math.prod(stats.poisson.pmf(k, rate / sigma**2))) for one in count]
    mean, spread, density = (np.array(part) for part in zip(*found, strict=True))
    # Weights are exponentials of inner products of size 100.
    assert_allclose(denoiser.denoise(count * sigma**2), mean, rtol=1e-12)
    assert_allclose(denoiser.posterior_covariance(count * sigma**2), spread, rtol=1e-10, atol=1e-10)
    assert_allclose(denoiser.log_density(count * sigma**2), np.log(density), rtol=1e-12)
    assert_allclose(denoiser.denoise(np.zeros((1, 2))), [by_bayes(
        np.zeros(2), z, lambda k, rate: math.prod(stats.poisson.pmf(k, rate / sigma**2)))[0]], rtol=1e-12)


def test_what_has_no_intensity_is_not_counted():
    """One count can't come from the intensity 0, and is improbable, e⁻¹⁰⁰⁰ · 1000, but possible under 1000."""
    z = np.array([[0.0, 2.0], [1000.0, 2.0], [2000.0, 0.0]])
    denoiser = EmpiricalDenoiser(noise="poisson").fit(z)
    assert_allclose(denoiser.denoise([[1.0, 1.0]]), [[1000.0, 2.0]], rtol=1e-14)
    # log(1000 e⁻¹⁰⁰⁰ · 2 e⁻²), one of three
    assert_allclose(denoiser.log_density([[1.0, 1.0]]), [math.log(2000) - 1002 - math.log(3)], rtol=1e-14)
    alone = EmpiricalDenoiser(noise="poisson", empty="nan").fit([[0.0], [0.0]])
    assert_array_equal(alone.denoise([[0.0], [3.0]]), [[0.0], [math.nan]])
    assert_array_equal(alone.log_density([[0.0], [3.0]]), [0.0, -math.inf])
    assert_array_equal(EmpiricalDenoiser(noise="poisson").fit(z[[0, 2]]).denoise([[5.0, 1.0]]), z[[2]])


@pytest.mark.parametrize("unit", [1e-140, 1e-80, 1e80, 1e140])
@pytest.mark.parametrize("prior", ["empirical", "kernel_density", "gaussian"])
def test_the_unit_of_the_data_does_not_matter(prior, unit):
    z, x = cloud(4)
    one = EmpiricalDenoiser(0.7, prior=prior, bandwidth=0.4).fit(z)
    other = EmpiricalDenoiser(0.7 * unit, prior=prior, bandwidth=0.4 * unit).fit(z * unit)
    # The unit is no power of two, and rounds each number; logarithms of it are of size 1000.
    assert_allclose(other.denoise(x * unit), one.denoise(x) * unit, rtol=1e-12)
    assert_allclose(other.score_function(x * unit), one.score_function(x) / unit, rtol=1e-12)
    assert_allclose(other.jacobian(x * unit), one.jacobian(x), rtol=0, atol=1e-13)
    assert_allclose(other.posterior_covariance(x * unit) / unit**2, one.posterior_covariance(x), rtol=0, atol=1e-13)
    assert_allclose(other.log_density(x * unit) + 3 * math.log(unit), one.log_density(x), rtol=0, atol=1e-11)


def test_little_noise_in_single_precision():
    """σ² = 1e-60 is no number of single precision; along the second feature there is no variance at all."""
    z = np.column_stack([np.arange(5.0), np.ones(5)]).astype(np.float32)
    for prior in ("empirical", "gaussian"):
        denoiser = EmpiricalDenoiser(1e-30, prior=prior).fit(z)
        answer = denoiser.denoise(z[2:3])
        assert answer.dtype == np.float32
        assert_allclose(answer, z[2:3], rtol=1e-6)  # a few roundings
        assert np.isfinite(denoiser.score_function(z[2:3])).all() and np.isfinite(denoiser.jacobian(z[2:3])).all()


@pytest.mark.parametrize("sigma", [0.3, 2.0])
def test_a_smoothed_prior_is_a_mixture_of_gaussians(sigma):
    z, x = cloud(1)
    h = 0.4
    denoiser = EmpiricalDenoiser(sigma, prior="kernel_density", bandwidth=h).fit(z)
    # Each training point stands for a Gaussian, whose posterior is one again.
    share = np.exp(-((x[:, None] - z) ** 2).sum(-1) / 2 / (h**2 + sigma**2))
    share /= share.sum(1, keepdims=True)
    centres = (h**2 * x[:, None] + sigma**2 * z) / (h**2 + sigma**2)
    mean = (share[..., None] * centres).sum(1)
    around = centres - mean[:, None]
    spread = np.einsum("qn,qni,qnj->qij", share, around, around) + np.eye(3) * h**2 * sigma**2 / (h**2 + sigma**2)
    assert_allclose(denoiser.denoise(x), mean, rtol=0, atol=1e-13)  # sums of 30 terms
    assert_allclose(denoiser.posterior_covariance(x), spread, rtol=0, atol=1e-13)
    theirs = KernelDensity(bandwidth=math.hypot(h, sigma), leaf_size=30).fit(z).score_samples(x)
    assert_allclose(denoiser.log_density(x), theirs, rtol=1e-12)


@pytest.mark.parametrize("n", [30, 2])
def test_a_gaussian_prior_is_wieners_filter(n):
    z, x = cloud(2, n=n)
    sigma, mean = 0.6, z.mean(0)
    prior = np.cov(z.T, bias=True)
    noisy = prior + sigma**2 * np.eye(3)
    denoiser = EmpiricalDenoiser(sigma, prior="gaussian").fit(z)
    gain = prior @ np.linalg.inv(noisy)
    # A decomposition against an inverse of a matrix of condition 30.
    assert_allclose(denoiser.denoise(x), mean + (x - mean) @ gain.T, rtol=0, atol=1e-13)
    assert_allclose(denoiser.posterior_covariance(x), np.tile(prior - gain @ prior, (len(x), 1, 1)), rtol=0, atol=1e-13)
    assert_allclose(denoiser.log_density(x), stats.multivariate_normal(mean, noisy).logpdf(x), rtol=1e-12)
    assert_allclose(denoiser.score_function(x), -(x - mean) @ np.linalg.inv(noisy), rtol=0, atol=1e-12)
    mine = denoiser.posterior_covariance(x)
    mine[0] = 0.0  # each matrix is the caller's own, though all are the same
    assert_array_equal(mine[1:], denoiser.posterior_covariance(x)[1:])


@pytest.mark.parametrize("prior", ["empirical", "kernel_density", "gaussian"])
def test_the_level_of_a_call_stands_for_the_estimators(prior):
    z, x = cloud(4)
    one, other = (EmpiricalDenoiser(sigma, prior=prior, bandwidth=0.4).fit(z) for sigma in (5.0, 0.8))
    for name in ("denoise", "score_function", "log_density", "posterior_covariance", "jacobian"):
        assert_array_equal(getattr(one, name)(x, 0.8), getattr(other, name)(x))


@pytest.mark.parametrize("exponent", [-997, -664, 664, 997])  # about 1e-300, 1e-200, 1e200 and 1e300
@pytest.mark.parametrize("noise, prior", [("gaussian", "empirical"), ("gaussian", "kernel_density"),
                                          ("gaussian", "gaussian"), ("laplace", "empirical"), ("uniform", "empirical")])
def test_no_unit_is_too_large_or_too_small(noise, prior, exponent):
    z, _ = cloud(5, n=2)  # fewer points than features, so that a Gaussian prior leaves directions out
    x = z[[0, 1, 0]] + np.random.default_rng(5).uniform(-1, 1, (3, 3))
    unit = 2.0**exponent
    one, far = (EmpiricalDenoiser(0.8 * scale, noise=noise, prior=prior, bandwidth=0.4 * scale).fit(z * scale)
                for scale in (1.0, unit))
    # LAPACK brings far matrices to a unit of its own, and logarithms of 2000 are rounded by 2e-13.
    assert_allclose(far.denoise(x * unit) / unit, one.denoise(x), rtol=0, atol=1e-13)
    assert_allclose(far.log_density(x * unit), one.log_density(x) - 3 * exponent * math.log(2), rtol=1e-13)
    if noise == "gaussian":
        assert_allclose(far.score_function(x * unit) * unit, one.score_function(x), rtol=0, atol=1e-13)
        assert_allclose(far.jacobian(x * unit), one.jacobian(x), rtol=0, atol=1e-13)
    message = ("posterior_covariance squares the data's units, so the largest number in the training points must be "
               f"from 1.5e-154 to 3.4e+153, got {abs(z).max() * unit:.2g}")
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        far.posterior_covariance(x * unit)


@pytest.mark.parametrize("size", [1e-153, 1e153])
@pytest.mark.parametrize("prior", ["empirical", "kernel_density", "gaussian"])
def test_covariances_are_in_squared_units(prior, size):
    z, x = cloud(6)
    z, x = z / abs(z).max(), x / abs(z).max()
    one, far = (EmpiricalDenoiser(0.3 * scale, prior=prior, bandwidth=0.2 * scale).fit(z * scale)
                for scale in (1.0, size))
    # Coordinates that are multiplied by no power of two are rounded; squares of 1e-153 have sixteen digits still.
    assert_allclose(far.posterior_covariance(x * size) / size / size, one.posterior_covariance(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [0.0, 1e-200])
def test_what_is_left_to_know_of_points_that_nearly_coincide(size):
    z = [[size, 0.0], [0.0, size], [0.0, 0.0]]
    smooth = EmpiricalDenoiser(1.0, prior="kernel_density", bandwidth=1.0).fit(z)
    assert_allclose(smooth.posterior_covariance([[3.0, 4.0]]), [np.eye(2) / 2], rtol=1e-15)  # h² σ²/(h² + σ²)
    for prior in ("empirical", "gaussian"):
        denoiser = EmpiricalDenoiser(1.0, prior=prior).fit(z)
        assert_array_equal(denoiser.denoise([[3.0, 4.0]]).round(15), [[0.0, 0.0]])
        if size == 0:
            assert_array_equal(denoiser.posterior_covariance([[3.0, 4.0]]), np.zeros((1, 2, 2)))


@pytest.mark.parametrize("prior", ["empirical", "kernel_density", "gaussian"])
@pytest.mark.parametrize("seed", range(3))
def test_tweedie_and_the_jacobian_by_differences(prior, seed):
    z, x = cloud(seed)
    denoiser = EmpiricalDenoiser(0.8, prior=prior, bandwidth=0.3).fit(z)
    step = 1e-5
    slope = [(denoiser.log_density(x + step * e) - denoiser.log_density(x - step * e)) / (2 * step) for e in np.eye(3)]
    bend = [(denoiser.denoise(x + step * e) - denoiser.denoise(x - step * e)) / (2 * step) for e in np.eye(3)]
    # Differences of step 1e-5: rounding of 1e-15/1e-5, and squares of the step times third derivatives below 10.
    assert_allclose(denoiser.score_function(x), np.stack(slope, -1), rtol=0, atol=1e-8)
    assert_allclose(denoiser.score_function(x), (denoiser.denoise(x) - x) / 0.8**2, rtol=0, atol=1e-13)
    assert_allclose(denoiser.jacobian(x), np.stack(bend, -1), rtol=0, atol=1e-8)


def test_the_score_is_scikit_learns_mixtures():
    z, x = cloud(3)
    mixture = GaussianMixture(len(z), covariance_type="spherical")
    mixture.means_, mixture.covariances_ = z, np.full(len(z), 0.5**2)
    mixture.weights_, mixture.precisions_cholesky_ = np.full(len(z), 1 / len(z)), np.full(len(z), 1 / 0.5)
    denoiser = EmpiricalDenoiser(0.5).fit(z)
    assert_allclose(denoiser.log_density(x), mixture.score_samples(x), rtol=1e-12)
    assert_allclose(denoiser.denoise(x), mixture.predict_proba(x) @ z, rtol=0, atol=1e-13)


@pytest.mark.parametrize("prior", ["empirical", "kernel_density", "gaussian"])
def test_float32_stays_and_agrees_with_float64(prior):
    z = load_digits().data[:300] / 16
    x = z[:20] + 0.5 * np.random.default_rng(0).normal(size=(20, 64))
    double = EmpiricalDenoiser(0.5, prior=prior, bandwidth=0.2).fit(z)
    single = EmpiricalDenoiser(0.5, prior=prior, bandwidth=0.2).fit(z.astype("f4"))
    for name in ("denoise", "score_function", "posterior_covariance"):
        found = getattr(single, name)(x.astype("f4"))
        assert found.dtype == np.float32
        # Coordinates of size one in single precision, divided by σ² for the score.
        assert_allclose(found, getattr(double, name)(x), rtol=0, atol=3e-6)
    unit = np.float32(2.0**100)  # whose square is none in single precision
    far = EmpiricalDenoiser(0.5 * float(unit), prior=prior, bandwidth=0.2 * float(unit)).fit(z.astype("f4") * unit)
    assert_allclose(far.denoise(x.astype("f4") * unit) / unit, double.denoise(x), rtol=0, atol=3e-6)
    assert_allclose(far.jacobian(x.astype("f4") * unit), double.jacobian(x), rtol=0, atol=3e-6)


def test_float32_counts_agree_with_float64():
    rng = np.random.default_rng(2)
    z = rng.gamma(2.0, 2.0, (30, 2)).astype("f4")
    z[3] = 0.0  # an intensity of zero has no logarithm
    count = rng.poisson(z[:8]).astype("f4")
    double, single = (EmpiricalDenoiser(noise="poisson").fit(z.astype(kind)) for kind in ("f8", "f4"))
    found = single.denoise(count)
    assert found.dtype == np.float32
    # Logarithms of weights of size 30 in single precision, which the posterior mean of size 10 has with it.
    assert_allclose(found, double.denoise(count), rtol=0, atol=3e-5)


def test_one_point_duplicates_and_constant_features():
    only = EmpiricalDenoiser(0.1).fit([[1.0, 2.0]])
    assert_array_equal(only.denoise([[50.0, -3.0]]), [[1.0, 2.0]])
    assert_array_equal(only.posterior_covariance([[50.0, -3.0]]), np.zeros((1, 2, 2)))
    twice = EmpiricalDenoiser(1.0).fit([[0.0], [0.0], [3.0]])
    weights = np.array([2.0, math.exp(-4.5 + 3.0)])  # x = 1
    assert_allclose(twice.denoise([[1.0]]), [[3 * weights[1] / weights.sum()]], rtol=1e-14)
    flat = EmpiricalDenoiser(1.0, prior="gaussian").fit([[1.0, 5.0], [3.0, 5.0]])
    assert_allclose(flat.denoise([[3.0, 9.0]]), [[2.5, 5.0]], rtol=1e-14)  # variance one against noise one
    assert_allclose(flat.jacobian([[3.0, 9.0]]), [[[0.5, 0], [0, 0]]], atol=1e-15)


def test_far_from_all_data_the_nearest_training_point_remains():
    denoiser = EmpiricalDenoiser(1e-3).fit([[0.0], [1.0]])
    # The farther point's share is exp(−10⁴).
    assert_allclose(denoiser.denoise([[0.49], [0.51], [1e6]]), [[0.0], [1.0], [1.0]], rtol=0, atol=1e-200)


def test_uniform_noise_that_can_lead_nowhere():
    z = [[0.0], [1.0]]
    assert_array_equal(EmpiricalDenoiser(0.1, noise="uniform").fit(z).denoise([[7.0]]), [[1.0]])
    assert np.isnan(EmpiricalDenoiser(0.1, noise="uniform", empty="nan").fit(z).denoise([[7.0]])).all()
    assert np.isnan(EmpiricalDenoiser(0.1, noise="uniform", empty="nan").fit(z).posterior_covariance([[7.0]])).all()
    assert_array_equal(EmpiricalDenoiser(0.1, noise="uniform").fit(z).log_density([[7.0]]), [-math.inf])
    edge = math.sqrt(3)  # the farthest that noise of σ = 1 leads, and which still belongs to it
    assert_allclose(EmpiricalDenoiser(noise="uniform").fit([[0.0]]).log_density([[edge]]), -math.log(2 * edge),
                    rtol=1e-15)
    with pytest.raises(ValueError, match=r"^query 0 has no key in reach of the kernel: widen the kernel, or choose "
                                         r'empty="nearest", "mean" or "nan"$'):
        EmpiricalDenoiser(0.1, noise="uniform", empty="raise").fit(z).denoise([[7.0]])


@pytest.mark.parametrize("noise", ["laplace", "uniform"])
def test_kernels_of_noise_can_leave_each_point_out_of_its_own_mean(noise):
    z, _ = cloud(7)
    kernel = kernel_of(noise, 1.0)
    assert_array_equal(kernel.hollow()(z), np.where(np.eye(len(z), dtype=bool), 0.0, kernel(z)))


@pytest.mark.parametrize("noise", ["laplace", "uniform"])
def test_noise_in_thousands_of_features(noise):
    rng = np.random.default_rng(0)
    z = rng.integers(0, 2, size=(20, 3000)).astype(float)
    x = z[:3] + rng.uniform(-0.4, 0.4, size=(3, 3000))
    # Another point is off by one in half of the features: its weight is e⁻¹⁰⁰⁰ or nothing.
    assert_allclose(EmpiricalDenoiser(0.3, noise=noise).fit(z).denoise(x), z[:3], rtol=0, atol=1e-200)


def test_threads_with_different_levels_do_not_disturb_each_other():
    z, _ = cloud(0, n=2000, d=2)
    denoiser, levels = EmpiricalDenoiser().fit(z), np.geomspace(0.01, 2, 40)
    alone = [denoiser.denoise(z[:50], sigma) for sigma in levels]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda sigma: denoiser.denoise(z[:50], sigma), levels))
    for one, other in zip(alone, together, strict=True):
        assert_array_equal(one, other)
    assert_array_equal(pickle.loads(pickle.dumps(denoiser)).denoise(z[:50]), denoiser.denoise(z[:50]))


WRONG = [
    ({"sigma": 0.0}, "sigma must be positive and finite, got 0.0"),
    ({"sigma": math.inf}, "sigma must be positive and finite, got inf"),
    ({"bandwidth": -1}, "bandwidth must be positive and finite, got -1"),
    ({"prior": "flat"}, "prior must be one of 'empirical', 'kernel_density', 'gaussian', got 'flat'"),
    ({"noise": "salt"}, "noise must be one of 'gaussian', 'laplace', 'uniform', 'poisson', got 'salt'"),
    ({"empty": "zero"}, "empty must be one of 'nearest', 'nan', 'mean', 'raise', got 'zero'"),
    ({"noise": "laplace", "prior": "gaussian"},
     "noise='laplace' goes with prior='empirical' alone, got prior='gaussian'"),
    ({"noise": "uniform", "prior": "kernel_density"},
     "noise='uniform' goes with prior='empirical' alone, got prior='kernel_density'"),
]


@pytest.mark.parametrize(("parameters", "message"), WRONG)
def test_parameters_are_checked(parameters, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        EmpiricalDenoiser(**parameters).fit([[0.0], [1.0]])


def test_what_is_asked_is_checked():
    denoiser = EmpiricalDenoiser(noise="laplace").fit([[0.0], [1.0]])
    with pytest.raises(TypeError, match=r"^sigma must be a positive number, got 'much'$"):
        denoiser.denoise([[0.0]], "much")
    for method in ("score_function", "jacobian"):
        with pytest.raises(ValueError, match=rf"^{method} rests on Tweedie's formula, which holds for Gaussian noise "
                                             r"alone, got noise='laplace'$"):
            getattr(denoiser, method)([[0.0]])
    with pytest.raises(ValueError, match=r"^Negative values in data: under Poisson noise X must be intensities or "
                                         r"counts of at least 0, got 2 below$"):
        EmpiricalDenoiser(noise="poisson").fit([[-1.0], [1.0], [-2.0]])
    with pytest.raises(ValueError, match=r"^Negative values in data: .* got 1 below$"):
        EmpiricalDenoiser(noise="poisson").fit([[1.0]]).denoise([[-1.0]])
    for sigma in (1e-200, 1e200):
        with pytest.raises(ValueError, match=r"^sigma must be from 1e-150 to 1e\+150 under Poisson noise, which its "
                                             rf"square counts, got {re.escape(repr(sigma))}$"):
            EmpiricalDenoiser(noise="poisson").fit([[1.0]]).denoise([[1.0]], sigma)
    with pytest.raises(ValueError, match="X has 2 features, but EmpiricalDenoiser is expecting 1 features as input"):
        denoiser.denoise([[0.0, 1.0]])


@parametrize_with_checks([EmpiricalDenoiser(), EmpiricalDenoiser(prior="kernel_density"),
                          EmpiricalDenoiser(prior="gaussian"), EmpiricalDenoiser(noise="poisson")])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


# The losses


@pytest.mark.parametrize("unit", [2.0**-1074, 2.0**-600, 2.0**1022])
def test_the_unit_of_the_weights_does_not_matter(unit):
    points, clean = [[1.0], [3.0], [5.0]], [[0.0], [0.0], [0.0]]
    assert denoising_risk(points, clean, weights=unit * np.array([1.0, 2.0, 1.0])) == (1 + 18 + 25) / 4


def test_losses_of_tensors_and_of_arrays_together():
    assert denoising_risk(torch.tensor([[1.0], [3.0]]), np.zeros((2, 1)), weights=torch.tensor([1.0, 3.0])) == 7.0


def quadrature(z, sigma, nodes=60):
    """Return clean and noisy points of one feature and their weights, by Gauss–Hermite."""
    place, weight = np.polynomial.hermite_e.hermegauss(nodes)
    clean = np.repeat(z, nodes)[:, None]
    return clean, clean + sigma * np.tile(place, len(z))[:, None], np.tile(weight, len(z))


def test_the_three_losses_differ_by_constants():
    z, sigma = np.array([-1.0, 0.2, 1.5]), 0.8
    clean, noisy, weights = quadrature(z, sigma)
    true = EmpiricalDenoiser(sigma).fit(z[:, None]).score_function(noisy)
    gaps = []
    for slope in (-0.5, 0.3, 2.0):
        score = np.sin(slope * noisy) - slope * noisy
        divergence = (slope * np.cos(slope * noisy) - slope)[:, 0]
        explicit = explicit_score_matching(score, true, weights=weights)
        gaps.append([denoising_score_matching(score, clean, noisy, sigma, weights=weights) - explicit,
                     implicit_score_matching(score, divergence, weights=weights) - explicit])
    # The quadrature of 60 nodes for functions that are entire.
    assert_allclose(gaps, np.tile(gaps[0], (3, 1)), rtol=0, atol=1e-9)
    assert abs(gaps[0][0] - gaps[0][1]) > 0.1  # d/2σ² apart: both are not the same loss


def test_the_losses_by_hand():
    one = dict(clean=[[0.0, 0.0], [1.0, 1.0]], noisy=[[1.0, 0.0], [1.0, 3.0]], sigma=2.0)
    score = [[0.0, 1.0], [1.0, 0.0]]
    # (x − z)/σ² is (1/4, 0) and (0, 1/2).
    assert denoising_score_matching(score, **one) == (1 / 16 + 1 + 1 + 1 / 4) / 4
    assert denoising_score_matching(score, **one, weights=[1, 0]) == (1 / 16 + 1) / 2
    # The score of noise of level 1e200 is of 1e-200: here it is right, and its loss nothing.
    assert denoising_score_matching([[-1e-200]], [[0.0]], [[1e200]], 1e200) == 0.0
    assert explicit_score_matching(score, [[0.0, 0.0], [0.0, 2.0]]) == (1 + 5) / 4
    assert implicit_score_matching(score, [3.0, -1.0]) == 0.5 + 1
    assert denoising_risk(score, [[0.0, 0.0], [0.0, 2.0]]) == (1 + 5) / 2


@pytest.mark.parametrize(("call", "message"), [
    (lambda: explicit_score_matching([1.0], [1.0]),
     "score must have shape (n_samples, n_features), neither zero, got shape (1,)"),
    (lambda: explicit_score_matching([[1.0]], [[1.0], [2.0]]),
     "target must have the shape of score, (1, 1), got shape (2, 1)"),
    (lambda: denoising_risk([[1.0]], [[math.nan]]),
     "clean must be finite, got 1 NaN or infinite value in an array of shape (1, 1)"),
    (lambda: denoising_risk([[1.0]], [[1.0]], weights=[-1.0]),
     "weights must be 1 numbers of at least 0, not all zero, got an array of shape (1,) with negative numbers"),
    (lambda: denoising_risk([[1.0]], [[1.0]], weights=[[1.0]]),
     "weights must be 1 numbers of at least 0, not all zero, got an array of shape (1, 1)"),
    (lambda: denoising_risk([[1.0]], [[1.0]], weights=[0.0]),
     "weights must be 1 numbers of at least 0, not all zero, got an array of shape (1,)"),
    (lambda: denoising_risk(np.ones((0, 2)), np.ones((0, 2))),
     "denoised must have shape (n_samples, n_features), neither zero, got shape (0, 2)"),
    (lambda: denoising_score_matching([[1.0], [1.0]], [[1.0], [1.0]], [[1.0]], 1.0),
     "noisy must have the shape of score, (2, 1), got shape (1, 1)"),
    (lambda: implicit_score_matching([[1.0]], [[1.0]]),
     "divergence must have shape (1,), one number a point, got shape (1, 1)"),
    (lambda: denoising_score_matching([[1.0]], [[1.0]], [[1.0]], 0.0), "sigma must be positive and finite, got 0.0"),
])
def test_the_losses_check_what_comes_in(call, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call()

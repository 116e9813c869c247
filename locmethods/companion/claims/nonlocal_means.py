"""What the page on non-local models checks."""

import warnings

import numpy as np
from scipy.ndimage import convolve1d, uniform_filter
from scipy.optimize import brentq

import locmethods as lm
from locmethods.companion import at_least, at_most, claim, datasets, order, same
from locmethods.companion.expected import pictures as expected
from locmethods.kernels import Exponential, Flat, Gaussian
from locmethods.nonlocal_means import balanced_nonlocal_means, bilateral, nonlocal_means, synthesize

EXCEPTED = ("cell", "moon", "retina")  # their middles are so flat that either filter leaves hardly any error
ROUNDING = "rounding of sums of some hundred terms"


@claim("M1", kind=("limit", "order"), sources=("tomasi1998", "yaroslavsky1985"))
def the_bilateral_filter_has_two_limits(seed=0):
    r"""The bilateral filter tends to a spatial Gaussian mean as $h_r \to \infty$, with an error of order $h_r^{-2}$,
    and as $h_s \to \infty$ to a filter of grey levels, which knows the histogram alone and not where anything
    stands."""
    noisy = crop(seed, 20)
    place = blurred(noisy, 2.0, 6)
    blind = bilateral(noisy, sigma_color=1e7, sigma_spatial=2.0, win_size=13)
    yield same("place alone", blind, place, within=1e-12, because="a range of 1e7 changes weights by 1e-14",
               broken=bilateral(noisy, sigma_color=1.0, sigma_spatial=2.0, win_size=13),
               how="a range as wide as the picture's own")
    widths = np.array([2.0, 4.0, 8.0, 16.0])
    gaps = [np.abs(bilateral(noisy, sigma_color=width, sigma_spatial=2.0, win_size=13) - place).max()
            for width in widths]
    laplace = [np.abs(bilateral(noisy, kernel=lm.kernels.Laplace(width), sigma_spatial=2.0, win_size=13) - place).max()
               for width in widths]
    yield order("its rate", widths, gaps, -2, within=0.05, because="the next term is of order h⁻⁴",
                broken=laplace, how="a kernel of grey levels with a cusp, whose error is of order 1/h")
    levels = np.round(noisy * 15) / 15
    histogram = of_levels(levels, 0.1)
    everywhere = bilateral(levels, sigma_color=0.1, sigma_spatial=1e8, win_size=39)
    yield same("grey levels alone", everywhere, histogram, within=1e-12, because=ROUNDING,
               broken=bilateral(levels, sigma_color=0.1, sigma_spatial=5.0, win_size=39),
               how="a place that still counts")
    shuffle = np.random.default_rng(seed).permutation(noisy.size)
    scrambled = noisy.ravel()[shuffle].reshape(noisy.shape)

    def filtered(picture, width):
        return bilateral(picture, sigma_color=0.1, sigma_spatial=width, win_size=39).ravel()

    yield same("scrambled pixels", filtered(scrambled, 1e8), filtered(noisy, 1e8)[shuffle], within=1e-12,
               because=ROUNDING, broken=(filtered(scrambled, 5.0), filtered(noisy, 5.0)[shuffle]),
               how="a place that still counts")


@claim("M2", kind=("identity", "counter-example"), sources=("weijer2001", "barash2002"))
def the_bilateral_filter_is_half_a_step(seed=0):
    """The bilateral filter's output is the colour part of the first mean-shift step in the joint domain of place and
    colour, whose other part, the place, moves as well, so that the second step is another."""
    noisy = crop(seed, 14)
    joint = np.column_stack([expected.places(noisy.shape) / 3.0, noisy.ravel() / 0.1])
    step = lm.local_mean(joint, joint, kernel=Gaussian(1.0))
    matrix = expected.bilateral_matrix(noisy, 0.1, 3.0)
    written = expected.averaged(matrix, noisy)
    filtered = bilateral(noisy, sigma_color=0.1, sigma_spatial=3.0, win_size=27)
    yield same("the colour", 0.1 * step[:, 2], written.ravel(), within=1e-12, because=ROUNDING,
               broken=0.1 * lm.local_mean(joint, joint, kernel=Gaussian(1.1))[:, 2], how="a wider kernel")
    yield same("the filter", filtered, written, within=1e-12, because=ROUNDING,
               broken=bilateral(noisy, sigma_color=0.1, sigma_spatial=3.0, win_size=5),
               how="a window that ends before the kernel does")
    moved = np.linalg.norm(3.0 * (step - joint)[:, :2], axis=1).reshape(noisy.shape)
    flat = joint * [1, 1, 0]
    still = np.linalg.norm(3.0 * (lm.local_mean(flat, flat, kernel=Gaussian(0.2)) - flat)[:, :2], axis=1)
    yield at_least("the place moves", moved.max(), 0.5, because="half a pixel is no rounding",
                   broken=still.reshape(noisy.shape)[5:-5, 5:-5].max(),
                   how="a flat picture, away from its border")
    second = lm.local_mean(step, joint, kernel=Gaussian(1.0))
    twice = bilateral(filtered, sigma_color=0.1, sigma_spatial=3.0, win_size=27)
    yield at_least("a second pass of the filter", np.abs(0.1 * second[:, 2] - twice.ravel()).max(), 1e-3,
                   because="a grey level out of a thousand is no rounding",
                   broken=np.abs(0.1 * step[:, 2] - filtered.ravel()).max(), how="the first step in its place")


@claim("M3", kind=("order", "counter-example"), sources=("buades2006",))
def the_flow_changes_its_sign(seed=0):
    r"""Where $|u'|\rho \ll h$ the neighbourhood filter with window $\rho$ smooths, $(\mathrm{NF}\,u - u)/\rho^2 \to
    u''/6$, and where $|u'|\rho \gg h$ it does the opposite, $(\mathrm{NF}\,u - u)/h^2 \to -u''/u'^2$."""
    shift = np.random.default_rng(seed).uniform(0.3, 1.2)
    windows = np.array([0.1, 0.2, 0.4])
    gentle = [flow_of(shift, window, 1e3) - 1 / 6 for window in windows]
    sharp = [flow_of(shift, window, window) - 1 / 6 for window in windows]
    yield order("gentle slopes", windows, gentle, 2, within=0.05, because="the next term is of order ρ⁴",
                broken=sharp, how="a range that shrinks with the window, so that slopes stay steep")
    steepness = np.array([0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0])
    found = np.array([flow_of(shift, 0.02, 0.02 * abs(np.cos(shift)) / s) for s in steepness])
    yield same("all slopes", found, expected.flow(steepness), within=2e-3,
               because="curvature of higher order over a window of 0.02, and a grid of a five-hundredth of it",
               broken=np.full(7, 1 / 6), how="the formula of gentle slopes everywhere")
    steep = flow_of(shift, 0.5, 0.01) * (0.5 / 0.01) ** 2 * np.cos(shift) ** 2
    yield same("steep slopes", steep, -1.0, within=0.05, because="the next term is of order h²",
               broken=-steep, how="the sign of gentle slopes")
    turn = brentq(lambda s: float(expected.flow(s)), 0.5, 4.0)
    yield same("where it turns", flow_of(shift, 0.02, 0.02 * abs(np.cos(shift)) / turn), 0.0, within=2e-3,
               because="as of all slopes", broken=flow_of(shift, 0.02, 0.04 * abs(np.cos(shift)) / turn),
               how="half of the steepness")


@claim("M4", kind=("identity", "monotone"), sources=("buades2005",))
def exact_repeats_divide_the_noise(seed=0):
    r"""In a pattern that repeats $R$ times, under independent noise of mean zero and variance $\sigma^2$, the mean over
    a pixel's exact repeats has the mean squared error $\sigma^2/R$; on a random pattern non-local means come near to
    it as patches grow, where a box filter destroys the pattern, and a texture that a narrow kernel makes from such a
    pattern repeats as it does."""
    rng = np.random.default_rng(seed)
    tile = rng.uniform(size=(12, 12))
    clean = np.tile(tile, (7, 7))
    noise = 0.1 * rng.normal(size=clean.shape)
    noisy, alone = clean + noise, rng.uniform(size=clean.shape)
    oracle = nonlocal_means(noisy, guide=clean, patch_size=1, patch_distance=84, h=1e-9, fast_mode=False)
    repeats = np.tile(noisy.reshape(7, 12, 7, 12).mean((0, 2)), (7, 7))
    yield same("the oracle", oracle, repeats, within=1e-12, because=ROUNDING,
               broken=uniform_filter(noisy, 7), how="49 neighbours in place of 49 repeats")
    yield same("its error", 49 / 0.01 * np.mean((oracle - clean) ** 2), 1.0, within=0.5,
               because="four standard errors of a mean of 144 squares are 0.47",
               broken=49 / 0.01 * np.mean(noise**2), how="no average")
    errors = np.array([of_patches(noisy, clean, size) for size in (1, 3, 7)])
    lonely = np.array([of_patches(alone + noise, alone, size) for size in (1, 3)])
    yield at_most("larger patches", np.diff(errors), 0, because="errors fall or they do not",
                  broken=np.diff(lonely), how="a picture in which nothing repeats")
    yield at_most("25 repeats in the window", 25 / 0.01 * errors[-1], 1.6,
                  because="four standard errors of a mean of 144 squares, and some weight on what is no repeat",
                  broken=25 / 0.01 * errors[0], how="patches of one pixel")
    box = np.mean((uniform_filter(noisy, 5) - clean) ** 2)
    yield at_most("beside a box", errors[-1], box / 10, because="a tenth is no accident", broken=box,
                  how="a box filter of 25 pixels")
    matrix = expected.nonlocal_matrix(noisy[:14, :15], np.full(3, 1 / 3), 5, 0.5)
    plain = nonlocal_means(noisy[:14, :15], patch_weights=np.full(3, 1 / 3), patch_distance=5,
                           kernel=Gaussian(0.5 / np.sqrt(2)), fast_mode=False)
    yield same("the definition", plain, expected.averaged(matrix, noisy[:14, :15]), within=1e-12, because=ROUNDING,
               broken=uniform_filter(noisy, 11)[:14, :15], how="a box filter in the same window")
    made = synthesize(clean, (40, 44), patch_size=14, overlap=6, h=1e-3, seed=seed)
    row, column = np.unravel_index(np.abs(tile - made[0, 0]).argmin(), tile.shape)
    goes_on = np.roll(np.tile(tile, (6, 6)), (-row, -column), (0, 1))[:40, :44]
    yield same("a texture", made, goes_on, within=1e-9, because="copies of one number, averaged",
               broken=synthesize(clean, (40, 44), patch_size=14, overlap=6, h=1.0, seed=seed),
               how="a bandwidth as wide as the example's own contrast")


@claim("M5", kind="identity", sources=("wang2018", "vaswani2017"))
def a_nonlocal_block_is_attention(seed=0):
    r"""The embedded-Gaussian non-local operation of a neural network is softmax attention without a scale: the local
    mean of the values $g(x_j)$ under the kernel $e^{\theta(x_i)\cdot\phi(x_j)}$, with all positions as queries and as
    keys."""
    import torch

    rng = np.random.default_rng(seed)
    features, maps = rng.normal(size=(6, 5, 7)), rng.normal(size=(3, 4, 6)) / 2
    theta, phi, g = maps
    x = features.reshape(6, -1).T
    ours = lm.local_mean(x @ theta.T, x @ phi.T, x @ g.T, kernel=Exponential(temperature=1.0))
    batch = torch.as_tensor(features)[None]
    query, key, value = (torch.nn.functional.conv2d(batch, torch.as_tensor(one)[:, :, None, None]).flatten(2)
                         for one in maps)

    def block(scale):
        weights = torch.softmax(query.mT @ key / scale, dim=-1)
        return (weights @ value.mT)[0]

    yield same("the block", ours, block(1.0), within=1e-12, because=ROUNDING,
               broken=block(2.0), how="the Transformer's scale, the root of four channels")


@claim("M6", kind=("inequality", "counter-example"), sources=("milanfar2013",))
def the_affinity_is_positive_definite(seed=0):
    """The bilateral affinity, a product of Gaussians, is positive definite, so that the filter's spectrum lies in the
    interval from 0 to 1; if the window ends before the kernel does, it need not."""
    noisy = crop(seed, 9)
    whole, cut = (as_matrix(noisy, win_size) for win_size in (17, 3))
    matrix = expected.bilateral_matrix(noisy, 0.2, 4.0)
    yield same("the matrix", whole, matrix / matrix.sum(1, keepdims=True), within=1e-12, because=ROUNDING,
               broken=cut, how="a window of three pixels")
    low, high = (np.sort(np.linalg.eigvals(one).real)[[0, -1]] for one in (whole, cut))
    yield at_least("the least eigenvalue", low[0], 0, within=1e-12, because="rounding of eigenvalues",
                   broken=high[0], how="a window of three pixels")
    yield same("the greatest", low[1], 1.0, within=1e-12, because="rounding of eigenvalues",
               broken=np.linalg.eigvalsh(matrix)[-1], how="an affinity that is not divided by its sums")


@claim("M7", kind=("inequality", "counter-example"), sources=("milanfar2013b",))
def symmetry_helps_where_noise_does_not_choose(seed=0):
    r"""At noise $\sigma = 0.1$ four of Sinkhorn's scalings lower the error of non-local means on the middle of each
    photograph that ships with scikit-image, `cell`, `moon` and `retina` excepted, if patches are compared in a first
    estimate and $h = \sigma$, and raise it on each of them if patches are compared in the noise and $h = 0.6\sigma$."""
    pilot, noise = [], []
    for name in datasets.PHOTOGRAPHS:
        if name in EXCEPTED:
            continue
        photograph = datasets.shipped(name, 64, 2)
        noisy = photograph + 0.1 * np.random.default_rng(seed).normal(size=photograph.shape)
        first = nonlocal_means(noisy, patch_distance=7, h=0.08, sigma=0.1)
        pilot.append(gain_of_symmetry(noisy, photograph, h=0.1, guide=first))
        noise.append(gain_of_symmetry(noisy[8:-8, 8:-8], photograph[8:-8, 8:-8], h=0.06, sigma=0.1))
    yield at_least("a first estimate's patches", pilot, 0, because="errors fall or they do not",
                   broken=noise, how="patches compared in the noise, in a narrow kernel")
    yield at_most("the noise's own patches", noise, 0, because="errors rise or they do not",
                  broken=pilot, how="patches compared in a first estimate")
    small = crop(seed, 12)
    options = {"patch_size": 3, "patch_distance": 4, "kernel": Gaussian(0.2 / np.sqrt(2))}
    found = balanced_nonlocal_means(small, tol=1e-9, max_iter=1000, **options)
    matrix = expected.nonlocal_matrix(small, expected.gaussian_weights(3), 4, 0.2)
    yield same("Sinkhorn's average", found.picture, (expected.balanced(matrix) @ small.ravel()).reshape(small.shape),
               within=1e-8, because="ten times the tolerance of the scaling",
               broken=expected.averaged(matrix, small), how="division by row sums alone")
    before = nonlocal_means(small, fast_mode=False, **options)
    yield same("the average before", before, expected.averaged(matrix, small), within=1e-12, because=ROUNDING,
               broken=found.picture, how="Sinkhorn's scaling")


def crop(seed, side):
    """Return the middle of a photograph, with noise."""
    photograph = datasets.shipped("camera", side, 4)
    return photograph + 0.05 * np.random.default_rng(seed).normal(size=photograph.shape)


def blurred(picture, sigma, reach):
    """Return the Gaussian mean over a window that ends at the border, by convolutions of rows and columns."""
    weight = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)

    def filtered(values):
        return convolve1d(convolve1d(values, weight, axis=0, mode="constant"), weight, axis=1, mode="constant")

    return filtered(picture) / filtered(np.ones_like(picture))


def of_levels(picture, width):
    """Return the mean over the histogram's levels, weighted by a Gaussian of the level, at each pixel's level."""
    levels, place, count = np.unique(picture, return_inverse=True, return_counts=True)
    weight = np.exp(-0.5 * ((levels[:, None] - levels) / width) ** 2) * count
    return (weight @ levels / weight.sum(1))[place].reshape(picture.shape)


def flow_of(at, window, width):
    """Return (NF u − u)/(ρ² u″) at a place of u = sin x, from a grid of a thousand places in the window."""
    spacing = window / 500.5  # half a step beyond the last place, where the window ends
    u = np.sin(at + spacing * np.arange(-600, 601))
    mean = bilateral(u[None], kernel=Gaussian(width), spatial=Flat(500.0), win_size=1201)[0, 600]
    return (mean - u[600]) / (window**2 * -u[600])


def of_patches(noisy, clean, size):
    """Return the error of non-local means with square patches of a size, where the window meets no border."""
    found = nonlocal_means(noisy, patch_weights=np.full(size, 1 / size), patch_distance=24, h=0.09, sigma=0.1,
                           fast_mode=False)
    return np.mean((found - clean)[28:56, 28:56] ** 2)


def as_matrix(picture, win_size):
    """Return the matrix of the bilateral filter, from what it makes of each pixel alone while the picture guides it."""
    single = np.eye(picture.size).reshape(-1, *picture.shape)
    columns = bilateral(single, np.broadcast_to(picture[..., None], (*picture.shape, 1)), sigma_color=0.2,
                        sigma_spatial=4.0, win_size=win_size, channel_axis=0)
    return columns.reshape(picture.size, -1).T


def gain_of_symmetry(noisy, clean, **options):
    """Return by how many decibels four of Sinkhorn's scalings lower the error of non-local means."""
    plain = nonlocal_means(noisy, patch_distance=7, fast_mode=False, **options)
    with warnings.catch_warnings(action="ignore"):  # of rows that are not yet balanced to a thousandth
        even = balanced_nonlocal_means(noisy, patch_distance=7, max_iter=4, **options).picture
    return 10 * np.log10(np.mean((plain - clean) ** 2) / np.mean((even - clean) ** 2))

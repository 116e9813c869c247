"""Non-local means, the bilateral filter and what belongs to them, against loops over pixels and scikit-image."""

import itertools
import math
import struct
import warnings

import numpy as np
import pytest
from skimage import data, img_as_float
from skimage.metrics import structural_similarity
from skimage.restoration import denoise_nl_means
from sklearn.exceptions import ConvergenceWarning

import locmethods as lm
from locmethods.companion import datasets
from locmethods.companion.expected import pictures as expected
from locmethods.kernels import (
    Cauchy,
    Epanechnikov,
    Exponential,
    Flat,
    Gaussian,
    Laplace,
    Linear,
    NearestNeighbors,
    Radial,
)
from locmethods.models import pictures
from locmethods.nonlocal_means import (
    balanced_nonlocal_means,
    bilateral,
    estimate_noise,
    nonlocal_means,
    synthesize,
)

ROUNDING = 1e-12  # sums of some hundred terms of order one, in float64
BOX = np.full(3, 1 / 3)


def profile_of(side, fast_mode):
    """Return scikit-image's weights of a patch's pixels along an axis."""
    if fast_mode:
        return np.r_[0.0, np.full(side - 1, 1 / side)]
    weight = np.exp(-((np.arange(side) - side // 2) ** 2) / (2 * ((side - 1) / 4) ** 2))
    return weight / weight.sum()


def by_loop(picture, weight, search, *, profile, sigma=0.0, mirrored=False, place=None, guide=None, own=True):
    """Return non-local means by the definition: a loop over pixels, and over the window of each.

    `weight` maps a squared distance of patches, and `place` a squared distance in pixels, to a weight. The last axis
    of picture and guide has channels.
    """
    guide = picture if guide is None else guide
    shape, half, margin = picture.shape[:-1], len(profile) // 2, search if mirrored else 0
    border = [(half + margin,) * 2] * len(shape) + [(0, 0)]
    around = np.pad(guide, border, mode="reflect")
    values = np.pad(picture, [(margin, margin)] * len(shape) + [(0, 0)], mode="reflect")
    product = profile
    for _ in shape[1:]:
        product = np.multiply.outer(product, profile)
    out = np.empty_like(picture)
    for pixel in np.ndindex(shape):
        ranges = [range(max(p - search, -margin), min(p + search, n - 1 + margin) + 1)
                  for p, n in zip(pixel, shape, strict=True)]
        total, numerator = 0.0, np.zeros(picture.shape[-1])
        for other in itertools.product(*ranges):
            if other == pixel and not own:
                continue
            a, b = (around[tuple(slice(i + margin, i + margin + len(profile)) for i in at)] for at in (pixel, other))
            square = (product[..., None] * (a - b) ** 2).sum() / guide.shape[-1] - 2 * sigma**2 * product.sum()
            k = weight(max(square, 0.0))
            if place is not None:
                k *= place(sum((p - q) ** 2 for p, q in zip(pixel, other, strict=True)))
            total += k
            numerator += k * values[tuple(i + margin for i in other)]
        out[pixel] = numerator / total
    return out


def cut(h):
    """Return scikit-image's weight of a squared distance, without the rounding of its exponential."""
    def weight(square):
        z = -square / h**2 / math.log(2) - 60801 / 2**20
        return 2.0 ** math.floor(z) * (1 + z - math.floor(z)) if square <= 5 * h**2 else 0.0
    return weight


def schraudolph(y):
    """Return scikit-image's exponential: the exponent's bits, linear between powers of two [schraudolph1999]_."""
    return struct.unpack("<d", struct.pack("<ii", 0, int(1512775.3951951856938 * y) + 1072632447))[0]


def picture_of(seed, shape=(13, 16), channels=1):
    rng = np.random.default_rng(seed)
    steps = np.indices(shape).sum(0)[..., None] // 5 % 2 * 0.5
    return steps + 0.1 * rng.normal(size=(*shape, channels))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("fast_mode", [True, False])
@pytest.mark.one_in(3)
def test_a_grey_picture_is_denoised_by_the_definition(seed, fast_mode):
    u = picture_of(seed)
    found = nonlocal_means(u[..., 0], patch_size=5, patch_distance=3, h=0.1, sigma=0.06, fast_mode=fast_mode)
    loop = by_loop(u, cut(0.1), 3, profile=profile_of(5, fast_mode), sigma=0.06, mirrored=fast_mode)
    np.testing.assert_allclose(found, loop[..., 0], atol=ROUNDING)


@pytest.mark.parametrize("fast_mode", [True, False])
@pytest.mark.one_in(2)
def test_colours_and_volumes_are_denoised_by_the_definition(fast_mode):
    u = picture_of(0, (9, 11), 3)
    loop = by_loop(u, cut(0.15), 2, profile=profile_of(3, fast_mode), sigma=0.05, mirrored=fast_mode)
    options = {"patch_size": 3, "patch_distance": 2, "h": 0.15, "sigma": 0.05, "fast_mode": fast_mode}
    np.testing.assert_allclose(nonlocal_means(u, channel_axis=-1, **options), loop, atol=ROUNDING)
    first = nonlocal_means(np.moveaxis(u, -1, 0), channel_axis=0, **options)
    np.testing.assert_array_equal(first, np.moveaxis(nonlocal_means(u, channel_axis=2, **options), -1, 0))
    v = picture_of(1, (5, 6, 7))
    loop = by_loop(v, cut(0.15), 2, profile=profile_of(3, fast_mode), sigma=0.05, mirrored=fast_mode)
    np.testing.assert_allclose(nonlocal_means(v[..., 0], **options), loop[..., 0], atol=ROUNDING)


@pytest.mark.parametrize("shape, channels", [((13, 16), 1), ((9, 11), 3), ((5, 6, 7), 1)])
@pytest.mark.one_in(3)
def test_scikit_image_has_the_same_definition_but_for_its_exponential(shape, channels):
    u = picture_of(2, shape, channels)

    def theirs(square):  # the same cut, and their approximate exponential
        return schraudolph(-square / 0.15**2) if square <= 5 * 0.15**2 else 0.0

    loop = by_loop(u, theirs, 2, profile=profile_of(3, True), sigma=0.05, mirrored=True)
    axis = None if channels == 1 else -1
    found = denoise_nl_means(u if channels > 1 else u[..., 0], 3, 2, h=0.15, sigma=0.05, channel_axis=axis)
    # Their running sums round to 1e-16 of some hundreds, which the exponential's steps of 2⁻²⁰ may show.
    np.testing.assert_allclose(found, loop if channels > 1 else loop[..., 0], atol=2e-6)


def test_scikit_images_slow_definition_is_the_same_where_it_leaves_nothing_out_early():
    u = picture_of(3)
    h = 0.6  # so wide that no partial sum passes their cutoff
    loop = by_loop(u, lambda square: schraudolph(-square / h**2), 3, profile=profile_of(5, False), sigma=0.05)
    found = denoise_nl_means(u[..., 0], 5, 3, h=h, sigma=0.05, fast_mode=False)
    np.testing.assert_allclose(found, loop[..., 0], atol=2e-6)  # as above


def test_where_no_exponential_is_approximated_scikit_images_picture_is_ours():
    # Tiles that repeat: a patch's copies are at distance 0, and everything else is beyond the cutoff.
    u = np.tile(np.random.default_rng(0).permutation(16).reshape(4, 4) / 16.0, (6, 7))
    u += np.repeat([[0.0], [1e-6]], 12, axis=0)  # copies that differ by what no weight shows
    found = nonlocal_means(u, patch_size=5, patch_distance=6, h=1e-3)
    np.testing.assert_allclose(found, denoise_nl_means(u, 5, 6, h=1e-3), atol=ROUNDING)
    assert np.abs(found - u).max() > 1e-7  # something was averaged


@pytest.mark.parametrize("name", ["camera", "astronaut", "coffee", "chelsea"])
@pytest.mark.parametrize("sigma", [0.05, 0.1, 0.2])
def test_photographs_are_denoised_as_well_as_by_scikit_image(name, sigma):
    photograph = img_as_float(getattr(data, name)())[100:196, 100:196]
    axis = None if photograph.ndim == 2 else -1
    noisy = photograph + sigma * np.random.default_rng(0).normal(size=photograph.shape)
    options = {"patch_size": 7, "patch_distance": 6, "h": 0.8 * sigma, "sigma": sigma, "channel_axis": axis}
    ours, theirs = nonlocal_means(noisy, **options), denoise_nl_means(noisy, **options)
    error, other = (np.mean((picture - photograph) ** 2) for picture in (ours, theirs))
    likeness = [structural_similarity(picture, photograph, data_range=1.0, channel_axis=axis)
                for picture in (ours, theirs)]
    # They round the exponential to 2⁻²⁰, and with it a weight now and then falls to the other side of their cutoff.
    assert 10 * np.log10(other / error) > -1e-4 and likeness[0] > likeness[1] - 1e-5
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


class Matern(Radial):
    """A kernel that compiled loops do not know."""

    def __init__(self, bandwidth=1.0):
        super().__init__(bandwidth=bandwidth)

    def log_profile(self, u2, xp):
        return xp.log1p(xp.sqrt(3 * u2)) - xp.sqrt(3 * u2)


KERNELS = [
    (Gaussian(0.2), lambda s: math.exp(-s / 0.08)),
    (Laplace(0.2), lambda s: math.exp(-math.sqrt(s) / 0.2)),
    (Cauchy(0.2), lambda s: 1 / (1 + s / 0.04)),
    (Epanechnikov(0.3), lambda s: max(1 - s / 0.09, 0.0)),
    (Flat(0.25), lambda s: float(s <= 0.0625)),
    (Matern(0.2), lambda s: (1 + math.sqrt(3 * s) / 0.2) * math.exp(-math.sqrt(3 * s) / 0.2)),
]


@pytest.mark.parametrize("kernel, weight", KERNELS, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("mirrored", [True, False])
def test_any_kernel_compares_patches(kernel, weight, mirrored):
    u = picture_of(4, (8, 9))
    found = nonlocal_means(u[..., 0], patch_weights=BOX, patch_distance=2, kernel=kernel, sigma=0.05,
                           fast_mode=mirrored)
    loop = by_loop(u, weight, 2, profile=BOX, sigma=0.05, mirrored=mirrored)
    np.testing.assert_allclose(found, loop[..., 0], atol=ROUNDING)


@pytest.mark.parametrize("kernel", [None, Gaussian(0.2), Epanechnikov(0.3), Flat(0.25)])
def test_gathered_patches_give_what_compiled_loops_give(kernel, monkeypatch):
    u = picture_of(5, (8, 9), 2)
    options = {"patch_size": 3, "patch_distance": 3, "kernel": kernel, "sigma": 0.05, "spatial": Gaussian(2.0),
               "channel_axis": -1}
    compiled = nonlocal_means(u, **options)
    monkeypatch.setattr(pictures, "number_of", lambda kernel: None)
    np.testing.assert_allclose(nonlocal_means(u, **options), compiled, atol=ROUNDING)


def test_kernels_of_ranks_and_of_inner_products_and_hollow_ones_compare_patches():
    u = picture_of(6, (7, 8))
    plain = {"patch_weights": BOX, "patch_distance": 2, "fast_mode": False}
    rows = pictures.patch_rows(u[None, ..., 0], BOX, 0)
    scale = Exponential(0.1)
    found = nonlocal_means(u[..., 0], kernel=scale, **plain)
    nearest = nonlocal_means(u[..., 0], kernel=NearestNeighbors(4), **plain)
    for pixel in np.ndindex(7, 8):
        window = [slice(max(p - 2, 0), p + 3) for p in pixel]
        keys, values = rows[tuple(window)].reshape(-1, 9), u[..., 0][tuple(window)].ravel()
        weight = np.exp((keys @ rows[pixel] - 1) / 0.1)
        assert found[pixel] == pytest.approx(weight @ values / weight.sum(), abs=ROUNDING)
        order = np.argsort(((keys - rows[pixel]) ** 2).sum(1))[:4]
        assert nearest[pixel] == pytest.approx(values[order].mean(), abs=ROUNDING)
    hollow = nonlocal_means(u[..., 0], kernel=Gaussian(0.2).hollow(), **plain)
    loop = by_loop(u, KERNELS[0][1], 2, profile=BOX, own=False)
    np.testing.assert_allclose(hollow, loop[..., 0], atol=ROUNDING)


def test_a_place_counts_besides_and_a_guide_is_compared_instead():
    u, g = picture_of(7, (8, 9)), picture_of(8, (8, 9), 2)
    found = nonlocal_means(u[..., 0], patch_size=3, patch_distance=3, h=0.2, spatial=Epanechnikov(2.5), guide=g)
    loop = by_loop(u, cut(0.2), 3, profile=profile_of(3, True), mirrored=True, guide=g,
                       place=lambda square: max(1 - square / 2.5**2, 0.0))
    np.testing.assert_allclose(found, loop[..., 0], atol=ROUNDING)
    found = nonlocal_means(u[..., 0], patch_size=3, patch_distance=3, kernel=Gaussian(0.2), spatial=Epanechnikov(2.5))
    loop = by_loop(u, KERNELS[0][1], 3, profile=profile_of(3, True), mirrored=True,
                   place=lambda square: max(1 - square / 2.5**2, 0.0))
    np.testing.assert_allclose(found, loop[..., 0], atol=ROUNDING)


def test_tiles_and_threads_do_not_show(monkeypatch):
    u = picture_of(9, (37, 45), 2)
    whole = nonlocal_means(u, patch_distance=4, h=0.2, channel_axis=-1)
    monkeypatch.setattr(pictures, "TILE", (7, 16))
    np.testing.assert_allclose(nonlocal_means(u, patch_distance=4, h=0.2, channel_axis=-1), whole, atol=ROUNDING)
    monkeypatch.setattr(pictures, "TILE", (2, 3))  # smaller than a shift
    np.testing.assert_allclose(nonlocal_means(u, patch_distance=4, h=0.2, channel_axis=-1), whole, atol=ROUNDING)


@pytest.mark.slow
def test_types_and_ranges():
    u = picture_of(10)[..., 0]
    single = nonlocal_means(u.astype(np.float32), patch_distance=4, sigma=0.05)
    assert single.dtype == np.float32
    # Squared distances of a few terms round to 1e-7, and weights to a hundred times that at h = 0.1.
    np.testing.assert_allclose(single, nonlocal_means(u, patch_distance=4, sigma=0.05), atol=1e-5)
    whole = np.clip(255 * u, 0, 255).astype(np.uint8)
    scaled = nonlocal_means(whole, patch_distance=4)
    np.testing.assert_array_equal(scaled, nonlocal_means(whole / 255, patch_distance=4))
    kept = nonlocal_means(whole, patch_distance=4, h=25.5, preserve_range=True)
    np.testing.assert_allclose(kept, 255 * scaled, atol=1e-10)  # rounding of numbers up to 255
    again = nonlocal_means(u, patch_size=6, patch_distance=4)
    np.testing.assert_array_equal(again, nonlocal_means(u, patch_size=7, patch_distance=4))
    estimated = nonlocal_means(u, patch_distance=4, sigma=None)
    np.testing.assert_array_equal(estimated, nonlocal_means(u, patch_distance=4, sigma=estimate_noise(u)))


def test_a_guide_of_whole_numbers_is_scaled_as_its_picture_is():
    whole = np.clip(255 * picture_of(10)[..., 0], 0, 255).astype(np.uint8)
    own = {"h": 25.5, "patch_distance": 3, "preserve_range": True}
    for denoise in (lambda **options: nonlocal_means(whole, **own, **options),
                    lambda **options: balanced_nonlocal_means(whole, **own, **options).picture,
                    lambda **options: bilateral(whole, sigma_color=25.5, preserve_range=True, **options)):
        np.testing.assert_array_equal(denoise(guide=whole), denoise())
    np.testing.assert_array_equal(nonlocal_means(whole, guide=whole), nonlocal_means(whole))


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int16])
def test_whole_numbers_of_each_type_are_divided_by_its_greatest(kind):
    most = np.iinfo(kind).max
    whole = np.clip(most * picture_of(10)[:8, :9, 0], 0, most).astype(kind)
    few = {"patch_size": 3, "patch_distance": 2}
    np.testing.assert_array_equal(nonlocal_means(whole, **few), nonlocal_means(whole / most, **few))
    np.testing.assert_array_equal(nonlocal_means(whole / most, guide=whole, **few), nonlocal_means(whole / most, **few))
    assert estimate_noise(whole) == estimate_noise(whole.astype(float))
    parts = {"patch_size": 5, "overlap": 2}
    np.testing.assert_array_equal(synthesize(whole, (7, 9), **parts), synthesize(whole / most, (7, 9), **parts))


def test_a_picture_decides_in_which_type_it_is_denoised():
    u, g = picture_of(10, (8, 9))[..., 0].astype(np.float32), picture_of(11, (8, 9))[..., 0]
    few = {"patch_size": 3, "patch_distance": 2}
    found = nonlocal_means(u, guide=g, **few)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, nonlocal_means(u, guide=g.astype(np.float32), **few))
    half = nonlocal_means(u.astype(np.float16), **few)
    assert half.dtype == np.float32
    np.testing.assert_array_equal(half, nonlocal_means(u.astype(np.float16).astype(np.float32), **few))


def test_the_noise_of_colours_is_their_mean():
    u = picture_of(18, (12, 14), 3)
    u[..., 2] += 0.3 * np.random.default_rng(18).normal(size=(12, 14))
    noise = estimate_noise(u, channel_axis=-1)
    assert noise.max() > 1.2 * noise.mean()  # which mean it is shows
    few = {"patch_size": 3, "patch_distance": 2, "h": 0.2, "channel_axis": -1}
    np.testing.assert_array_equal(nonlocal_means(u, sigma=None, **few), nonlocal_means(u, sigma=noise.mean(), **few))


@pytest.mark.parametrize("shape", [(8, 9), (4, 5, 6)])
def test_the_size_of_patch_weights_is_the_distances_unit(shape):
    u = picture_of(19, shape)[..., 0]
    size = 3 ** (len(shape) / 2)  # the square of a distance, and the noise's share in it, grow by three for each axis
    few = {"patch_distance": 2, "sigma": 0.05}
    for denoise in (nonlocal_means, lambda u, **options: balanced_nonlocal_means(u, **options).picture):
        np.testing.assert_allclose(denoise(u, patch_weights=np.ones(3), h=0.2 * size, **few),
                                   denoise(u, patch_weights=BOX, h=0.2, **few), atol=ROUNDING)


def test_a_balanced_average_estimates_its_noise():
    u = picture_of(10)[..., 0]
    found = balanced_nonlocal_means(u, patch_distance=3, sigma=None)
    expected = balanced_nonlocal_means(u, patch_distance=3, sigma=estimate_noise(u))
    np.testing.assert_array_equal(found.picture, expected.picture)
    assert np.abs(found.picture - balanced_nonlocal_means(u, patch_distance=3).picture).max() > 1e-3


@pytest.mark.parametrize("fast_mode", [True, False])
def test_a_patch_of_one_pixel_compares_the_pixels(fast_mode):
    u = picture_of(17, (7, 8))
    found = nonlocal_means(u[..., 0], patch_size=1, patch_distance=2, h=0.1, fast_mode=fast_mode)
    loop = by_loop(u, cut(0.1), 2, profile=np.ones(1), mirrored=fast_mode)
    np.testing.assert_allclose(found, loop[..., 0], atol=ROUNDING)


def test_degenerate_pictures():
    for shape in ((1, 1), (1, 9), (2, 3), (1, 1, 5)):
        flat = np.full(shape, 0.7)
        np.testing.assert_allclose(nonlocal_means(flat), flat, atol=ROUNDING)
        np.testing.assert_allclose(bilateral(flat), flat, atol=ROUNDING)
        np.testing.assert_allclose(balanced_nonlocal_means(flat).picture, flat, atol=ROUNDING)
    u = picture_of(11, (6, 6))[..., 0]
    np.testing.assert_allclose(nonlocal_means(u, patch_distance=0), u, atol=ROUNDING)
    np.testing.assert_allclose(nonlocal_means(u, h=1e-100), u, atol=ROUNDING)
    np.testing.assert_allclose(nonlocal_means(1e-200 * u, h=1e-201), 1e-200 * nonlocal_means(u, h=0.1), rtol=1e-9)
    np.testing.assert_allclose(nonlocal_means(1e200 * u, h=1e199), 1e200 * nonlocal_means(u, h=0.1), rtol=1e-9)
    np.testing.assert_allclose(nonlocal_means(u, spatial=Epanechnikov(0.5)), u, atol=ROUNDING)  # nothing in reach


@pytest.mark.parametrize("seed", range(3))
def test_the_bilateral_filter_is_a_local_mean_over_place_and_colour(seed):
    u = picture_of(seed, (9, 10), 3)
    found = bilateral(u, sigma_color=0.2, sigma_spatial=2.0, win_size=21, channel_axis=-1)
    place = np.indices((9, 10)).reshape(2, -1).T
    joint = np.column_stack([place / 2.0, u.reshape(-1, 3) / 0.2])
    loop = lm.local_mean(joint, joint, u.reshape(-1, 3), kernel=Gaussian(1.0))
    np.testing.assert_allclose(found.reshape(-1, 3), loop, atol=ROUNDING)


def test_windows_guides_and_kernels_of_the_bilateral_filter():
    u, g = picture_of(12, (9, 10)), picture_of(13, (9, 10), 2)
    one = np.ones(1)
    loop = by_loop(u, lambda s: math.exp(-s / 0.08), 3, profile=one, place=lambda s: math.exp(-s / 2))
    np.testing.assert_allclose(bilateral(u[..., 0], sigma_color=0.2), loop[..., 0], atol=ROUNDING)
    # Three standard deviations are in the window, and two pixels, unless its size is given.
    for size, search, options in ((0.33, 2, {}), (1.1, 4, {}), (1.1, 1, {"win_size": 3})):
        loop = by_loop(u, lambda s: math.exp(-s / 0.08), search, profile=one,
                       place=lambda s, size=size: math.exp(-s / 2 / size**2))
        found = bilateral(u[..., 0], sigma_color=0.2, sigma_spatial=size, **options)
        np.testing.assert_allclose(found, loop[..., 0], atol=ROUNDING)
    loop = by_loop(u, lambda s: math.exp(-s / 0.08), 3, profile=one, place=lambda s: float(s <= 4))
    found = bilateral(u[..., 0], sigma_color=0.2, spatial=Flat(2.0))  # which reaches just as far as its window
    np.testing.assert_allclose(found, loop[..., 0], atol=ROUNDING)
    # The distance of colours sums over channels, where that of patches is their mean.
    loop = by_loop(u, lambda s: math.exp(-math.sqrt(2 * s) / 0.2), 2, profile=one, guide=g,
                       place=lambda s: max(1 - s / 2.25**2, 0))
    found = bilateral(u[..., 0], g, kernel=Laplace(0.2), spatial=Epanechnikov(2.25))
    np.testing.assert_allclose(found, loop[..., 0], atol=ROUNDING)


@pytest.mark.parametrize("seed", range(4))
def test_noise_is_estimated(seed):
    rng = np.random.default_rng(seed)
    slope = np.add.outer(np.arange(256.0), 2 * np.arange(300.0))
    noise = 0.3 * rng.normal(size=slope.shape)
    # 19,000 coefficients: the median's standard error is 1.17/√19000 = 0.8 % of σ.
    assert estimate_noise(slope + noise) == pytest.approx(0.3, rel=0.035)
    assert estimate_noise(slope + noise) == pytest.approx(estimate_noise(noise), rel=1e-9)  # slopes are not seen
    colours = estimate_noise(np.stack([noise, 2 * noise]), channel_axis=0)
    np.testing.assert_allclose(colours, estimate_noise(noise) * np.array([1, 2]), rtol=1e-12)
    assert estimate_noise(noise[None], channel_axis=0).shape == (1,)
    for grey in (1.0, 0.7):
        assert estimate_noise(np.full((8, 8), grey)) == 0.0
    part = noise[:6, :8]
    taps = np.array([1 - 3**0.5, -(3 - 3**0.5), 3 + 3**0.5, -(1 + 3**0.5)]) / (4 * 2**0.5)
    by_hand = [abs((np.outer(taps, taps) * part[i:i + 4, j:j + 4]).sum()) for i in (0, 2) for j in (0, 2, 4)]
    assert estimate_noise(part) == pytest.approx(np.median(by_hand) / 0.6744897501960817, rel=1e-12)
    assert estimate_noise(part[:4, :4]) == pytest.approx(by_hand[0] / 0.6744897501960817, rel=1e-12)
    # Of a picture that goes on in one grey level, only what shows noise is counted: windows from 0 to 6 here, of 14.
    filled = np.hstack([noise[:4, :8], np.full((4, 12), 0.7)])
    by_hand = [abs((np.outer(taps, taps) * filled[:, j:j + 4]).sum()) for j in (0, 2, 4, 6)]
    assert estimate_noise(filled) == pytest.approx(np.median(by_hand) / 0.6744897501960817, rel=1e-12)


def matrix_of(u, h, search):
    """Return the kernel matrix of non-local means with Gaussian patches of three pixels."""
    rows = pictures.patch_rows(u[None], profile_of(3, False), 0).reshape(u.size, -1)
    place = np.indices(u.shape).reshape(2, -1).T
    square = ((rows[:, None] - rows) ** 2).sum(-1)
    near = (np.abs(place[:, None] - place) <= search).all(-1)
    return np.vectorize(cut(h))(square) * near


@pytest.mark.parametrize("seed", range(3))
def test_a_balanced_average_is_sinkhorns(seed):
    u = picture_of(seed)[..., 0]
    found = balanced_nonlocal_means(u, patch_size=3, patch_distance=4, h=0.2, tol=1e-10, max_iter=1000)
    matrix = matrix_of(u, 0.2, 4)
    balanced = expected.balanced(matrix)
    np.testing.assert_allclose(balanced, balanced.T, atol=1e-9)
    np.testing.assert_allclose(found.picture.ravel(), balanced @ u.ravel(), atol=1e-9)  # ten times the tolerance
    assert found.imbalance <= 1e-10 and 1 <= found.n_iter < 1000
    assert found.picture.mean() == pytest.approx(u.mean(), abs=1e-10)  # columns sum to one: no light is lost


def test_a_balanced_average_compares_the_guides_patches():
    u, guide = picture_of(15)[..., 0], picture_of(16)[..., 0]
    found = balanced_nonlocal_means(u, guide=guide, patch_size=3, patch_distance=4, h=0.2, tol=1e-10, max_iter=1000)
    balanced = expected.balanced(matrix_of(guide, 0.2, 4))
    np.testing.assert_allclose(found.picture.ravel(), balanced @ u.ravel(), atol=1e-9)


def test_a_balanced_average_takes_a_kernel_a_place_and_weights():
    u = picture_of(20, (8, 9))[..., 0]
    found = balanced_nonlocal_means(u, patch_weights=BOX, patch_distance=4, kernel=Gaussian(0.2),
                                    spatial=Epanechnikov(3.5), tol=1e-10, max_iter=1000)
    rows = pictures.patch_rows(u[None], BOX, 0).reshape(u.size, -1)
    place = np.indices(u.shape).reshape(2, -1).T
    near = np.maximum(1 - ((place[:, None] - place) ** 2).sum(-1) / 3.5**2, 0.0)
    matrix = np.exp(-((rows[:, None] - rows) ** 2).sum(-1) / 0.08) * near
    np.testing.assert_allclose(found.picture.ravel(), expected.balanced(matrix) @ u.ravel(), atol=1e-9)  # as above


def test_a_constant_picture_stays_what_it_is_though_its_average_is_not_balanced_to_the_end():
    flat = np.full((12, 15), 0.7)
    found = balanced_nonlocal_means(flat, patch_distance=3)
    assert found.imbalance > 1e-6  # rows of pixels at the border, which see fewer others, are not at one yet
    np.testing.assert_allclose(found.picture, flat, atol=ROUNDING)


def test_photographs_come_from_their_middle():
    with pytest.raises(ValueError, match=r"^side times box must be between 1 and 512 pixels, got 1024$"):
        datasets.shipped("camera", 512, 2)
    with pytest.raises(ValueError, match=r"^name must be one of astronaut, .*, got 'lena'$"):
        datasets.shipped("lena")
    np.testing.assert_allclose(datasets.shipped("camera", 512), img_as_float(data.camera()), atol=1e-15)
    assert datasets.shipped("chelsea", 20, 3, grey=False).shape == (20, 20, 3)


def test_an_average_that_is_not_balanced_says_so():
    u = picture_of(14)[..., 0]
    with pytest.warns(ConvergenceWarning, match=r"^the averaging matrix is not balanced after 1 scalings: a row's sum "
                                                r"is off by .*; raise max_iter or tol$"):
        found = balanced_nonlocal_means(u, patch_distance=3, max_iter=1)
    assert found.n_iter == 1 and found.imbalance > 1e-3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert balanced_nonlocal_means(u.astype(np.float32), patch_distance=3).picture.dtype == np.float32


def test_a_texture_goes_on_as_its_example_does():
    tiles = np.tile(np.random.default_rng(0).uniform(size=(3, 4)), (6, 5))
    for draw in (False, True):
        made = synthesize(tiles, (25, 30), patch_size=9, overlap=4, h=1e-3, draw=draw)
        assert made.shape == (25, 30)
        np.testing.assert_allclose(made[3:], made[:-3], atol=1e-9)
        np.testing.assert_allclose(made[:, 4:], made[:, :-4], atol=1e-9)


def test_a_block_of_a_texture_is_the_local_mean_given_what_stands():
    example = np.random.default_rng(1).uniform(size=(10, 11))
    made = synthesize(example, (6, 10), patch_size=6, overlap=2, h=0.2, seed=3)
    views = np.lib.stride_tricks.sliding_window_view(example, (6, 6)).reshape(-1, 6, 6)
    first = made[:, :4]
    start = next(patch for patch in views if np.array_equal(patch[:, :4], first))
    square = ((views[:, :, :2] - start[:, 4:]) ** 2).mean((1, 2))
    weight = np.exp(-square / (2 * 0.2**2))
    mean = np.tensordot(weight / weight.sum(), views, 1)
    np.testing.assert_allclose(made[:, 6:], mean[:, 2:], atol=ROUNDING)
    fade = np.array([1, 2]) / 3
    np.testing.assert_allclose(made[:, 4:6], fade * mean[:, :2] + (1 - fade) * start[:, 4:], atol=ROUNDING)
    drawn = synthesize(example, (6, 10), patch_size=6, overlap=2, h=0.2, draw=True, seed=3)
    assert any(np.allclose(drawn[:, 6:], patch[:, 2:]) for patch in views)
    colours = synthesize(np.stack([example, 1 - example]), (6, 10), patch_size=6, overlap=2, channel_axis=0)
    np.testing.assert_allclose(colours[0], 1 - colours[1], atol=ROUNDING)


def test_a_texture_by_hand():
    example = np.random.default_rng(2).uniform(size=(10, 11))
    made = synthesize(example, (10, 10), patch_size=6, overlap=2, h=0.2, seed=3)
    views = np.lib.stride_tricks.sliding_window_view(example, (6, 6)).reshape(-1, 6, 6)
    texture = np.full((10, 10), np.nan)  # what does not stand yet
    texture[:6, :6] = next(patch for patch in views if np.array_equal(patch[:4, :4], made[:4, :4]))
    fade = np.array([1, 2]) / 3
    for row, column in ((0, 4), (4, 0), (4, 4)):
        there = slice(row, row + 6), slice(column, column + 6)
        stands = ~np.isnan(texture[there])
        square = ((views - texture[there])[:, stands] ** 2).mean(1)
        weight = np.exp(-square / (2 * 0.2**2))
        block = np.tensordot(weight / weight.sum(), views, 1)
        share = np.ones((6, 6))
        if row:
            share[:2] *= fade[:, None]
        if column:
            share[:, :2] *= fade
        old = np.where(stands, texture[there], 0.0)
        texture[there] = np.where(stands, share * block + (1 - share) * old, block)
    np.testing.assert_allclose(made, texture, atol=ROUNDING)


def test_a_texture_of_any_size_begins_where_its_seed_says():
    example = np.random.default_rng(3).uniform(size=(10, 11))
    options = {"patch_size": 10, "overlap": 3}  # as large as the example
    for shape in ((2, 30), (30, 1), (3, 3), (10, 17)):
        made = synthesize(example, shape, **options)
        assert made.shape == shape and (made > 0).all(), "no pixel of the example is black"
    one, other = (synthesize(example, (4, 4), patch_size=4, overlap=2, seed=seed) for seed in (1, 3))
    assert not np.array_equal(one, other)


U = np.zeros((5, 6))
WRONG = [
    (lambda: nonlocal_means(np.zeros(5)), ValueError,
     "picture must have two or three axes, none of length zero, got shape (5,)"),
    (lambda: nonlocal_means(np.zeros((5, 0))), ValueError,
     "picture must have two or three axes, none of length zero, got shape (5, 0)"),
    (lambda: nonlocal_means(np.zeros((5, 3)), channel_axis=1), ValueError,
     "picture must have two or three axes beside the channels, none of length zero, got shape (5, 3)"),
    (lambda: nonlocal_means(np.zeros((5, 5, 3)), channel_axis=3), ValueError,
     "channel_axis must be an axis of picture, whose shape is (5, 5, 3), got 3"),
    (lambda: nonlocal_means(np.zeros((5, 5, 3)), channel_axis=-4), ValueError,
     "channel_axis must be an axis of picture, whose shape is (5, 5, 3), got -4"),
    (lambda: nonlocal_means(np.zeros((5, 5, 3)), channel_axis=True), ValueError,
     "channel_axis must be an axis of picture, whose shape is (5, 5, 3), got True"),
    (lambda: nonlocal_means([[0.0, math.nan]]), ValueError,
     "picture must be finite, got 1 NaN or infinite value in an array of shape (1, 2)"),
    (lambda: nonlocal_means(U, patch_size=0), ValueError, "patch_size must be an integer of at least 1, got 0"),
    (lambda: nonlocal_means(U, patch_distance=-1), ValueError,
     "patch_distance must be an integer of at least 0, got -1"),
    (lambda: nonlocal_means(U, h=0), ValueError, "h must be positive and finite, got 0"),
    (lambda: nonlocal_means(U, h="wide"), TypeError, "h must be a number, got 'wide'"),
    (lambda: nonlocal_means(U, sigma=-1), ValueError, "sigma must be at least 0 and finite, got -1.0"),
    (lambda: nonlocal_means(U, fast_mode="no"), TypeError, "fast_mode must be True or False, got 'no'"),
    (lambda: nonlocal_means(U, preserve_range=1), TypeError, "preserve_range must be True or False, got 1"),
    (lambda: nonlocal_means(U, kernel="gaussian"), TypeError,
     "kernel must be a kernel from locmethods.kernels, got str"),
    (lambda: nonlocal_means(U, kernel=Linear()), ValueError,
     "Linear() can give negative weights, so it is not a localization kernel: use local_sum for a signed sum, or a "
     "kernel with non-negative weights for a local mean"),
    (lambda: nonlocal_means(U, kernel=Exponential(1.0), sigma=0.1), ValueError,
     "sigma is taken from a distance, so kernel must be Radial with it, got Exponential(temperature=1.0)"),
    (lambda: nonlocal_means(U, spatial=Linear()), ValueError,
     "Linear() can give negative weights, so it is not a localization kernel: use local_sum for a signed sum, or a "
     "kernel with non-negative weights for a local mean"),
    (lambda: balanced_nonlocal_means(U, spatial=Exponential(1.0)), ValueError,
     "spatial must be a kernel of the distance in pixels, got Exponential(temperature=1.0)"),
    (lambda: bilateral(U, spatial=Exponential(1.0), win_size=3), ValueError,
     "spatial must be a kernel of the distance in pixels, got Exponential(temperature=1.0)"),
    (lambda: nonlocal_means(U, spatial=3), TypeError, "spatial must be a kernel from locmethods.kernels, got int"),
    (lambda: nonlocal_means(U, guide=np.zeros((5, 5))), ValueError,
     "guide must have the picture's shape (5, 6), and may have channels behind it, got shape (5, 5)"),
    (lambda: nonlocal_means(U, guide=np.zeros((5, 6, 0))), ValueError,
     "guide must have the picture's shape (5, 6), and may have channels behind it, got shape (5, 6, 0)"),
    (lambda: nonlocal_means(U, guide=np.zeros((5, 6, 1, 2))), ValueError,
     "guide must have the picture's shape (5, 6), and may have channels behind it, got shape (5, 6, 1, 2)"),
    (lambda: nonlocal_means(U, guide=U, sigma=None), ValueError,
     "sigma is the noise of the guide, and must be given with one"),
    (lambda: nonlocal_means(U, patch_weights=[1.0, 2.0]), ValueError,
     "patch_weights must be an odd number of weights of at least 0, not all of them 0, got shape (2,)"),
    (lambda: nonlocal_means(U, patch_weights=[0.0]), ValueError,
     "patch_weights must be an odd number of weights of at least 0, not all of them 0, got shape (1,)"),
    (lambda: nonlocal_means(U, patch_weights=[[1.0]]), ValueError,
     "patch_weights must be an odd number of weights of at least 0, not all of them 0, got shape (1, 1)"),
    (lambda: nonlocal_means(U, patch_weights=[1.0, -2.0, 1.0]), ValueError,
     "patch_weights must be an odd number of weights of at least 0, not all of them 0, got shape (3,) with negative "
     "weights"),
    (lambda: balanced_nonlocal_means(U, sigma=-1), ValueError, "sigma must be at least 0 and finite, got -1.0"),
    (lambda: balanced_nonlocal_means(U, guide=U, sigma=None), ValueError,
     "sigma is the noise of the guide, and must be given with one"),
    (lambda: synthesize(U, (9, 9), patch_size=4, overlap=2, draw="no"), TypeError,
     "draw must be True or False, got 'no'"),
    (lambda: bilateral(U, sigma_color=-0.1), ValueError, "sigma_color must be positive and finite, got -0.1"),
    (lambda: bilateral(U, win_size=4), ValueError, "win_size must be odd, so that a window has a centre, got 4"),
    (lambda: bilateral(U, spatial=Gaussian(2.0)), ValueError,
     "win_size must be given, since Gaussian(bandwidth=2.0) has no end"),
    (lambda: balanced_nonlocal_means(U, kernel=Matern()), ValueError,
     "kernel must be a kernel of the distance that has compiled loops, got Matern(bandwidth=1.0)"),
    (lambda: nonlocal_means(U + 1, kernel=Cauchy(1e-200)), ValueError,
     "the kernel must not be so narrow beside the picture that squared differences overflow, got "
     "Cauchy(bandwidth=1e-200)"),
    (lambda: balanced_nonlocal_means(U, tol=0), ValueError, "tol must be positive and finite, got 0"),
    (lambda: balanced_nonlocal_means(U, max_iter=0), ValueError, "max_iter must be an integer of at least 1, got 0"),
    (lambda: bilateral(U, spatial=2.0, win_size=3), TypeError,
     "spatial must be a kernel from locmethods.kernels, got float"),
    (lambda: synthesize(U, (9, 9), patch_size=4, overlap=2, seed=-1), ValueError,
     "seed must be an integer of at least 0, got -1"),
    (lambda: synthesize(U, (9, 9), patch_size=6, overlap=2), ValueError,
     "patch_size must be no greater than the example, whose shape is (5, 6), got 6"),
    (lambda: estimate_noise(np.zeros((3, 9))), ValueError,
     "picture must have at least 4 pixels along each axis, got shape (3, 9)"),
    (lambda: synthesize(np.zeros((4, 5, 6)), (9, 9)), ValueError,
     "example must be a picture, not a volume, got shape (4, 5, 6)"),
    (lambda: synthesize(U, 9), ValueError, "shape must be the rows and columns of the texture, got 9"),
    (lambda: synthesize(U, (9, 9), patch_size=7), ValueError,
     "patch_size must be no greater than the example, whose shape is (5, 6), got 7"),
    (lambda: synthesize(U, (9, 9), patch_size=4, overlap=4), ValueError,
     "overlap must be less than patch_size, which is 4, got 4"),
]


@pytest.mark.parametrize("call, kind, message", WRONG, ids=lambda value: value if isinstance(value, str) else "")
def test_what_is_wrong_is_named(call, kind, message):
    with pytest.raises(kind) as found:
        call()
    assert str(found.value) == message


def test_tensors_are_refused():
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match=r"^picture must be a NumPy array, got a tensor: call its numpy\(\)$"):
        nonlocal_means(torch.zeros(5, 5))
    with pytest.raises(TypeError, match=r"^guide must be a NumPy array, got a tensor: call its numpy\(\)$"):
        nonlocal_means(np.zeros((5, 5)), guide=torch.zeros(5, 5))
    np.testing.assert_array_equal(nonlocal_means(np.eye(5), patch_weights=torch.tensor(BOX)),
                                  nonlocal_means(np.eye(5), patch_weights=BOX))

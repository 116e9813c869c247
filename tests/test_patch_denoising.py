"""The denoiser of patches against a slow loop over pixels, positions and pictures, and against its limits."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax
from sklearn.base import clone
from sklearn.datasets import load_digits, load_sample_image
from sklearn.exceptions import NotFittedError

import locmethods as lm
from locmethods.denoising import PatchDenoiser
from locmethods.kernels import Gaussian

BORDERS = {
    "zeros": lambda place, size: place if 0 <= place < size else None,
    "wrap": lambda place, size: place % size,
    "reflect": lambda place, size: -place if place < 0 else 2 * (size - 1) - place if place >= size else place,
}


def seen(picture, row, column, radius, padding):
    """Return the pixels about a place of a picture of shape (h, w, c), one after another, None beyond the border."""
    h, w = picture.shape[:2]
    found = []
    for down in range(row - radius, row + radius + 1):
        for across in range(column - radius, column + radius + 1):
            at = BORDERS[padding](down, h), BORDERS[padding](across, w)
            found.append(None if None in at else picture[at])
    return found


def slowly(pictures, noisy, sigma, window, position, padding):
    """Return the denoised pictures, of shape (m, h, w, c), by the formula, a pair of patches after another."""
    radius, answer = window // 2, np.empty(noisy.shape)
    for m, row, column in np.ndindex(noisy.shape[:3]):
        here = seen(noisy[m], row, column, radius, padding)
        scores, centres = [], []
        for n, i, j in np.ndindex(pictures.shape[:3]):
            if position == "same" and (i, j) != (row, column):
                continue
            there = seen(pictures[n], i, j, radius, padding)
            if [pixel is None for pixel in here] != [pixel is None for pixel in there]:
                continue
            square = sum(((x - p) ** 2).sum() for x, p in zip(here, there, strict=True) if x is not None)
            scores.append(-square / (2 * sigma**2))
            centres.append(pictures[n, i, j])
        answer[m, row, column] = softmax(scores) @ centres
    return answer


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("window", "position", "padding"), [
    (3, "any", "zeros"), (5, "any", "zeros"), (3, "same", "zeros"), (7, "same", "zeros"), (1, "any", "zeros"),
    (3, "any", "wrap"), (3, "same", "wrap"), (5, "any", "reflect"), (3, "same", "reflect")])
@pytest.mark.one_in(4)
def test_it_is_the_formula(window, position, padding, seed):
    rng = np.random.default_rng(seed)
    pictures, noisy = rng.normal(size=(2, 5, 6, 2)), rng.normal(size=(1, 5, 6, 2))
    sigma = rng.uniform(0.3, 2.0)
    denoiser = PatchDenoiser(window, position=position, padding=padding).fit(pictures)
    # Scores of at most 98 squares / 0.09 are good to 1e-13, and so are weights.
    assert_allclose(denoiser.denoise(noisy, sigma), slowly(pictures, noisy, sigma, window, position, padding),
                    rtol=0, atol=1e-12)
    assert denoiser.n_patches_ == 2 * 5 * 6


@pytest.mark.parametrize("position", ["any", "same"])
def test_pictures_without_channels_and_float32(position):
    rng = np.random.default_rng(0)
    pictures, noisy = rng.normal(size=(4, 5, 5)), rng.normal(size=(2, 5, 5))
    flat = PatchDenoiser(3, position=position).fit(pictures)
    channel = PatchDenoiser(3, position=position).fit(pictures[..., None])
    assert_array_equal(flat(noisy, 0.7), channel(noisy[..., None], 0.7)[..., 0])
    single = PatchDenoiser(3, position=position).fit(pictures.astype(np.float32))
    assert single(noisy.astype(np.float32), 0.7).dtype == np.float32
    assert single(noisy, 0.7).dtype == flat(noisy.astype(np.float32), 0.7).dtype == np.float64
    same_numbers = PatchDenoiser(3, position=position).fit(pictures.astype(np.float32).astype(np.float64))
    # The same sums, rounded at the end.
    assert_array_equal(single(noisy.astype(np.float32), 0.7),
                       same_numbers(noisy.astype(np.float32).astype(np.float64), 0.7).astype(np.float32))
    assert PatchDenoiser(3).fit(np.arange(50).reshape(2, 5, 5))(np.eye(5, dtype=int)[None], 1.0).dtype == np.float64


@pytest.mark.parametrize("sigma", [0.02, 0.3, 3.0])
@pytest.mark.parametrize(("window", "position"), [(None, "any"), (None, "same"), (15, "any"), (31, "same")])
def test_a_window_of_the_whole_picture_is_the_exact_denoiser(window, position, sigma):
    digits = load_digits().images / 16
    rng = np.random.default_rng(0)
    noisy = digits[:5] + sigma * rng.normal(size=(5, 8, 8))
    denoiser = PatchDenoiser(window, position=position).fit(digits)
    exact = lm.local_mean(noisy.reshape(5, -1), digits.reshape(-1, 64), kernel=Gaussian(sigma)).reshape(5, 8, 8)
    # Rounding of 2e-16·‖x‖‖p‖/σ² in the weights, with norms of about 4.
    assert_allclose(denoiser(noisy, sigma), exact, rtol=0, atol=1e-14 + 1e-14 / sigma**2)
    assert denoiser.n_patches_ == len(digits)


def test_one_pixel_short_of_the_whole_picture_is_another_denoiser():
    rng = np.random.default_rng(0)
    pictures, noisy = rng.normal(size=(6, 4, 4)), rng.normal(size=(1, 4, 4))
    whole, less = (PatchDenoiser(window, position="same").fit(pictures)(noisy, 1.0) for window in (7, 5))
    assert_allclose(less[0, 1:3, 1:3], whole[0, 1:3, 1:3], rtol=0, atol=1e-14)  # from here all is seen, in other sums
    assert abs(less[0, 0, 0] - whole[0, 0, 0]) > 1e-3


def test_little_noise_gives_the_nearest_patch_and_much_the_mean():
    from scipy.spatial import KDTree

    digits = load_digits().images / 16
    noisy = digits[:3] + 0.4 * np.random.default_rng(0).normal(size=(3, 8, 8))
    denoiser = PatchDenoiser(3, padding="wrap").fit(digits[3:80])

    def patches(pictures):
        shifts = [np.roll(pictures, (down, across), (1, 2)) for down in (1, 0, -1) for across in (1, 0, -1)]
        return np.stack(shifts, -1).reshape(-1, 9)

    keys = patches(digits[3:80])
    _, nearest = KDTree(keys).query(patches(noisy))
    # The runner-up is farther by a square of at least 1e-6 here, and weighs less than exp(−50).
    assert_allclose(denoiser(noisy, 1e-4), keys[nearest, 4].reshape(noisy.shape), rtol=0, atol=1e-12)
    # Scores differ by about 10/σ².
    assert_allclose(denoiser(noisy, 1e6), np.full(noisy.shape, keys[:, 4].mean()), rtol=0, atol=1e-10)


@pytest.mark.parametrize("sigma", [1e-100, 1e-3, 1.0, 1e100])
@pytest.mark.parametrize("window", [3, None])
def test_it_stays_within_the_training_pixels_however_far_the_noise_is(window, sigma):
    pictures = np.random.default_rng(0).uniform(size=(5, 6, 6))
    found = PatchDenoiser(window).fit(pictures)(1e6 * np.random.default_rng(1).normal(size=(2, 6, 6)), sigma)
    rounding = 1e-14  # of a weighted mean
    assert np.all((found >= pictures.min() - rounding) & (found <= pictures.max() + rounding))


def test_any_position_under_wrapping_commutes_with_shifts_and_the_others_do_not():
    rng = np.random.default_rng(0)
    pictures, noisy = rng.uniform(size=(5, 6, 7)), rng.normal(size=(2, 6, 7))
    commutes = {}
    for position, padding in (("any", "wrap"), ("any", "zeros"), ("any", "reflect"), ("same", "wrap")):
        denoiser = PatchDenoiser(3, position=position, padding=padding).fit(pictures)
        shifted = denoiser(np.roll(noisy, (2, 3), (1, 2)), 0.3)
        commutes[position, padding] = np.allclose(np.roll(denoiser(noisy, 0.3), (2, 3), (1, 2)), shifted, atol=1e-12)
    assert commutes == {("any", "wrap"): True, ("any", "zeros"): False, ("any", "reflect"): False,
                        ("same", "wrap"): False}


@pytest.mark.parametrize("padding", ["zeros", "reflect", "wrap"])
def test_any_position_takes_pictures_of_another_size(padding):
    rng = np.random.default_rng(0)
    pictures, noisy = rng.normal(size=(2, 6, 5, 1)), rng.normal(size=(1, 4, 8, 1))
    denoiser = PatchDenoiser(3, padding=padding).fit(pictures)
    # As in the first test.
    assert_allclose(denoiser(noisy, 0.8), slowly(pictures, noisy, 0.8, 3, "any", padding), rtol=0, atol=1e-12)


def test_degenerate_pictures():
    rng = np.random.default_rng(0)
    constant = np.full((3, 4, 4), 2.5)
    noisy = rng.normal(size=(2, 4, 4))
    for window in (1, 3, None):
        assert_allclose(PatchDenoiser(window).fit(constant)(noisy, 0.1), np.full((2, 4, 4), 2.5), rtol=1e-15)
    one = rng.normal(size=(1, 4, 4))
    for window, position in ((3, "same"), (None, "any")):  # a single key for each pixel
        assert_allclose(PatchDenoiser(window, position=position).fit(one)(noisy, 0.1), np.repeat(one, 2, 0), rtol=1e-15)
    pixel = PatchDenoiser(3).fit([[[1.0]], [[3.0]]])
    assert_allclose(pixel([[[1.0]], [[2.0]]], 1.0), [[[1 + 2 / (1 + np.exp(2))]], [[2.0]]], rtol=1e-15)
    pictures = rng.normal(size=(3, 5, 5))
    once, twice = (PatchDenoiser(3).fit(np.repeat(pictures, times, 0)) for times in (1, 2))
    assert_allclose(twice(pictures, 0.5), once(pictures, 0.5), rtol=0, atol=1e-14)  # the same terms, each twice


def test_one_fit_serves_every_noise_level_in_any_order():
    pictures = np.random.default_rng(0).normal(size=(4, 6, 6))
    denoiser = PatchDenoiser(3).fit(pictures)
    for sigma in (2.0, 0.1, 2.0):
        assert_array_equal(denoiser(pictures, sigma), PatchDenoiser(3).fit(pictures)(pictures, sigma))


def flow(denoise, x, levels):
    """Return where the probability-flow ODE dx/dσ = (x − D(x, σ))/σ takes x, by steps of Euler."""
    for sigma, following in pairwise(levels):
        x = x + (following - sigma) * (x - denoise(x, sigma)) / sigma
    return x


@pytest.mark.parametrize("position", ["any", "same"])
def test_whole_pictures_are_remembered_and_patches_put_together_anew(position):
    digits = load_digits().images[:300] / 16
    levels = np.geomspace(5, 0.02, 20)
    noise = levels[0] * np.random.default_rng(0).normal(size=(8, 8, 8))
    nearest = {}
    for window in (3, None):
        made = flow(PatchDenoiser(window, position=position).fit(digits), noise, levels)
        distance = np.sqrt(((made[:, None] - digits) ** 2).mean((2, 3)))  # root mean square a pixel
        nearest[window] = distance.min(1)
    # What remains of the noise is 0.02 a pixel; no two of these digits are nearer to each other than 0.06.
    assert nearest[None].max() < 0.03 and nearest[3].min() > 0.06


def test_a_photographs_patches_denoise_another_part_of_it():
    photograph = load_sample_image("china.jpg").mean(2) / 255
    clean, elsewhere = photograph[200:248, 300:348], photograph[250:, 200:400]
    noisy = clean + 0.1 * np.random.default_rng(0).normal(size=clean.shape)
    denoised = PatchDenoiser(3, padding="reflect").fit(elsewhere[None])(noisy[None], 0.1)[0]
    assert ((denoised - clean) ** 2).mean() < 0.5 * ((noisy - clean) ** 2).mean()


def test_it_is_cloned_kept_on_disk_and_named_by_its_parameters():
    denoiser = PatchDenoiser(7, position="same", padding="wrap")
    assert clone(denoiser).get_params() == {"window": 7, "position": "same", "padding": "wrap"}
    pictures = np.random.default_rng(0).normal(size=(3, 7, 7))
    denoiser.fit(pictures)
    again = pickle.loads(pickle.dumps(denoiser))
    assert_array_equal(again(pictures, 0.5), denoiser(pictures, 0.5))
    assert_array_equal(again(pictures, 2.0), denoiser(pictures, 2.0))
    assert_array_equal(denoiser.pictures_, pictures)
    with pytest.raises(NotFittedError):
        PatchDenoiser().denoise(pictures, 1.0)


ONES = np.ones((2, 4, 6))
WINDOW = "window must be an odd integer of at least 1, or None for the whole picture, got "
SHAPE = "pictures must have shape (n, h, w) or (n, h, w, c) and must not be empty, got shape "


@pytest.mark.parametrize(("params", "pictures", "kind", "message"), [
    ({"window": 4}, ONES, ValueError, WINDOW + "4"),
    ({"window": 0}, ONES, ValueError, WINDOW + "0"),
    ({"window": True}, ONES, ValueError, WINDOW + "True"),
    ({"window": 3.0}, ONES, ValueError, WINDOW + "3.0"),
    ({"position": "near"}, ONES, ValueError, "position must be one of 'any', 'same', got 'near'"),
    ({"padding": "ones"}, ONES, ValueError, "padding must be one of 'zeros', 'reflect', 'wrap', got 'ones'"),
    ({"window": None, "padding": "wrap"}, ONES, ValueError,
     "window=None, the whole picture, goes with padding=\"zeros\", got padding='wrap'"),
    ({"window": 5, "padding": "reflect"}, ONES, ValueError,
     "window must be at most as large as a picture with padding='reflect', got window=5 and pictures of 4 × 6 pixels"),
    ({}, ONES[0], ValueError, SHAPE + "(4, 6); one picture is picture[None]"),
    ({}, ONES[None, None], ValueError, SHAPE + "(1, 1, 2, 4, 6); one picture is picture[None]"),
    ({}, ONES[:0], ValueError, SHAPE + "(0, 4, 6); one picture is picture[None]"),
    ({}, np.where(ONES, np.nan, 0), ValueError, "Input pictures contains NaN."),
    ({}, -1e200 * ONES, ValueError,
     "pictures must hold numbers of at most 1e+150, whose squares are numbers, got 1e+200"),
])
def test_what_fit_refuses(params, pictures, kind, message):
    with pytest.raises(kind) as caught:
        PatchDenoiser(**params).fit(pictures)
    assert str(caught.value).splitlines()[0] == message


@pytest.mark.parametrize(("params", "pictures", "sigma", "kind", "message"), [
    ({}, ONES, 0.0, ValueError, "sigma must be positive and finite, got 0.0"),
    ({}, ONES, np.inf, ValueError, "sigma must be positive and finite, got inf"),
    ({}, ONES, "1", TypeError, "sigma must be a positive number, got '1'"),
    ({}, ONES, 1e-200, ValueError, "sigma must be from 1e-150 to 1e+150, got 1e-200"),
    ({}, ONES[0], 1.0, ValueError, SHAPE + "(4, 6); one picture is picture[None]"),
    ({}, ONES[..., None], 1.0, ValueError,
     "pictures must have the channels of those of fit, of shape (2, 4, 6), got shape (2, 4, 6, 1)"),
    ({"position": "same"}, np.ones((1, 6, 4)), 1.0, ValueError,
     "pictures must be as large as those of fit, 4 × 6 pixels, since pixels are compared at the same position, got "
     "6 × 4"),
    ({"window": None}, np.ones((1, 6, 4)), 1.0, ValueError,
     "pictures must be as large as those of fit, 4 × 6 pixels, since pixels are compared at the same position, got "
     "6 × 4"),
    ({"window": 5}, np.ones((1, 3, 6)), 1.0, ValueError,
     "the border must cut windows as in the pictures of fit, of 4 × 6 pixels: give pictures as large, or no side below "
     "the window's 5 in either, got 3 × 6"),
    ({"padding": "wrap", "window": 3}, np.ones((1, 2, 6)), 1.0, ValueError,
     "pictures must be at least as large as the window of 3 with padding='wrap', got 2 × 6 pixels"),
    ({}, np.where(ONES, np.inf, 0), 1.0, ValueError, "Input pictures contains infinity or a value too large for "
     "dtype('float64')."),
])
def test_what_denoise_refuses(params, pictures, sigma, kind, message):
    denoiser = PatchDenoiser(**({"window": 3} | params)).fit(ONES)
    with pytest.raises(kind) as caught:
        denoiser.denoise(pictures, sigma)
    assert str(caught.value).splitlines()[0] == message


def test_threads_with_different_levels_do_not_disturb_each_other():
    pictures, levels = np.random.default_rng(0).normal(size=(6, 7, 7)), np.geomspace(0.1, 3.0, 30)
    denoiser = PatchDenoiser(3).fit(pictures)
    alone = [denoiser.denoise(pictures, sigma) for sigma in levels]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda sigma: denoiser.denoise(pictures, sigma), levels))
    for one, other in zip(alone, together, strict=True):
        assert_array_equal(one, other)

"""The dense CRF: against slow loops, against enumeration of all labellings, and clear refusals."""

import itertools
import re
import warnings

import numpy as np
import pytest
from scipy.special import logsumexp, softmax
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from locmethods.companion import datasets
from locmethods.relaxation import DenseCRF, mean_field, safe_damping, unary_from_labels

SEEDS = range(4)
SETTINGS = dict(position=1.0, appearance=(2.0, 90.0))
UNSETTLED = pytest.mark.filterwarnings("ignore:the marginals have not settled:sklearn.exceptions.ConvergenceWarning")


def task(seed=0, shape=(3, 3), n_labels=2, channels=3):
    """Return a random picture and random energies."""
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 255, (*shape, channels)), rng.normal(size=(*shape, n_labels))


def slow_pairs(picture, weights, normalization, *, position, appearance):
    """Return the matrix of the pairs' weights, by a loop over all of them, and its diagonal if it were not hollow."""
    places = list(np.ndindex(picture.shape[:2]))
    near, alike = appearance
    gaussians = np.zeros((2, len(places), len(places)))
    for (i, here), (j, there) in itertools.product(enumerate(places), repeat=2):
        apart = sum((a - b) ** 2 for a, b in zip(here, there, strict=True))
        colour = sum((a - b) ** 2 for a, b in zip(np.ravel(picture[here]), np.ravel(picture[there]), strict=True))
        gaussians[0, i, j] = np.exp(-apart / (2 * position**2))
        gaussians[1, i, j] = np.exp(-apart / (2 * near**2) - colour / (2 * alike**2))
    if normalization == "symmetric":
        size = np.sqrt(gaussians.sum(-1))
        gaussians /= size[:, :, None] * size[:, None, :]
    whole = np.einsum("m,mij->ij", weights, gaussians)
    return whole - np.diag(np.diag(whole)), np.diag(whole)


def potts(n_labels):
    return 1 - np.eye(n_labels)


def free_energy(q, unary, pairs, costs):
    """Return F by loops over pixels, pairs and labels."""
    total = 0.0
    for i, row in enumerate(q):
        total += sum(p * (u + np.log(p)) for p, u in zip(row, unary[i], strict=True))
        for j in range(i):
            total += pairs[i, j] * sum(p * costs[a, b] * r for a, p in enumerate(row) for b, r in enumerate(q[j]))
    return total


def slow_mean_field(unary, pairs, costs, steps):
    """Take undamped steps, pixel by pixel."""
    q = softmax(-unary, axis=1)
    for _ in range(steps):
        q = np.array([softmax([-unary[i, a] - sum(pairs[i, j] * costs[a, b] * q[j, b] for j in range(len(q))
                                                  for b in range(len(costs))) for a in range(len(costs))])
                      for i in range(len(q))])
    return q


def enumerated(unary, pairs, costs):
    """Return the exact marginals and log Z, from every labelling there is."""
    n, n_labels = unary.shape
    labellings = np.array(list(itertools.product(range(n_labels), repeat=n)))
    scores = np.array([-unary[np.arange(n), one].sum() - sum(pairs[i, j] * costs[one[i], one[j]]
                                                             for i in range(n) for j in range(i))
                       for one in labellings])
    log_z = logsumexp(scores)
    chance = np.exp(scores - log_z)
    return np.array([[chance[labellings[:, i] == a].sum() for a in range(n_labels)] for i in range(n)]), log_z


@UNSETTLED
@pytest.mark.parametrize("normalization", ["symmetric", "none"])
@pytest.mark.parametrize("weights", [(1.0, 2.0), (0.0, 3.0), (3.0, 0.0)])
@pytest.mark.parametrize("seed", SEEDS)
def test_undamped_steps_are_those_of_a_slow_loop(seed, weights, normalization):
    picture, unary = task(seed, (2, 4), 3)
    pairs, _ = slow_pairs(picture, weights, normalization, **SETTINGS)
    model = DenseCRF(**SETTINGS, weights=weights, normalization=normalization, damping=0.0, tol=0.0, max_iter=5)
    model.fit(picture, unary)
    expected = slow_mean_field(unary.reshape(8, 3), pairs, potts(3), 5)
    # Sums of 8 terms, five times over.
    np.testing.assert_allclose(model.marginals_.reshape(8, 3), expected, atol=1e-12)
    np.testing.assert_array_equal(model.labels_.ravel(), expected.argmax(1))
    for step in (0, 5):
        q = slow_mean_field(unary.reshape(8, 3), pairs, potts(3), step)
        np.testing.assert_allclose(model.free_energies_[step], free_energy(q, unary.reshape(8, 3), pairs, potts(3)),
                                   rtol=1e-11)  # rounding of some hundred terms
        ahead = slow_mean_field(unary.reshape(8, 3), pairs, potts(3), step + 1)
        np.testing.assert_allclose(model.residuals_[step], np.abs(ahead - q).max(), atol=1e-12)


@UNSETTLED
def test_any_symmetric_compatibility_and_any_channels():
    costs = np.array([[0.0, 1.0, 3.0], [1.0, -0.5, 1.0], [3.0, 1.0, 0.2]])
    for channels in (1, 4):
        picture, unary = task(1, (3, 3), 3, channels)
        pairs, _ = slow_pairs(picture, (1.0, 2.0), "none", **SETTINGS)
        model = DenseCRF(**SETTINGS, weights=(1.0, 2.0), normalization="none", compatibility=costs, damping=0.0,
                         tol=0.0, max_iter=3)
        model.fit(picture[..., 0] if channels == 1 else picture, unary.reshape(9, 3))
        expected = slow_mean_field(unary.reshape(9, 3), pairs, costs, 3)
        np.testing.assert_allclose(model.marginals_.reshape(9, 3), expected, atol=1e-12)  # sums of 9 terms


@pytest.mark.parametrize("seed", SEEDS)
def test_weakly_coupled_marginals_are_those_of_all_labellings_to_second_order(seed):
    picture, unary = task(seed)
    errors = []
    for weight in (0.04, 0.02, 0.01):
        pairs, _ = slow_pairs(picture, (weight, weight), "none", **SETTINGS)
        exact, _ = enumerated(unary.reshape(9, 2), pairs, potts(2))
        model = DenseCRF(**SETTINGS, weights=(weight, weight), normalization="none", tol=1e-13, max_iter=200)
        errors.append(np.abs(model.fit(picture, unary).marginals_.reshape(9, 2) - exact).max())
    # To first order in the weight both are softmax(−u − m(q₀)); what differs is of second order, so that half the
    # weight leaves a quarter of the error, up to the third order's share.
    assert errors[0] < 0.04**2 * 9
    assert 3.5 < errors[0] / errors[1] < 4.6 and 3.5 < errors[1] / errors[2] < 4.6


@pytest.mark.parametrize("weight", [0.1, 1.0, 4.0])
@pytest.mark.parametrize("seed", SEEDS)
def test_free_energy_is_above_minus_log_z_by_the_divergence(seed, weight):
    picture, unary = task(seed, (2, 3))
    pairs, _ = slow_pairs(picture, (weight, weight), "symmetric", **SETTINGS)
    _, log_z = enumerated(unary.reshape(6, 2), pairs, potts(2))
    model = DenseCRF(**SETTINGS, weights=(weight, weight), tol=1e-10, max_iter=2000).fit(picture, unary)
    q = model.marginals_.reshape(6, 2)
    divergence = 0.0
    for labelling in itertools.product(range(2), repeat=6):
        cost = sum(unary.reshape(6, 2)[i, a] for i, a in enumerate(labelling))
        cost += sum(pairs[i, j] for i in range(6) for j in range(i) if labelling[i] != labelling[j])
        chance = np.prod([q[i, a] for i, a in enumerate(labelling)])
        divergence += chance * (np.log(chance) + cost + log_z)
    # Sums of 64 terms on either side.
    np.testing.assert_allclose(model.free_energies_[-1] + log_z, divergence, atol=1e-12)
    assert divergence >= 0


@pytest.mark.parametrize("costs", [None, [[0, 1, 2], [1, 0, 1], [2, 1, 0]], [[0, -1, 1], [-1, 0, -2], [1, -2, 0]]],
                         ids=["Potts", "distance", "attraction of others"])
@pytest.mark.parametrize("normalization", ["symmetric", "none"])
@pytest.mark.parametrize("seed", [0, 1])
def test_safely_damped_steps_never_raise_the_free_energy(seed, normalization, costs):
    picture, unary = task(seed, (3, 4), 3)
    model = DenseCRF(**SETTINGS, weights=(5.0, 20.0), normalization=normalization, compatibility=costs, tol=1e-6,
                     max_iter=3000).fit(picture, unary)
    assert model.converged_ and model.damping_.max() > 0.5
    # What rises is the rounding of F, some hundred terms.
    assert (np.diff(model.free_energies_) <= 1e-12 * np.abs(model.free_energies_).max()).all()
    assert model.free_energies_[0] - model.free_energies_[-1] > 1e-3
    # Where it stands still, moving one pixel after the other finds nothing better either.
    pairs, _ = slow_pairs(picture, (5.0, 20.0), normalization, **SETTINGS)
    costs = np.array(potts(3) if costs is None else costs)
    q, flat = model.marginals_.reshape(12, 3), unary.reshape(12, 3)
    for i in range(12):
        np.testing.assert_allclose(softmax(-flat[i] - costs @ (pairs[i] @ q)), q[i], atol=2e-6)  # twice tol


@pytest.mark.parametrize("seed", SEEDS)
def test_steps_of_one_pixel_after_the_other_lower_the_free_energy_to_where_ours_ends(seed):
    picture, unary = task(seed, (2, 3))
    pairs, _ = slow_pairs(picture, (1.0, 3.0), "symmetric", **SETTINGS)
    flat = unary.reshape(6, 2)
    q = softmax(-flat, axis=1)
    levels = [free_energy(q, flat, pairs, potts(2))]
    for step in range(300):
        i = step % 6
        q[i] = softmax(-flat[i] - potts(2) @ (pairs[i] @ q))
        levels.append(free_energy(q, flat, pairs, potts(2)))
    assert (np.diff(levels) <= 1e-13).all()  # rounding of F
    ours = DenseCRF(**SETTINGS, weights=(1.0, 3.0), tol=1e-9, max_iter=5000).fit(picture, unary)
    # Fifty rounds leave 1e-6 of a marginal or less, and F, whose slope vanishes there, its square.
    np.testing.assert_allclose(ours.marginals_.reshape(6, 2), q, atol=1e-6)
    np.testing.assert_allclose(ours.free_energies_[-1], levels[-1], atol=1e-11)


def test_undamped_steps_may_swing_for_ever_where_safe_ones_settle():
    # Two pixels that had rather differ, both beginning with the same label: in turn both change their minds.
    pairs, costs = np.array([[0.0, 4.0], [4.0, 0.0]]), np.eye(2)
    unary = np.array([[0.0, 0.5], [0.0, 0.5001]])
    with pytest.warns(ConvergenceWarning, match=r"^the marginals have not settled after 200 steps: one more would "
                      r"change them by up to .*; raise max_iter or tol, or, if residuals do not fall, damping$"):
        swinging = mean_field(unary, lambda q: pairs @ q, compatibility=costs, max_iter=200)
    assert not swinging.settled and swinging.n_iter == 200 and swinging.residuals[-1] > 0.9
    assert (np.diff(swinging.free_energies) > 0.1).any()
    damping = safe_damping(np.full(2, 4.0), np.full(2, 4.0), compatibility=costs)
    # Eigenvalue 1 on (1, −1): c = 4/4 − 1/2, and λ = c/(1 + c).
    np.testing.assert_allclose(damping, 1 / 3)
    settled = mean_field(unary, lambda q: pairs @ q, compatibility=costs, damping=damping, tol=1e-8, max_iter=2000)
    assert settled.settled and (np.diff(settled.free_energies) <= 1e-12).all()
    assert sorted(settled.marginals.argmax(1)) == [0, 1]


def test_safe_damping_is_the_formula_of_the_pixels_own_weight():
    picture, unary = task(2, (2, 4))
    _, own = slow_pairs(picture, (3.0, 10.0), "symmetric", **SETTINGS)
    model = DenseCRF(**SETTINGS, weights=(3.0, 10.0), max_iter=500).fit(picture, unary)
    more = np.maximum(0, own / 4 - 0.5)
    np.testing.assert_allclose(model.damping_.ravel(), more / (1 + more), atol=1e-12)
    assert (DenseCRF(**SETTINGS, damping=0.25, max_iter=500).fit(picture, unary).damping_ == 0.25).all()


def test_a_support_may_write_on_what_it_is_given_and_answer_in_any_type():
    _, unary = task(2, (2, 4))
    unary = unary.reshape(8, -1).astype(np.float32)

    def support(q):
        q *= 0.5  # a support that needs no room of its own
        return q.astype(np.float64)

    found, calm = (mean_field(unary, one) for one in (support, lambda q: 0.5 * q))
    assert found.marginals.dtype == np.float32
    np.testing.assert_array_equal(found.marginals, calm.marginals)
    np.testing.assert_array_equal(found.free_energies, calm.free_energies)


def test_tensors_are_taken_as_arrays():
    torch = pytest.importorskip("torch")
    picture, unary = task(2, (4, 5))
    field = DenseCRF(**SETTINGS, max_iter=500)
    found = field.fit(torch.from_numpy(np.array(picture, float)), torch.from_numpy(unary).requires_grad_()).marginals_
    np.testing.assert_array_equal(found, field.fit(picture, unary).marginals_)


def test_without_pairs_marginals_are_the_unarys_own():
    picture, unary = task(0, (4, 5), 4)
    model = DenseCRF(weights=(0.0, 0.0)).fit(picture, unary)
    np.testing.assert_allclose(model.marginals_, softmax(-unary, axis=-1), atol=1e-15)
    assert model.n_iter_ == 0 and model.converged_ and model.residuals_.shape == model.free_energies_.shape == (1,)
    np.testing.assert_allclose(model.free_energies_[0], -logsumexp(-unary, axis=-1).sum(), rtol=1e-13)


@pytest.mark.parametrize("picture", [np.zeros((1, 1, 3)), np.full((5, 4), 7)], ids=["one pixel", "one colour"])
def test_degenerate_pictures(picture):
    unary = np.zeros((*picture.shape[:2], 2))
    unary[..., 1] = 1.0
    model = DenseCRF().fit(picture, unary)
    assert np.isfinite(model.marginals_).all() and (model.labels_ == 0).all()
    if picture.size == 3:  # nobody to hear from
        np.testing.assert_allclose(model.marginals_.ravel(), softmax([0.0, -1.0]), atol=1e-15)


def test_large_energies_leave_no_nan():
    picture, unary = task()
    model = DenseCRF(weights=(1e4, 1e4), normalization="none", tol=1e-3, max_iter=50_000).fit(picture, 1e6 * unary)
    assert np.isfinite(model.marginals_).all() and np.isfinite(model.free_energies_).all()
    np.testing.assert_array_equal(model.labels_, unary.argmin(-1))


def test_a_picture_large_enough_for_compiled_sums_in_both_floating_types():
    rng = np.random.default_rng(0)
    picture, unary = rng.uniform(0, 255, (36, 36, 3)), rng.normal(size=(36, 36, 2))
    pairs, _ = fast_pairs(picture, (2.0, 4.0), position=3.0, appearance=(10.0, 60.0))
    q = softmax(-unary.reshape(-1, 2), axis=1)
    for _ in range(3):
        q = softmax(-unary.reshape(-1, 2) - pairs @ q @ potts(2), axis=1)
    model = DenseCRF(position=3.0, appearance=(10.0, 60.0), weights=(2.0, 4.0), damping=0.0, tol=0.0, max_iter=3)
    # Float32 sums are within 1e-5 of themselves; energies of at most six, at three steps.
    for dtype, error in ((np.float64, 1e-11), (np.float32, 1e-3)):
        with pytest.warns(ConvergenceWarning):
            model.fit(picture, unary.astype(dtype))
        assert model.marginals_.dtype == dtype
        np.testing.assert_allclose(model.marginals_.reshape(-1, 2), q, atol=error)


def fast_pairs(picture, weights, *, position, appearance):
    """Return what `slow_pairs` returns, symmetrically normalised, from dense matrices."""
    from scipy.spatial.distance import cdist

    places = np.argwhere(np.ones(picture.shape[:2]))
    apart, colour = cdist(places, places, "sqeuclidean"), cdist(*[picture.reshape(len(places), -1)] * 2, "sqeuclidean")
    whole = 0
    for weight, exponent in zip(weights, (apart / position**2, apart / appearance[0]**2 + colour / appearance[1]**2),
                                strict=True):
        gaussian = np.exp(-exponent / 2)
        whole = whole + weight * gaussian / np.sqrt(np.outer(gaussian.sum(0), gaussian.sum(0)))
    return whole - np.diag(np.diag(whole)), np.diag(whole)


def test_strokes_spread_over_what_looks_alike_and_stop_at_an_edge():
    picture = np.zeros((12, 20, 3), np.uint8)
    picture[:, 9:] = 200
    picture += np.random.default_rng(0).integers(0, 20, picture.shape, dtype=np.uint8)
    strokes = np.full((12, 20), -1)
    strokes[5, 2:5], strokes[5, 14:17] = 0, 1
    labels = DenseCRF(weights=(1.0, 20.0), max_iter=100).fit_predict(picture, unary_from_labels(strokes))
    np.testing.assert_array_equal(labels, np.broadcast_to(np.arange(20) >= 9, (12, 20)))


def test_a_photograph_is_cut_along_its_strokes():
    picture, strokes = datasets.temple(12), datasets.temple_strokes(12)
    assert picture.shape == (*strokes.shape, 3) and set(strokes.ravel()) == {-1, 0, 1, 2}
    model = DenseCRF(position=1.0, appearance=(5.0, 0.08), max_iter=100)
    labels = model.fit_predict(picture, unary_from_labels(strokes, 0.99))
    known = strokes >= 0
    assert (labels == strokes)[known].mean() > 0.97  # a stroke that grazes another thing may be overruled
    # The sky is paler than the trees, and blue; nobody has told the field so.
    brightness = [picture[(labels == label) & ~known].mean() for label in (0, 1, 2)]
    assert brightness[0] > 1.5 * max(brightness[1:]) and model.converged_


def test_labels_become_energies():
    unary = unary_from_labels([[0, 2], [-1, 1]], 0.7)
    expected = [[[0.7, 0.15, 0.15], [0.15, 0.15, 0.7]], [[1 / 3] * 3, [0.15, 0.7, 0.15]]]
    np.testing.assert_allclose(np.exp(-unary), expected, rtol=1e-14)
    assert unary_from_labels([[-1, 0]]).shape == (1, 2, 2) and unary_from_labels([[0]], n_labels=5).shape == (1, 1, 5)


def test_parameters_are_cloned_and_set():
    model = clone(DenseCRF(position=2.0)).set_params(weights=(1.0, 1.0))
    assert model.get_params()["position"] == 2.0 and model.weights == (1.0, 1.0)


def test_it_says_when_it_has_not_settled():
    picture, unary = task()
    message = (r"^the marginals have not settled after 1 steps: one more would change them by up to [0-9.e-]+; raise "
               r"max_iter or tol, or, if residuals_ do not fall, damping$")
    with pytest.warns(ConvergenceWarning, match=message):
        model = DenseCRF(max_iter=1, tol=0.0).fit(picture, unary)
    assert model.n_iter_ == 1 and not model.converged_ and len(model.residuals_) == 2


def test_it_says_when_the_width_of_colours_is_in_other_units():
    picture, unary = task()
    message = (r"^the picture's colours span [0-9.]+, less than their width 10, appearance\[1\], so they hardly count: "
               r"give the width in the picture's units$")
    with pytest.warns(UserWarning, match=message):
        DenseCRF(max_iter=500).fit(picture / 255, unary)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        DenseCRF(appearance=(60.0, 0.04), max_iter=500).fit(picture / 255, unary)


PICTURE, UNARY = task()
REFUSALS = [
    (lambda: DenseCRF(position=0).fit(PICTURE, UNARY), ValueError, "position must be positive and finite, got 0"),
    (lambda: DenseCRF(appearance=3.0).fit(PICTURE, UNARY), ValueError, "appearance must be a pair of numbers, got 3.0"),
    (lambda: DenseCRF(appearance=(60.0, -1.0)).fit(PICTURE, UNARY), ValueError,
     "appearance[1] must be positive and finite, got -1.0"),
    (lambda: DenseCRF(appearance=(0.0, 1.0)).fit(PICTURE, UNARY), ValueError,
     "appearance[0] must be positive and finite, got 0.0"),
    (lambda: DenseCRF(weights=(1.0, np.inf)).fit(PICTURE, UNARY), ValueError,
     "weights must be two finite numbers of at least 0, got (1.0, inf)"),
    (lambda: mean_field(UNARY[0][:, :1], np.zeros_like), ValueError,
     "unary must have shape (n, n_labels) with at least two labels, got shape (3, 1)"),
    (lambda: mean_field(UNARY[0], np.zeros_like, tol=-1.0), ValueError, "tol must be a number of at least 0, got -1.0"),
    (lambda: mean_field(UNARY[0], np.zeros_like, max_iter=0), ValueError,
     "max_iter must be an integer of at least 1, got 0"),
    (lambda: DenseCRF(weights=(1.0,)).fit(PICTURE, UNARY), ValueError, "weights must be a pair of numbers, got (1.0,)"),
    (lambda: DenseCRF(weights=(1.0, -2.0)).fit(PICTURE, UNARY), ValueError,
     "weights must be two finite numbers of at least 0, got (1.0, -2.0)"),
    (lambda: DenseCRF(normalization="after").fit(PICTURE, UNARY), ValueError,
     "normalization must be one of 'symmetric', 'none', got 'after'"),
    (lambda: DenseCRF(damping=1.0).fit(PICTURE, UNARY), ValueError,
     'damping must be "auto" or a number in [0, 1), got 1.0'),
    (lambda: DenseCRF(damping="much").fit(PICTURE, UNARY), ValueError,
     "damping must be \"auto\" or a number in [0, 1), got 'much'"),
    (lambda: DenseCRF(tol=-1).fit(PICTURE, UNARY), ValueError, "tol must be a number of at least 0, got -1"),
    (lambda: DenseCRF(max_iter=0).fit(PICTURE, UNARY), ValueError, "max_iter must be an integer of at least 1, got 0"),
    (lambda: DenseCRF().fit(PICTURE[0, 0], UNARY), ValueError,
     "picture must have shape (rows, columns) or (rows, columns, n_channels) and a pixel, got shape (3,)"),
    (lambda: DenseCRF().fit(np.zeros((0, 3, 3)), UNARY), ValueError,
     "picture must have shape (rows, columns) or (rows, columns, n_channels) and a pixel, got shape (0, 3, 3)"),
    (lambda: DenseCRF().fit(PICTURE, UNARY[:2]), ValueError,
     "unary must have shape (3, 3, n_labels) or (9, n_labels) with at least two labels, got shape (2, 3, 2)"),
    (lambda: DenseCRF().fit(PICTURE, UNARY[..., :1]), ValueError,
     "unary must have shape (3, 3, n_labels) or (9, n_labels) with at least two labels, got shape (3, 3, 1)"),
    (lambda: DenseCRF().fit(PICTURE, [[[np.inf, 0.0]] * 3] * 3), ValueError,
     "unary must be finite, got 9 NaN or infinite values in an array of shape (3, 3, 2)"),
    (lambda: DenseCRF().fit(np.full((3, 3), np.nan), UNARY), ValueError,
     "picture must be finite, got 9 NaN or infinite values in an array of shape (3, 3)"),
    (lambda: DenseCRF().fit(PICTURE, None), TypeError, "unary must be an array or a tensor, got None"),
    (lambda: DenseCRF(compatibility=[[0, 1]]).fit(PICTURE, UNARY), ValueError,
     "compatibility must be a symmetric matrix of shape (2, 2), got shape (1, 2)"),
    (lambda: DenseCRF(compatibility=[[0, 1], [2, 0]]).fit(PICTURE, UNARY), ValueError,
     "compatibility must be a symmetric matrix of shape (2, 2), got shape (2, 2), not symmetric"),
    (lambda: mean_field(UNARY, None), ValueError,
     "unary must have shape (n, n_labels) with at least two labels, got shape (3, 3, 2)"),
    (lambda: mean_field(UNARY[0], np.zeros_like, damping=[0.0, 0.5, 1.0]), ValueError,
     "damping must be in [0, 1), got values from 0 to 1"),
    (lambda: mean_field(UNARY[0], np.zeros_like, damping=[0.0, 0.5]), ValueError,
     "damping must be a number or of shape (3,), got shape (2,)"),
    (lambda: mean_field(UNARY[0], "potts"), TypeError, "support must be a function of the marginals, got str"),
    (lambda: mean_field(UNARY[0], lambda q: q[0]), ValueError, "support must return the shape (3, 2), got shape (2,)"),
    (lambda: mean_field(UNARY[0], lambda q: q * np.nan), ValueError,
     "what support returns must be finite, got 6 NaN or infinite values in an array of shape (3, 2)"),
    (lambda: safe_damping([1.0, -2.0], compatibility=1 - np.eye(2)), ValueError, "own must be at least 0, got -2"),
    (lambda: safe_damping([[1.0]], compatibility=1 - np.eye(2)), ValueError,
     "own must have shape (n,), got shape (1, 1)"),
    (lambda: safe_damping([np.nan], compatibility=1 - np.eye(2)), ValueError,
     "own must be finite, got 1 NaN or infinite value in an array of shape (1,)"),
    (lambda: safe_damping([1.0, 1.0], [1.0], compatibility=np.eye(2)), ValueError,
     "received must have shape (2,), got shape (1,)"),
    (lambda: safe_damping([1.0], compatibility=3.0), ValueError,
     "compatibility must be a symmetric matrix of shape (1, 1), got shape ()"),
    (lambda: safe_damping([1.0], compatibility=np.eye(2)), ValueError,
     "this compatibility rewards labels that differ, so received must be given, got None"),
    (lambda: safe_damping([1.0], compatibility=[0.0, 1.0]), ValueError,
     "compatibility must be a symmetric matrix of shape (2, 2), got shape (2,)"),
    (lambda: unary_from_labels([[0.5]]), ValueError,
     "labels must be integers of shape (rows, columns), got dtype float64 and shape (1, 1)"),
    (lambda: unary_from_labels(np.zeros((0, 2), int)), ValueError, "labels must hold a pixel, got shape (0, 2)"),
    (lambda: unary_from_labels([[0, 1]], 1.0), ValueError, "confidence must be a number in (0, 1), got 1.0"),
    (lambda: unary_from_labels([[0, 1]], n_labels=1), ValueError, "n_labels must be an integer of at least 2, got 1"),
    (lambda: unary_from_labels([[0, 2]], n_labels=2), ValueError,
     "labels must be −1 or from 0 to 1, got values from 0 to 2"),
    (lambda: unary_from_labels([[-2, 2]]), ValueError, "labels must be −1 or from 0 to 2, got values from -2 to 2"),
]


@pytest.mark.parametrize("call, error, message", REFUSALS, ids=[message for _, _, message in REFUSALS])
def test_bad_input_is_refused_with_a_sentence(call, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call()

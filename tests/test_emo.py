"""A loss that knows the neighbours: costs and optima beside slow loops, linear programs, POT and scipy's minimisers."""

import re

import numpy as np
import pytest
from scipy.optimize import linprog, minimize
from scipy.special import softmax

from locmethods.emo import bias_and_variance, costs, medoid, mixed_optimum, neighbor_mass, temperature_for_entropy
from locmethods.emo import transport_cost as cost_of

SEEDS = (0, 1, 2)


def sample(seed, n=12, v=9, d=4):
    """Return predictions, truths, truths that are spread, and embeddings of very different lengths."""
    rng = np.random.default_rng(seed)
    embeddings = rng.normal(size=(v, d)) * np.exp(3 * rng.normal(size=(v, 1)))
    return rng.dirichlet(np.full(v, 0.5), n), rng.integers(0, v, n), rng.dirichlet(np.full(v, 0.5), n), embeddings


def slow_costs(embeddings):
    """Return 1 − cosine of all pairs, pair by pair."""
    return np.array([[1 - x @ y / np.sqrt(x @ x * (y @ y)) if i != j else 0.0 for j, y in enumerate(embeddings)]
                     for i, x in enumerate(embeddings)])


def least_plan(p, q, costs):
    """Return the earth mover's distance by a linear program over all plans."""
    n = len(p)
    rows, columns = np.kron(np.eye(n), np.ones(n)), np.kron(np.ones(n), np.eye(n))
    return linprog(costs.ravel(), A_eq=np.vstack([rows, columns]), b_eq=np.concatenate([p, q])).fun


@pytest.mark.parametrize("seed", SEEDS)
def test_the_cost_of_one_truth_is_that_of_the_least_plan(seed):
    p, t, _, embeddings = sample(seed)
    costs = slow_costs(embeddings)
    least = [least_plan(row, np.eye(9)[one], costs) for row, one in zip(p, t, strict=True)]
    np.testing.assert_allclose(cost_of(p, t, embeddings), least, atol=1e-9)  # HiGHS is feasible to 1e-7 at worst
    ot = pytest.importorskip("ot", reason="a peer of the benchmarks")
    theirs = [ot.emd2(row, np.eye(9)[one], costs) for row, one in zip(p, t, strict=True)]
    np.testing.assert_allclose(cost_of(p, t, embeddings), theirs, atol=1e-14)  # sums of nine products


@pytest.mark.parametrize("seed", SEEDS)
def test_the_cost_of_a_spread_truth_is_that_of_independence_and_a_bound(seed):
    p, _, q, embeddings = sample(seed)
    costs = slow_costs(embeddings)
    found = cost_of(p, q, embeddings)
    np.testing.assert_allclose(found, np.einsum("ni,nj,ij->n", p, q, costs), atol=1e-14)
    ot = pytest.importorskip("ot", reason="a peer of the benchmarks")
    assert all(bound > ot.emd2(one, other, costs) for bound, one, other in zip(found, p, q, strict=True))


def test_a_token_without_a_direction_is_at_a_right_angle_to_all_others_and_at_no_cost_from_itself():
    embeddings = np.array([[0.0, 0], [1, 0], [1, 1]])
    costs = np.array([[0, 1, 1], [1, 0, 1 - np.sqrt(0.5)], [1, 1 - np.sqrt(0.5), 0]])
    p = np.array([[0.5, 0.3, 0.2]] * 3)
    np.testing.assert_allclose(cost_of(p, [0, 1, 2], embeddings), p[0] @ costs, atol=1e-15)
    q = np.array([[0.6, 0.4, 0.0]] * 3)
    np.testing.assert_allclose(cost_of(p, q, embeddings), [p[0] @ costs @ q[0]] * 3, atol=1e-15)
    assert medoid([0.2, 0.4, 0.4], embeddings) == 1 and medoid([0.8, 0.1, 0.1], embeddings) == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_bias_and_variance_are_those_of_the_directions(seed):
    p, t, _, embeddings = sample(seed)
    found = bias_and_variance(p, t, embeddings)
    units = embeddings / np.sqrt((embeddings**2).sum(1))[:, None]
    for i, (row, one) in enumerate(zip(p, t, strict=True)):
        mean = np.average(units, axis=0, weights=row)
        assert found.bias[i] == pytest.approx(((mean - units[one]) ** 2).sum() / 2, abs=1e-14)
        spread = np.cov(units.T, aweights=row, ddof=0)
        assert found.variance[i] == pytest.approx(np.trace(spread) / 2, abs=1e-14)
    np.testing.assert_allclose(found.bias + found.variance, cost_of(p, t, embeddings), atol=1e-14)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_medoid_has_the_least_expected_cost(seed):
    p, _, _, embeddings = sample(seed, n=40)
    expected = slow_costs(embeddings) @ p.T
    assert (medoid(p, embeddings) == expected.argmin(0)).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_the_mass_on_neighbours_is_that_of_a_sorted_list(seed):
    p, t, _, embeddings = sample(seed)
    costs = slow_costs(embeddings)
    for k in (1, 3, 8):
        slow = [sum(row[j] for j in sorted((j for j in range(9) if j != one), key=lambda j, one=one: costs[one, j])[:k])
                for row, one in zip(p, t, strict=True)]
        np.testing.assert_allclose(neighbor_mass(p, t, embeddings, n_neighbors=k), slow, atol=1e-15)
    np.testing.assert_allclose(neighbor_mass(p, t, embeddings, n_neighbors=8),
                               1 - p[np.arange(len(p)), t], atol=1e-15)


def test_cosines_are_held_a_few_rows_at_a_time(monkeypatch):
    p, t, _, embeddings = sample(0, n=40)
    whole = neighbor_mass(p, t, embeddings, n_neighbors=3)
    monkeypatch.setattr(costs, "BLOCK", 20)  # two rows of nine
    np.testing.assert_allclose(neighbor_mass(p, t, embeddings, n_neighbors=3), whole, atol=1e-15)


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_lengths_of_any_size_have_directions(scale):
    p, t, _, embeddings = sample(0)
    embeddings = np.random.default_rng(0).normal(size=(9, 4))
    np.testing.assert_allclose(cost_of(p, t, scale * embeddings), cost_of(p, t, embeddings), atol=1e-14)
    assert (medoid(p, scale * embeddings) == medoid(p, embeddings)).all()
    embeddings[np.arange(9), np.arange(9) % 4] = 0  # a coordinate that is zero is no measure of a length
    np.testing.assert_allclose(cost_of(p, t, scale * embeddings), cost_of(p, t, embeddings), atol=1e-14)


def test_of_equally_near_neighbours_the_first_count():
    assert neighbor_mass([0.4, 0.3, 0.2, 0.1], 3, np.ones((4, 2)), n_neighbors=2) == pytest.approx(0.7, abs=1e-15)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("weight", [0.0, 0.2, 0.7, 0.95])
@pytest.mark.one_in(4)
def test_the_optimum_of_a_mix_is_what_a_search_finds(seed, weight):
    p, _, _, embeddings = sample(seed, n=3, v=5)
    risk = slow_costs(embeddings) @ p.T
    for row, cost, found in zip(p, risk.T, mixed_optimum(p, embeddings, weight=weight), strict=True):
        def loss(z, row=row, cost=cost):
            logs = z - np.log(np.exp(z).sum())
            return -(1 - weight) * row @ logs + weight * np.exp(logs) @ cost

        searched = minimize(loss, np.zeros(5), method="BFGS", options={"gtol": 1e-9}).x
        # The loss is flat at its end: differences of gradients leave the root of a rounding, and more where q is small.
        np.testing.assert_allclose(found, softmax(searched), atol=1e-4)
        assert loss(np.log(found)) <= loss(searched) + 1e-12


def test_the_optimum_of_a_mix_satisfies_its_own_equation_at_any_weight():
    p, _, _, embeddings = sample(5, n=30, v=50)
    risk = p @ slow_costs(embeddings)
    for weight in (1e-9, 0.5, 0.999, 1 - 1e-12):
        q = mixed_optimum(p, embeddings, weight=weight)
        np.testing.assert_allclose(q.sum(1), 1, atol=1e-14)
        level = (1 - weight) * p / np.where(q > 0, q, 1) - weight * risk  # ν of every token
        np.testing.assert_allclose(level, level[:, :1] * np.ones(50), atol=1e-10)
    assert (mixed_optimum(p, embeddings, weight=1.0) == np.eye(50)[medoid(p, embeddings)]).all()
    np.testing.assert_array_equal(mixed_optimum(p, embeddings, weight=0.0), p / p.sum(1, keepdims=True))


def test_a_token_that_never_comes_gets_the_rest_if_it_is_the_medoid():
    angles = np.radians([0, 60, 30])
    embeddings, truth = np.column_stack([np.cos(angles), np.sin(angles)]), [0.5, 0.5, 0.0]
    half, whole = mixed_optimum(truth, embeddings, weight=0.5), mixed_optimum(truth, embeddings, weight=1.0)
    np.testing.assert_array_equal(whole, [0, 0, 1])
    assert half[2] == 0  # the least cost is 1 − cos 30°, and with λ = ½ the others still fill the sum
    near = mixed_optimum(truth, embeddings, weight=0.95)
    costs = np.array([(1 - 0.5) / 2, (1 - 0.5) / 2, 1 - np.sqrt(0.75)])
    by_hand = 0.05 * 0.5 / (0.95 * (costs[0] - costs[2]))
    np.testing.assert_allclose(near, [by_hand, by_hand, 1 - 2 * by_hand], atol=1e-14)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_temperature_has_the_entropy_that_was_asked_for(seed):
    logits = 5 * np.random.default_rng(seed).normal(size=(20, 30))
    for entropy in (0.01, 1.0, 3.3):
        shares = softmax(logits / temperature_for_entropy(logits, entropy), axis=1)
        assert -(shares * np.log(shares + 1e-300)).sum(1).mean() == pytest.approx(entropy, abs=1e-9)
    most = np.log(30)
    with pytest.raises(ValueError, match=r"^entropy must be between 0 and 3\.4012 nats, which these logits have at "
                       r"extreme temperatures, got 3\.5$"):
        temperature_for_entropy(logits, most + 0.0988)


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e307])
def test_a_temperature_is_in_the_units_of_the_logits(scale):
    logits = np.random.default_rng(3).normal(size=(6, 5))
    found = temperature_for_entropy(scale * logits, 1.0)
    assert found == pytest.approx(scale * temperature_for_entropy(logits, 1.0), rel=1e-9)  # a temperature to 10⁻¹²
    with pytest.raises(ValueError, match=r"^entropy must be finite, got nan$"):
        temperature_for_entropy(logits, float("nan"))


def test_bfloat16_of_torch_comes_in():
    torch = pytest.importorskip("torch", reason="tensors are optional")
    p, t = np.array([[0.5, 0.25, 0.25, 0.0], [0.125, 0.5, 0.25, 0.125]]), [0, 3]  # of few bits, which nothing rounds
    embeddings = np.array([[1.0, 0.5], [2.0, -1.0], [0.5, 0.75], [-1.0, 0.25]])
    half, units = torch.tensor(p).bfloat16(), torch.tensor(embeddings).bfloat16()
    np.testing.assert_array_equal(mixed_optimum(half, embeddings, weight=0.5), mixed_optimum(p, embeddings, weight=0.5))
    np.testing.assert_array_equal(neighbor_mass(half, t, units, n_neighbors=2),
                                  neighbor_mass(p, t, embeddings, n_neighbors=2))
    assert temperature_for_entropy(half, 1.2) == temperature_for_entropy(p, 1.2)


def test_the_search_for_a_temperature_begins_at_the_spread_and_ends_at_what_a_float_holds():
    near = temperature_for_entropy([1.0, 1.0 + 2.0**-30], 0.3)  # the levels of logits do not count
    assert near == pytest.approx(2.0**-30 * temperature_for_entropy([0.0, 1.0], 0.3), rel=1e-9)  # as above
    share = 1 / (1 + np.exp(-1e308 / np.finfo(float).max))  # no float is a higher temperature
    most = -share * np.log(share) - (1 - share) * np.log(1 - share)
    with pytest.raises(ValueError, match=rf"^entropy must be between 0 and {most:g} nats, which these logits have at "
                       r"extreme temperatures, got 0\.69$"):
        temperature_for_entropy([0.0, 1e308], 0.69)


def test_tensors_come_in_beside_arrays_and_in_other_types():
    torch = pytest.importorskip("torch", reason="tensors are optional")
    p, t, _, embeddings = sample(0)
    expected, nearest = cost_of(p, t, embeddings), medoid(p, embeddings)
    wide, single = torch.tensor(p), torch.tensor(embeddings).float()
    exact = torch.tensor(embeddings)
    for one, other in ((wide, embeddings), (p, exact), (wide, single), (p, single), (wide.float(), exact)):
        found = cost_of(one, t, other)
        assert isinstance(found, torch.Tensor) and found.dtype == torch.float64
        np.testing.assert_allclose(found, expected, atol=1e-6)  # embeddings in single precision
        assert (medoid(one, other).numpy() == nearest).all()
    assert (mixed_optimum(p, embeddings, weight=torch.tensor(0.5)) == mixed_optimum(p, embeddings, weight=0.5)).all()
    embeddings[2] = 0  # has no direction, and costs itself nothing
    deep = cost_of(wide.reshape(3, 4, 9), torch.tensor(t.reshape(3, 4)), torch.tensor(embeddings))
    np.testing.assert_allclose(deep, cost_of(p, t, embeddings).reshape(3, 4), atol=1e-14)
    with pytest.raises(ValueError, match=r"^targets must be from 0 to 8, got values from 0 to 9$"):
        cost_of(wide[:2], torch.tensor([0, 9]), embeddings)


def test_a_weight_next_to_nothing_gives_the_truth():
    p, _, _, embeddings = sample(1)
    found = mixed_optimum(p, embeddings, weight=1e-320)  # warnings are errors in tests
    np.testing.assert_allclose(found, p, atol=1e-15)


def test_single_precision_stays_and_shapes_are_kept():
    p, t, q, embeddings = sample(0)
    single = p.astype(np.float32), embeddings.astype(np.float32)
    assert cost_of(single[0], t, single[1]).dtype == np.float32
    np.testing.assert_allclose(cost_of(single[0], t, single[1]), cost_of(p, t, embeddings), atol=2e-6)
    deep = p.reshape(3, 4, 9)
    for found in (cost_of(deep, t.reshape(3, 4), embeddings), cost_of(deep, q.reshape(3, 4, 9), embeddings),
                  medoid(deep, embeddings), neighbor_mass(deep, t.reshape(3, 4), embeddings),
                  *bias_and_variance(deep, t.reshape(3, 4), embeddings)):
        assert found.shape == (3, 4)
    assert mixed_optimum(deep, embeddings, weight=0.5).shape == (3, 4, 9)
    assert cost_of(p[0], t[0], embeddings).shape == () == np.shape(medoid(p[0], embeddings))
    nobody = np.empty((0, 9)), np.empty(0, int)
    assert cost_of(np.empty((0, 1)), np.empty(0, int), [[1.0]]).shape == (0,)  # of the one token there is
    assert cost_of(*nobody, embeddings).shape == (0,) == bias_and_variance(*nobody, embeddings).bias.shape


def test_duplicates_and_one_token():
    same = np.ones((4, 2))
    assert cost_of([0.1, 0.2, 0.3, 0.4], 2, same) == pytest.approx(0, abs=1e-15)
    np.testing.assert_allclose(mixed_optimum([0.1, 0.2, 0.3, 0.4], same, weight=0.5), [0.1, 0.2, 0.3, 0.4], atol=1e-15)
    assert cost_of([1.0], 0, [[3.0]]) == 0 and medoid([1.0], [[3.0]]) == 0


GOOD = {"probabilities": [[0.5, 0.5, 0.0]], "targets": [0], "embeddings": [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]}
BAD = [
    ({"probabilities": [[0.5, 0.6, 0.0]]}, "probabilities must have rows whose sum is one, got 1.1"),
    ({"probabilities": [[0.5, 0.5, 0.0], [0.5, 0.6, 0.0]]}, "probabilities must have rows whose sum is one, got 1.1"),
    ({"probabilities": [[1.5, -0.5, 0.0]]}, "probabilities must not be negative, got -0.5"),
    ({"probabilities": [[0.5, 0.5]]}, "probabilities must have 3 columns, one for each embedding, got 2"),
    ({"probabilities": 1.0}, "probabilities must have shape (..., n_tokens), got ()"),
    ({"targets": [3]}, "targets must be from 0 to 2, got values from 3 to 3"),
    ({"targets": [-1]}, "targets must be from 0 to 2, got values from -1 to -1"),
    ({"probabilities": [[0.5, 0.5, 0.0]] * 2, "targets": [0, 3]},
     "targets must be from 0 to 2, got values from 0 to 3"),
    ({"probabilities": [[0.5, 0.5, 0.0]] * 2, "targets": [-1, 2]},
     "targets must be from 0 to 2, got values from -1 to 2"),
    ({"targets": [0, 1]}, "targets must have shape (1,), one token a position, got (2,)"),
    ({"targets": [0.5, 0.5, 0.0]}, "targets must be integers of shape (1,) or probabilities of shape (1, 3), got "
     "probabilities of shape (3,)"),
    ({"targets": [[0.5, 0.5, 0.5]]}, "targets must have rows whose sum is one, got 1.5"),
    ({"embeddings": [1.0, 2.0, 3.0]}, "embeddings must have shape (n_tokens, n_features), got (3,)"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_what_must_hold_is_said(change, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        cost_of(**(GOOD | change))


def test_what_else_must_hold_is_said():
    with pytest.raises(TypeError, match=r"^targets must be integers, or probabilities, got dtype bool$"):
        cost_of(**(GOOD | {"targets": [True]}))
    spread = GOOD | {"targets": [[0.5, 0.5, 0.0]]}
    for function in (bias_and_variance, neighbor_mass):
        with pytest.raises(ValueError, match=r"^targets must be integers of shape \(1,\), got probabilities$"):
            function(**spread)
    with pytest.raises(ValueError, match=r"^embeddings must have no row of zeros, which has no direction, got 1, the "
                       r"first of them row 1$"):
        bias_and_variance(**(GOOD | {"embeddings": [[1.0, 0], [0, 0], [1, 1]]}))
    with pytest.raises(ValueError, match=r"^n_neighbors must be less than the number of tokens, 3, got 3$"):
        neighbor_mass(**GOOD, n_neighbors=3)
    for function in (medoid, lambda p, embeddings: mixed_optimum(p, embeddings, weight=0.5)):
        with pytest.raises(ValueError, match=r"^probabilities must have 3 columns, one for each embedding, got 2$"):
            function([0.5, 0.5], GOOD["embeddings"])
    for weight in (-0.1, 1.5, float("nan")):
        with pytest.raises(ValueError, match=rf"^weight must be a number from 0 to 1, got {weight}$"):
            mixed_optimum(GOOD["probabilities"], GOOD["embeddings"], weight=weight)
    with pytest.raises(ValueError, match=r"^logits must have shape \(\.\.\., n_tokens\) and a position at least, got "
                       r"\(0, 3\)$"):
        temperature_for_entropy(np.empty((0, 3)), 1.0)

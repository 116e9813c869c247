"""The oracle itself, against fifty digits and by hand."""

import mpmath
import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from tests import oracles
from tests.oracles import Pairs, evaluate, hollow, mapped, masked, multiplied, named, scaled, summed

mp = mpmath.mp.clone()
mp.dps = 60
FORMULAS = {
    "Gaussian": lambda u, s: mp.exp(-u * u / 2),
    "Laplace": lambda u, s: mp.exp(-u),
    "Cauchy": lambda u, s: 1 / (1 + u * u),
    "Matern32": lambda u, s: (1 + mp.sqrt(3) * u) * mp.exp(-mp.sqrt(3) * u),
    "Epanechnikov": lambda u, s: 1 - u * u if u < 1 else mp.mpf(0),
    "Triangular": lambda u, s: 1 - u if u < 1 else mp.mpf(0),
    "Biweight": lambda u, s: (1 - u * u) ** 2 if u < 1 else mp.mpf(0),
    "Tricube": lambda u, s: (1 - u**3) ** 3 if u < 1 else mp.mpf(0),
    "Wendland": lambda u, s: (1 - u) ** 4 * (1 + 4 * u) if u < 1 else mp.mpf(0),
    "Flat": lambda u, s: mp.mpf(u <= 1),
    "Shepard": lambda u, s: u**-3,
    "Exponential": lambda u, s: mp.exp(s),
    "Polynomial": lambda u, s: (s + 1) ** 5,
    "Linear": lambda u, s: s,
}


@pytest.mark.parametrize("offset", [0.0, 1e6])
@pytest.mark.parametrize("unit", [1.0, 2.0**450, 2.0**-450, 1e-20])
@pytest.mark.parametrize("kind", FORMULAS)
@pytest.mark.one_in(4)
def test_logarithms_of_weights_are_right_to_the_sixteenth_decimal(kind, unit, offset):
    assert set(FORMULAS) == set(oracles.KNOWN) - {"NearestNeighbors", "Balloon", *oracles.LEVELS}
    rng = np.random.default_rng(0)
    query, keys = ((rng.normal(size=(n, 3)) + offset) * unit for n in (4, 20))
    query[3] += 1e4 * unit  # far from every key
    length = 1.5 * unit
    given = {"Shepard": {"power": 3.0}, "Exponential": {"temperature": unit * unit}, "Linear": {},
             "Polynomial": {"degree": 5, "offset": unit * unit}}
    given = given.get(kind, {"bandwidth" if kind in oracles.SMOOTH else "radius": length})
    found = evaluate(named(kind, **given), Pairs(query, keys))
    for i, j in np.ndindex(4, 20):
        pairs = [(mp.mpf(a), mp.mpf(b)) for a, b in zip(query[i], keys[j], strict=True)]
        u = mp.sqrt(sum((a - b) ** 2 for a, b in pairs)) / (1 if kind == "Shepard" else length)
        s = sum(a * b for a, b in pairs) / (1 if kind == "Linear" else mp.mpf(unit * unit))
        wanted = FORMULAS[kind](u, s)
        if kind == "Polynomial":
            wanted *= mp.mpf(unit * unit) ** 5
        log = mp.mpf(found.log.high[i, j]) + mp.mpf(found.log.low[i, j])
        if wanted == 0:
            assert log == -mp.inf
        else:
            # A logarithm of a number between 1/2 and 1 in doubles, five times.
            assert abs(log - mp.log(abs(wanted))) < 2e-15
            assert found.sign[i, j] == (1 if wanted > 0 else -1)


def test_kernels_of_levels_are_products_over_the_columns():
    query, keys = np.array([[0.0, 2.0], [1.0, 1.0]]), np.array([[0.0, 2.0], [0.0, 0.0], [2.0, 1.0]])
    share, c = mp.mpf(0.3), 4
    same, other = 1 - share, share / (c - 1)
    wanted = {"Categorical": [[same**2, same * other, other**2], [other**2, other**2, other * same]],
              "Ordered": [[1, share**2, share**3], [share**2, share**2, share]]}
    for kind, rows in wanted.items():
        found = evaluate(named(kind, bandwidth=0.3, **({"n_levels": c} if kind == "Categorical" else {})),
                         Pairs(query, keys)).log
        for i, j in np.ndindex(2, 3):
            off = mp.mpf(found.high[i, j]) + mp.mpf(found.low[i, j]) - mp.log(rows[i][j])
            assert abs(off) < 2e-15  # as above
        none = evaluate(named(kind, bandwidth=0.0, **({"n_levels": c} if kind == "Categorical" else {})),
                        Pairs(query, keys)).log
        np.testing.assert_allclose(none.high, [[0, -np.inf, -np.inf], [-np.inf] * 3], rtol=0, atol=2e-15)


def test_ties_of_rank_kernels_fall_as_scikit_learn_breaks_them():
    grid = np.array([[i, j] for i in range(7) for j in range(7)], float)
    query = np.array([[3.0, 3.0], [2.5, 2.5], [0.0, 6.0]])
    for k in (1, 2, 3, 6, 11):
        pairs = Pairs(query, grid)
        wanted = NearestNeighbors(n_neighbors=k).fit(grid).kneighbors_graph(query).toarray()
        np.testing.assert_array_equal(oracles.nearest_neighbors(pairs, k), wanted)
        wanted = NearestNeighbors(n_neighbors=k).fit(grid).kneighbors_graph().toarray()
        np.testing.assert_array_equal(oracles.nearest_neighbors(Pairs(grid, grid), k, hollow=True), wanted)
        assert not pairs.doubts.any()


def test_a_hollow_rank_kernel_keeps_its_number_inside_every_combination():
    keys = np.random.default_rng(1).normal(size=(30, 2))
    query = keys + 0.01
    near = named("NearestNeighbors", n_neighbors=3)
    wide = named("Cauchy", bandwidth=1.0)
    allowed = np.ones((30, 30), bool)
    for inside in (near, scaled(2.0, near), mapped(near, "half"), multiplied(near, wide), masked(near, allowed),
                   multiplied(scaled(2.0, mapped(near, "mirror")), wide)):
        counts = (oracles.weights(hollow(inside), Pairs(query, keys)) > 0).sum(1)
        assert (counts == 3).all()
    both = evaluate(hollow(summed(near, wide)), Pairs(query, keys))
    assert (np.diag(both.log.high) == -np.inf).all()
    assert ((both.log.high > evaluate(wide, Pairs(query, keys)).log.high + 0.1).sum(1) == 3).all()


def test_what_rounding_decides_is_doubted():
    pairs = Pairs(np.array([[0.0], [0.0], [10.0]]), np.array([[0.1 + 0.2], [1.0], [2.0]]))
    oracles.evaluate(named("Flat", radius=0.3), pairs)
    assert pairs.doubts.tolist() == [True, True, False]
    pairs = Pairs(np.array([[0.0, 0.0]]), np.array([[3.0, 4.0], [1.0, 1.0]]))
    assert oracles.exp(oracles.evaluate(named("Flat", radius=5.0), pairs).log).tolist() == [[1.0, 1.0]]
    assert not pairs.doubts.any()


def test_the_nearest_keys_of_an_empty_query():
    keys = np.array([[0.0], [2.0], [10.0]])
    pairs = Pairs(np.array([[1.0], [11.0]]), keys)
    compact = named("Epanechnikov", radius=0.5)
    np.testing.assert_array_equal(oracles.weights(compact, pairs), [[0.5, 0.5, 0], [0, 0, 1]])
    np.testing.assert_array_equal(oracles.weights(masked(compact, np.array([[False, True, True]])), pairs),
                                  [[0, 1, 0], [0, 0, 1]])
    np.testing.assert_array_equal(oracles.weights(hollow(compact), pairs), [[0, 1, 0], [0, 0, 1]])
    with pytest.raises(oracles.Unsettled):
        oracles.weights(multiplied(compact, named("Exponential", temperature=1.0)), pairs)
    with pytest.raises(oracles.Empty):
        oracles.weights(compact, pairs, "raise")


def test_a_description_is_written_as_it_is_built():
    recipe = masked(hollow(scaled(2.0, summed(mapped(named("Gaussian", bandwidth=0.5), "half"),
                                              multiplied(named("Flat", radius=1.0), named("Cauchy", bandwidth=2.0))))),
                    np.array([[True, False]]))
    assert oracles.written(recipe) == (
        "(2.0 * (Gaussian(bandwidth=0.5).on(lambda x: x * 0.5) + Flat(radius=1.0) * Cauchy(bandwidth=2.0)))"
        ".hollow().where(np.array([[1, 0]], bool))")

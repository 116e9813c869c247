"""Networks of bits: against loops over bits that follow the definitions, and against exact probabilities."""

import math
import pickle
import re
import warnings

import numpy as np
import pytest
from scipy import stats
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_info

import locmethods as lm
from locmethods.hopfield import (
    DenseAssociativeMemory,
    HopfieldNetwork,
    ModernHopfield,
    classical,
    hebbian_weights,
    network_energy,
    packed,
    projection_weights,
    run_network,
)
from locmethods.kernels import Linear
from locmethods.numerics import threads

SEEDS = (0, 1, 2)


def bits(rng, *shape):
    return rng.choice([-1.0, 1.0], size=shape)


def damaged(rng, patterns, n_states, share):
    """Return states that are patterns with a share of their bits flipped."""
    start = patterns[rng.integers(len(patterns), size=n_states)]
    return np.where(rng.random(start.shape) < share, -start, start)


def one_after_another(state, change, sweeps=100):
    """Update bits in their order until none changes; `change(state, i)` is E(s_i = −1) − E(s_i = +1)."""
    state = state.copy()
    for _ in range(sweeps):
        before = state.copy()
        for i in range(len(state)):
            gap = change(state, i)
            if abs(gap) > 1e-9:  # a field of zero, up to rounding, changes nothing
                state[i] = np.sign(gap)
        if (state == before).all():
            return state
    raise AssertionError("it did not settle")


def gap_of(energy):
    """Return the function (state, i) ↦ E(s_i = −1) − E(s_i = +1)."""
    def gap(state, i):
        low, high = state.copy(), state.copy()
        low[i], high[i] = -1, 1
        return energy(low) - energy(high)
    return gap


def quadratic(weights):
    return lambda state: -0.5 * float(state @ weights @ state)


# The weights


@pytest.mark.parametrize("seed", SEEDS)
def test_hebbs_weights_are_the_sum_of_products(seed):
    x = bits(np.random.default_rng(seed), 7, 20)
    slow = [[sum(x[m, i] * x[m, j] for m in range(7)) / 20 for j in range(20)] for i in range(20)]
    np.testing.assert_allclose(hebbian_weights(x, self_coupling=True), slow, atol=1e-15)  # seven halves of a rounding
    assert (np.diagonal(hebbian_weights(x)) == 0).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_the_pseudo_inverse_projects_onto_the_patterns(seed):
    rng = np.random.default_rng(seed)
    x = bits(rng, 6, 30)
    x = np.vstack([x, x[:2], -x[2]])  # what is stored twice, or upside down, adds nothing
    full = projection_weights(x, self_coupling=True)
    np.testing.assert_allclose(full, np.linalg.pinv(x) @ x, atol=1e-12)  # two routes to a matrix of norm one
    np.testing.assert_allclose(projection_weights(x), full - np.diag(np.diagonal(full)), atol=1e-15)


# The dynamics


@pytest.mark.parametrize("storage", ["hebb", "pseudo-inverse"])
@pytest.mark.parametrize("n_patterns", [5, 30])  # through the factor, and through the weights
@pytest.mark.parametrize("seed", SEEDS)
def test_asynchronous_updates_are_a_loop_over_bits(storage, n_patterns, seed):
    rng = np.random.default_rng(seed)
    x = bits(rng, n_patterns, 50)
    states = damaged(rng, x, 20, 0.2)
    memory = HopfieldNetwork(storage).fit(x)
    found = memory.trace(states)
    want = [one_after_another(state, gap_of(quadratic(memory.weights_))) for state in states]
    np.testing.assert_array_equal(found.states, want)
    np.testing.assert_array_equal(memory.recall(states), want)
    np.testing.assert_array_equal(memory.predict(states), want)
    np.testing.assert_array_equal(run_network(states, memory.weights_).states, want)
    assert found.settled.all() and not found.alternating.any()
    assert (np.diff(found.energy, axis=0) <= 1e-12).all()  # rounding of an energy of size 50
    energies = [quadratic(memory.weights_)(state) for state in states]
    np.testing.assert_allclose(found.energy[0], energies, atol=1e-12)
    np.testing.assert_allclose(memory.energy(states), energies, atol=1e-12)
    np.testing.assert_allclose(network_energy(states, memory.weights_), energies, atol=1e-12)
    np.testing.assert_allclose(found.energy[-1], memory.energy(found.states), atol=1e-12)
    assert found.energy.shape == (found.n_iter.max() + 1, 20)


@pytest.mark.parametrize("storage", ["hebb", "pseudo-inverse"])
@pytest.mark.parametrize("n_patterns", [5, 30])
@pytest.mark.parametrize("self_coupling", [False, True])
def test_a_synchronous_update_is_the_sign_of_the_field(storage, n_patterns, self_coupling):
    rng = np.random.default_rng(3)
    x = bits(rng, n_patterns, 50)
    states = damaged(rng, x, 300, 0.3)
    memory = HopfieldNetwork(storage, update="synchronous", self_coupling=self_coupling, max_steps=1).fit(x)
    weights = np.linalg.pinv(x) @ x if storage == "pseudo-inverse" else x.T @ x / 50
    field = states @ (weights - (0 if self_coupling else np.diag(np.diagonal(weights))))
    with warnings.catch_warnings(action="ignore"):  # one step is not enough
        found = memory.recall(states)
    clear = abs(field) > 1e-9
    np.testing.assert_array_equal(found[clear], np.sign(field)[clear])
    np.testing.assert_array_equal(found[~clear], states[~clear])  # a field of zero changes nothing
    assert clear.mean() > 0.9


def test_the_field_of_hebbs_rule_is_a_local_sum_with_the_linear_kernel():
    rng = np.random.default_rng(0)
    x = bits(rng, 9, 41)
    states = damaged(rng, x, 30, 0.3)
    field = lm.local_sum(states, x, x, kernel=Linear()).numerator
    with warnings.catch_warnings(action="ignore"):
        found = HopfieldNetwork(update="synchronous", self_coupling=True, max_steps=1).fit(x).recall(states)
    np.testing.assert_array_equal(found, np.sign(field))  # nine products of odd numbers: never zero


def test_many_states_go_each_its_own_way():
    """More states than a block holds, more bits than a block of bits."""
    rng = np.random.default_rng(0)
    x = bits(rng, 8, 70)
    states = damaged(rng, x, 5000, 0.25)
    memory = HopfieldNetwork().fit(x)
    together = memory.recall(states)
    few = np.array([0, 1, 4095, 4096, 4999])
    np.testing.assert_array_equal(together[few], [memory.recall(state[None])[0] for state in states[few]])


@pytest.mark.parametrize(("n_patterns", "many"), [(4, classical.MANY), (4, 0), (20, 0)])  # factor, words, weights
@pytest.mark.parametrize("count", [1, 3])
def test_states_that_are_updated_at_once_go_each_its_own_way_in_any_number_of_threads(n_patterns, many, count,
                                                                                      monkeypatch):
    monkeypatch.setattr(threads, "number_of_threads", lambda: count)
    monkeypatch.setattr(classical, "MANY", many)
    rng = np.random.default_rng(5)
    x, states = bits(rng, n_patterns, 24), bits(rng, 900, 24)  # even numbers of patterns and bits: fields of zero
    weights = hebbian_weights(x)
    memory = HopfieldNetwork(update="synchronous").fit(x)
    pools = threadpool_info()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = memory.recall(states)
        traced = memory.trace(states)
    want, turning = states.copy(), np.zeros(len(states), bool)
    for number, state in enumerate(want):
        seen = []
        while not any((state == before).all() for before in seen):
            seen.append(state.copy())
            field = weights @ state
            state[:] = np.where(abs(field) < 1e-9, state, np.sign(field))  # twenty roundings of numbers of about one
        turning[number] = len(seen) > 1 and (seen[-2] == state).all()
    np.testing.assert_array_equal(traced.states, found)
    np.testing.assert_array_equal(traced.alternating, turning)
    assert 0 < turning.sum() < len(states)
    np.testing.assert_array_equal(found[~turning], want[~turning])
    again = f"{turning.sum()} of 900 states alternate between two states for ever: asynchronous updates of symmetric "
    assert [str(warning.message) for warning in said] == 2 * [again + "weights settle"]
    assert threadpool_info() == pools


@pytest.mark.parametrize("n_bits", [1, 63, 64, 65, 200])  # below, at and beyond whole words
def test_bits_are_packed_and_unpacked(n_bits):
    states = bits(np.random.default_rng(n_bits), 9, n_bits)
    words = packed.pack(states > 0)
    assert words.shape == (9, -(-n_bits // 64)) and words.dtype == np.uint64
    np.testing.assert_array_equal(packed.unpack(words, n_bits), states)
    assert np.bitwise_count(words).sum() == (states > 0).sum()  # nothing stands beyond the last bit


@pytest.mark.parametrize(("n_patterns", "n_bits"), [(2, 64), (4, 65), (7, 130), (30, 1001)])
@pytest.mark.parametrize("self_coupling", [False, True])
@pytest.mark.parametrize("threshold", [0.0, 0.5, None])
def test_bits_in_words_take_the_signs_of_their_fields(n_patterns, n_bits, self_coupling, threshold, monkeypatch):
    monkeypatch.setattr(classical, "MANY", 0)
    rng = np.random.default_rng(n_bits)
    x, states = bits(rng, n_patterns, n_bits), bits(rng, 300, n_bits)  # more than one part of 256
    memory = HopfieldNetwork(update="synchronous", self_coupling=self_coupling, binarize=threshold, max_steps=1).fit(x)
    with warnings.catch_warnings(action="ignore"):  # one step is not enough
        found = memory.recall(states.astype(np.float32))
    weights = x.astype(int).T @ x.astype(int)
    field = states.astype(int) @ (weights - (0 if self_coupling else n_patterns) * np.eye(n_bits, dtype=int))
    if n_patterns == 4:
        assert (field == 0).any()  # such a field changes nothing
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.where(field == 0, states, np.sign(field)))


def test_many_states_are_kept_in_words():
    x = bits(np.random.default_rng(0), 2, 64)
    memory = HopfieldNetwork(update="synchronous").fit(x)
    few, many = np.empty((9, 64)), np.broadcast_to(0.0, (classical.MANY // 128, 64))
    for states, alone, dtype in ((few, True, np.float32), (many, True, np.uint64), (many, False, np.float32)):
        assert memory._route(states, alone)[0](x).dtype == dtype


@pytest.mark.parametrize(("n_patterns", "n_bits", "dtype"), [(2048, 4094, np.float32), (2048, 4096, np.float64),
                                                             (1, 2**23, np.float64), (3, 9, np.float32)])
def test_fields_are_summed_in_a_type_that_holds_their_halves(n_patterns, n_bits, dtype):
    memory = HopfieldNetwork()
    memory._factor = np.broadcast_to(np.float32(1), (n_patterns, n_bits))
    assert memory._number_type == dtype
    largest = n_patterns * (n_bits + 1) - 0.5
    assert dtype(largest) == largest  # so is every smaller one


@pytest.mark.parametrize("memory", [HopfieldNetwork(shuffle=True, random_state=3),
                                    HopfieldNetwork("pseudo-inverse", shuffle=True, random_state=3),
                                    DenseAssociativeMemory(shuffle=True, random_state=3)], ids=repr)
def test_a_shuffled_order_is_used_and_repeats(memory):
    rng = np.random.default_rng(1)
    x = bits(rng, 25, 40)
    states = bits(rng, 50, 40)
    memory.fit(x)
    first = memory.recall(states)
    np.testing.assert_array_equal(first, memory.recall(states))
    assert (first != memory.set_params(shuffle=False).recall(states)).any()
    found = memory.set_params(shuffle=True).trace(states)
    assert found.settled.all() and (np.diff(found.energy, axis=0) <= 1e-12).all()  # rounding, as above


def test_a_shuffled_sweep_is_a_sweep_in_that_order():
    rng = np.random.default_rng(1)
    x, states = bits(rng, 10, 40), bits(rng, 30, 40)
    order = np.random.RandomState(7).permutation(40)
    weights = hebbian_weights(x)
    with warnings.catch_warnings(action="ignore"):  # one sweep is not enough
        found = run_network(states, weights, shuffle=True, random_state=7, max_steps=1).states
        inner = run_network(states[:, order], weights[np.ix_(order, order)], max_steps=1).states
    np.testing.assert_array_equal(found[:, order], inner)


@pytest.mark.parametrize("storage", ["hebb", "pseudo-inverse"])
@pytest.mark.parametrize("n_patterns", [5, 30])  # through the factor, and through the weights
def test_a_memory_is_shuffled_as_its_weights_are(storage, n_patterns):
    rng = np.random.default_rng(1)
    x, states = bits(rng, n_patterns, 40), bits(rng, 300, 40)
    memory = HopfieldNetwork(storage, shuffle=True, random_state=7, max_steps=1).fit(x)
    with warnings.catch_warnings(action="ignore"):  # one sweep is not enough
        found = memory.recall(states)
        want = run_network(states, memory.weights_, shuffle=True, random_state=7, max_steps=1).states
    np.testing.assert_array_equal(found, want)


def test_two_bits_that_repel_alternate_under_synchronous_updates():
    weights = [[0.0, -1.0], [-1.0, 0.0]]
    words = ("2 of 3 states alternate between two states for ever: asynchronous updates of symmetric weights settle")
    with pytest.warns(ConvergenceWarning, match=f"^{re.escape(words)}$"):
        found = run_network([[1, 1], [1, -1], [-1, -1]], weights, update="synchronous")
    np.testing.assert_array_equal(found.alternating, [True, False, True])
    np.testing.assert_array_equal(found.settled, [False, True, False])
    with warnings.catch_warnings(action="error"):
        assert run_network([[1, 1], [1, -1], [-1, -1]], weights).settled.all()


def test_what_turns_round_for_ever_is_stopped_with_a_warning():
    around = [[0.0, -1.0], [1.0, 0.0]]  # asymmetric: a quarter of a turn
    words = "1 of 1 states were still changing after max_steps=8: raise it"
    with pytest.warns(ConvergenceWarning, match=f"^{re.escape(words)}$"):
        found = run_network([[1, 1]], around, update="synchronous", max_steps=8)
    np.testing.assert_array_equal(found.states, [[1, 1]])
    assert found.n_iter[0] == 8 and not found.settled[0] and not found.alternating[0]


def test_a_warning_points_at_the_line_that_asked():
    x, states = bits(np.random.default_rng(0), 30, 40), bits(np.random.default_rng(1), 9, 40)
    weights, calls = hebbian_weights(x), []
    for memory in (HopfieldNetwork(update="synchronous", max_steps=1), ModernHopfield(1e-4, max_steps=1),
                   DenseAssociativeMemory(update="synchronous", max_steps=1)):
        memory.fit(x)
        calls += [memory.recall, memory.predict, memory.trace]
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        run_network(states, weights, max_steps=1)
        for call in calls:
            call(states)
    assert [warning.filename for warning in said] == (1 + len(calls)) * [__file__]


@pytest.mark.parametrize("seed", SEEDS)
def test_errors_of_one_step_are_as_many_as_the_binomial_law_says(seed):
    """A bit errs if the crosstalk, a sum of (P − 1)(N − 1) fair signs, outweighs its own pattern's N − 1."""
    rng, n_bits, n_patterns = np.random.default_rng(seed), 200, 60
    wrong = []
    for _ in range(40):
        x = bits(rng, n_patterns, n_bits)
        with warnings.catch_warnings(action="ignore"):
            wrong.append((HopfieldNetwork(update="synchronous", max_steps=1).fit(x).recall(x) != x).mean())
    signs = (n_patterns - 1) * (n_bits - 1)
    law = stats.binom(signs, 0.5).cdf((signs - n_bits) // 2)  # more than N − 1 below zero
    assert abs(np.mean(wrong) - law) < 5 * np.std(wrong, ddof=1) / math.sqrt(40)


def test_stored_patterns_that_are_forgotten_are_named():
    rng = np.random.default_rng(0)
    few, many = HopfieldNetwork().fit(bits(rng, 5, 200)), HopfieldNetwork().fit(bits(rng, 120, 200))
    assert few.stable_.all() and not many.stable_.any()
    assert HopfieldNetwork("pseudo-inverse").fit(bits(rng, 120, 200)).stable_.all()


# Degenerate memories


@pytest.mark.parametrize("storage", ["hebb", "pseudo-inverse"])
def test_a_single_pattern_draws_everything_to_it_or_its_opposite(storage):
    rng = np.random.default_rng(0)
    x = bits(rng, 1, 31)
    states = bits(rng, 40, 31)
    found = HopfieldNetwork(storage).fit(x).recall(states)
    np.testing.assert_array_equal(np.abs(found @ x.T), 31)


def test_one_bit_and_patterns_that_span_everything_leave_all_as_it_is():
    np.testing.assert_array_equal(HopfieldNetwork().fit([[1.0], [-1.0]]).recall([[1.0], [-1.0]]), [[1], [-1]])
    x = np.array([[1.0, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]])
    states = np.array(np.meshgrid(*4 * [[-1.0, 1.0]])).reshape(4, -1).T
    np.testing.assert_array_equal(HopfieldNetwork("pseudo-inverse").fit(x).recall(states), states)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("memory", [HopfieldNetwork(), HopfieldNetwork("pseudo-inverse"), DenseAssociativeMemory(),
                                    DenseAssociativeMemory("exponential"),
                                    DenseAssociativeMemory("epanechnikov", beta=0.01)], ids=repr)
def test_floating_types_stay_and_whole_numbers_become_float64(memory, dtype):
    x = bits(np.random.default_rng(0), 4, 30)
    memory.fit(x.astype(dtype))
    assert memory.recall(x.astype(dtype)).dtype == dtype
    assert memory.energy(x.astype(dtype)).dtype == memory.trace(x.astype(dtype)).energy.dtype == dtype
    other = np.float64 if dtype == np.float32 else np.float32  # of the states alone
    assert memory.recall(x.astype(other)).dtype == memory.energy(x.astype(other)).dtype == other
    assert memory.fit(x.astype(int)).recall(x.astype(int)).dtype == np.float64
    again = pickle.loads(pickle.dumps(memory))
    np.testing.assert_array_equal(again.recall(x), memory.recall(x))


def test_bits_may_come_as_zero_and_one():
    rng = np.random.default_rng(0)
    x = bits(rng, 5, 60)
    states = damaged(rng, x, 10, 0.1)
    for memory in (HopfieldNetwork(), DenseAssociativeMemory()):
        np.testing.assert_array_equal(memory.fit(x > 0).recall(states > 0), memory.fit(x).recall(states))


# Dense memories


def dense_energy(x, interaction, degree, beta):
    if interaction == "polynomial":
        return lambda state: -math.fsum((x @ state / x.shape[1]) ** degree)
    return lambda state: -math.fsum(np.exp(beta * (x @ state - x.shape[1])))


@pytest.mark.parametrize("interaction, degree, beta", [("polynomial", 2, 1.0), ("polynomial", 3, 1.0),
                                                       ("polynomial", 4, 1.0), ("exponential", 3, 1.0),
                                                       ("exponential", 3, 0.2)])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_dense_memory_takes_the_lower_energy_bit_by_bit(interaction, degree, beta, seed):
    rng = np.random.default_rng(seed)
    x = bits(rng, 20, 24)
    states = damaged(rng, x, 12, 0.2)
    memory = DenseAssociativeMemory(interaction, degree=degree, beta=beta).fit(x)
    energy = dense_energy(x, interaction, degree, beta)
    gap = gap_of(energy)

    def scaled(state, i):  # energies of an exponential are tiny far from every pattern
        return gap(state, i) / max(abs(energy(state)), 1e-300)

    want = [one_after_another(state, scaled) for state in states]
    found = memory.trace(states)
    np.testing.assert_array_equal(found.states, want)
    np.testing.assert_array_equal(memory.recall(states), want)
    assert found.settled.all() and (np.diff(found.energy, axis=0) <= 1e-9).all()
    level = [24 * energy(state) if interaction == "polynomial" else -math.log(-energy(state)) / beta - 24
             for state in states]
    np.testing.assert_allclose(memory.energy(states), level, rtol=1e-12)  # a sum of twenty terms

    at_once = np.array([[np.sign(scaled(state, i)) for i in range(24)] for state in states])
    with warnings.catch_warnings(action="ignore"):  # one step is not enough
        step = memory.set_params(update="synchronous", max_steps=1).recall(states)
    clear = np.array([[abs(scaled(state, i)) > 1e-9 for i in range(24)] for state in states])
    np.testing.assert_array_equal(step[clear], at_once[clear])


@pytest.mark.parametrize("seed", SEEDS)
def test_degree_two_is_the_classical_network(seed):
    rng = np.random.default_rng(seed)
    x = bits(rng, 12, 60)
    states = bits(rng, 100, 60)
    np.testing.assert_array_equal(DenseAssociativeMemory(degree=2).fit(x).recall(states),
                                  HopfieldNetwork().fit(x).recall(states))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("degree, n_bits, n_patterns", [(2, 3000, 40), (3, 1200, 60), (4, 400, 40), (6, 64, 40)])
def test_a_field_of_zero_is_told_from_a_small_one_by_whole_numbers(degree, n_bits, n_patterns, dtype):
    """Fields in Python's whole numbers, which are exact; the differences of powers would have lost them."""
    rng = np.random.default_rng(0)
    x, states = bits(rng, n_patterns, n_bits).astype(dtype), bits(rng, 12, n_bits).astype(dtype)
    bit = rng.integers(n_bits, size=40)
    overlaps, signs, own = (part.astype(int).astype(object) for part in (states @ x.T, x[:, bit], states[:, bit]))
    others = overlaps[:, :, None] - own[:, None] * signs  # m, of shape (n_states, n_patterns, bits)
    field = ((others + signs) ** degree - (others - signs) ** degree).sum(1)
    want = np.where(field == 0, own, np.sign(field)).astype(float)
    with warnings.catch_warnings(action="ignore"):  # one step is not enough
        memory = DenseAssociativeMemory(degree=degree, update="synchronous", max_steps=1).fit(x)
        found = memory.recall(states)
    np.testing.assert_array_equal(found[:, bit], want)
    assert degree > 2 or (field == 0).any()


def test_whatever_a_degree_or_beta_may_be_no_power_over_or_underflows():
    rng = np.random.default_rng(0)
    x = bits(rng, 5, 40)
    states = damaged(rng, x, 20, 0.3)
    overlaps = states @ x.T
    nearest = x[overlaps.argmax(1)]
    distinct = overlaps.max(1) >= np.sort(np.abs(overlaps), axis=1)[:, -2] + 4  # of opposites too
    distinct &= overlaps.max(1) == np.abs(overlaps).max(1)
    assert distinct.sum() >= 5
    # An overlap larger by 4 of at most 40 outvotes the four others by 1.1^201 and more.
    for memory in (DenseAssociativeMemory(degree=201), DenseAssociativeMemory(degree=20_001),
                   DenseAssociativeMemory("exponential", beta=400.0),
                   DenseAssociativeMemory("exponential", beta=1e308)):
        assert memory.fit(x).stable_.all()
        np.testing.assert_array_equal(memory.recall(states)[distinct], nearest[distinct])
        assert np.isfinite(memory.energy(states)).all()
    weak = DenseAssociativeMemory("exponential", beta=1e-9, update="synchronous", max_steps=1).fit(x)
    with warnings.catch_warnings(action="ignore"):  # one step is not enough
        np.testing.assert_array_equal(weak.recall(states), np.broadcast_to(np.sign(x.sum(0)), states.shape))
    huge = DenseAssociativeMemory(degree=10**40).fit(x)  # no digit of such a power is known
    np.testing.assert_array_equal(huge.recall(states), states)


def test_an_exponential_bit_is_the_sign_of_the_softmax_mean_less_a_share_of_itself():
    rng = np.random.default_rng(0)
    x = bits(rng, 300, 20)
    states = bits(rng, 50, 20)
    mean = lm.local_mean(states, x, kernel=lm.kernels.Exponential(temperature=2.0))
    with warnings.catch_warnings(action="ignore"):  # one step is not enough
        step = DenseAssociativeMemory("exponential", beta=0.5, update="synchronous", max_steps=1).fit(x).recall(states)
    np.testing.assert_array_equal(step, np.sign(mean - math.tanh(0.5) * states))


def test_long_states_far_from_all_patterns_do_not_underflow():
    x = bits(np.random.default_rng(0), 5, 4000)
    memory = DenseAssociativeMemory("exponential").fit(x)
    found = memory.trace(bits(np.random.default_rng(1), 3, 4000))
    assert np.isfinite(found.energy).all() and (found.n_iter > 0).all()
    assert (np.abs(found.states @ x.T).max(1) == 4000).all()


def test_more_overlaps_than_a_block_holds():
    rng = np.random.default_rng(0)
    x = bits(rng, 3000, 12)
    states = bits(rng, 700, 12)
    memory = DenseAssociativeMemory("exponential").fit(x)
    together = memory.trace(states)
    few = np.array([0, 348, 349, 350, 699])
    alone = memory.trace(states[few])
    np.testing.assert_array_equal(together.states[few], alone.states)
    np.testing.assert_allclose(together.energy[0, few], alone.energy[0], rtol=1e-12)  # the same sum of 3,000 terms


# The Epanechnikov memory


def flat_mean(state, x, radius):
    near = ((x - state) ** 2).sum(1) <= radius**2
    return x[near].mean(0) if near.any() else state


@pytest.mark.parametrize("seed", SEEDS)
def test_an_epanechnikov_memory_takes_means_over_its_window(seed):
    rng = np.random.default_rng(seed)
    x, states = rng.normal(size=(60, 2)), 2 * rng.normal(size=(40, 2))
    memory = DenseAssociativeMemory("epanechnikov", beta=4.0).fit(x)
    want = states.copy()
    for _ in range(200):
        want = np.array([flat_mean(state, x, math.sqrt(0.5)) for state in want])
    found = memory.trace(states)
    np.testing.assert_allclose(found.states, want, atol=1e-9)  # means of at most sixty numbers
    inside = np.maximum(0, 1 - 2 * ((states[:, None] - x) ** 2).sum(2)).sum(1)
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(memory.energy(states), -np.log(inside), rtol=1e-9)  # one logarithm of a sum
    reached = np.isfinite(found.energy[0])
    assert (np.diff(found.energy[:, reached], axis=0) <= 1e-12).all()  # rounding
    np.testing.assert_array_equal(found.states[~reached], states[~reached])
    assert 0 < reached.sum() < 40 and found.settled.all()


def test_balls_that_do_not_meet_give_each_pattern_back():
    x = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 3.0], [0.0, 3.0]])
    memory = DenseAssociativeMemory("epanechnikov", beta=2.0).fit(x)  # of radius one
    assert memory.stable_.all()
    found = memory.recall([[0.3, 0.8], [2.5, -0.8], [-0.6, 3.0]])
    np.testing.assert_allclose(found, x[:3], atol=1e-15)  # the mean of one pattern, or of two that coincide
    assert not DenseAssociativeMemory("epanechnikov", beta=0.1).fit(x).stable_.any()


def test_an_epanechnikov_memory_knows_no_unit_of_its_patterns():
    rng = np.random.default_rng(0)
    x, states = rng.normal(size=(60, 2)), rng.normal(size=(40, 2))
    plain = DenseAssociativeMemory("epanechnikov", beta=4.0, tol=0.05).fit(x)
    assert 0 < plain.stable_.sum() < 60
    for size in (2.0**-10, 2.0**10):  # by powers of two next to nothing is rounded
        memory = DenseAssociativeMemory("epanechnikov", beta=4.0 / size**2, tol=0.05).fit(size * x)
        np.testing.assert_array_equal(memory.stable_, plain.stable_)
        found, wanted = memory.trace(size * states), plain.trace(states)
        np.testing.assert_array_equal(found.n_iter, wanted.n_iter)
        np.testing.assert_allclose(found.states, size * wanted.states, rtol=0, atol=1e-12 * size)


@pytest.mark.parametrize("update", ["asynchronous", "synchronous"])
def test_a_bit_that_nobody_weighs_stays_as_it_is(update):
    rng = np.random.default_rng(0)
    states, weights = bits(rng, 20, 9), np.zeros((9, 9))
    found = run_network(states, weights, update=update)
    np.testing.assert_array_equal(found.states, states)
    assert found.settled.all() and not found.n_iter.any()
    weights[:4, :4] = np.outer([1, -1, 1, 1], [1, -1, 1, 1]) - np.eye(4)  # the other five bits hear nothing
    found = run_network(states, weights)
    np.testing.assert_array_equal(found.states[:, 4:], states[:, 4:])
    assert (np.abs(found.states[:, :4] @ [1, -1, 1, 1]) == 4).all()


@pytest.mark.parametrize("update", ["asynchronous", "synchronous"])
def test_what_rounding_leaves_of_a_field_of_zero_is_measured_by_what_a_bit_hears(update):
    """0.1 + 0.2 − 0.3 is 5.6e-17: one bit hears the three others, and nobody hears that one."""
    weights = np.zeros((4, 4))
    weights[0, 1:] = 0.1, 0.2, -0.3
    states = np.array([[-1.0, 1, 1, 1], [1.0, -1, -1, -1]])
    assert (weights[0] @ states.T != 0).all()
    for shuffle in (False, True):
        found = run_network(states, weights, update=update, shuffle=shuffle, random_state=0)
        np.testing.assert_array_equal(found.states, states)
    assert np.random.RandomState(0).permutation(4)[0] != 0  # the bit that hears was taken elsewhere


@pytest.mark.parametrize("update", ["asynchronous", "synchronous"])
@pytest.mark.parametrize("options", [{"degree": 3}, {"degree": 21}, {"degree": 61}, {"degree": 300},
                                     *({"interaction": "exponential", "beta": beta} for beta in (0.01, 0.3, 2.0))],
                         ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_bit_that_tells_no_two_patterns_apart_stays_as_it_is(options, update, dtype):
    """Each pattern is stored with the bit up and with it down: its field is zero, and only rounding says otherwise."""
    rng = np.random.default_rng(0)
    up = bits(rng, 6, 41).astype(dtype)
    down, states = up.copy(), bits(rng, 200, 41).astype(dtype)
    up[:, 7], down[:, 7] = 1, -1
    memory = DenseAssociativeMemory(update=update, **options).fit(np.vstack([up, down]))
    with warnings.catch_warnings(action="ignore"):  # at once some go back and forth
        found = memory.recall(states)
    np.testing.assert_array_equal(found[:, 7], states[:, 7])
    assert (found != states).any()


def test_half_precision_is_counted_in_float32():
    x = bits(np.random.default_rng(0), 3001, 8)  # an odd number beyond 2,048, which float16 does not hold
    for function in (hebbian_weights, projection_weights):
        found = function(x.astype(np.float16), self_coupling=True)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, function(x, self_coupling=True), rtol=0, atol=1e-4)  # 3,001/8 in float32


# Refusals


@pytest.mark.parametrize("call, error, words", [
    (lambda: hebbian_weights([[1, -1], [0, 1]]), ValueError,
     "patterns must be -1 or 1 everywhere, got 1 other entry in an array of shape (2, 2)"),
    (lambda: projection_weights([[1, 2], [0, 1]]), ValueError,
     "patterns must be -1 or 1 everywhere, got 2 other entries in an array of shape (2, 2)"),
    (lambda: hebbian_weights([1, -1]), ValueError,
     "patterns must have shape (n, n_bits), neither zero, got shape (2,)"),
    (lambda: hebbian_weights(np.ones((0, 3))), ValueError,
     "patterns must have shape (n, n_bits), neither zero, got shape (0, 3)"),
    (lambda: hebbian_weights([[1, math.nan]]), ValueError,
     "patterns must be finite, got 1 NaN or infinite value in an array of shape (1, 2)"),
    (lambda: hebbian_weights("ab"), TypeError, "patterns must be real numbers, got dtype <U2"),
    (lambda: run_network([[1, 1]], np.eye(3)), ValueError,
     "weights must have shape (2, 2), a row and a column for each bit of the states, got shape (3, 3)"),
    (lambda: network_energy([[1, 1]], np.ones((3, 2))), ValueError,
     "weights must have shape (2, 2), a row and a column for each bit of the states, got shape (3, 2)"),
    (lambda: network_energy([[1, 3]], np.eye(2)), ValueError,
     "states must be -1 or 1 everywhere, got 1 other entry in an array of shape (1, 2)"),
    (lambda: run_network([[1, 1]], np.eye(2), update="parallel"), ValueError,
     "update must be one of 'asynchronous', 'synchronous', got 'parallel'"),
    (lambda: run_network([[1, 1]], np.eye(2), max_steps=0), ValueError,
     "max_steps must be an integer of at least 1, got 0"),
    (lambda: HopfieldNetwork("oja").fit([[1, 1]]), ValueError,
     "storage must be one of 'hebb', 'pseudo-inverse', got 'oja'"),
    (lambda: HopfieldNetwork(update="both").fit([[1, 1]]), ValueError,
     "update must be one of 'asynchronous', 'synchronous', got 'both'"),
    (lambda: HopfieldNetwork(shuffle="yes").fit([[1, 1]]), ValueError, "shuffle must be True or False, got 'yes'"),
    (lambda: HopfieldNetwork(random_state="dice").fit([[1, 1]]), ValueError,
     "'dice' cannot be used to seed a numpy.random.RandomState instance"),
    (lambda: HopfieldNetwork(self_coupling=2).fit([[1, 1]]), ValueError, "self_coupling must be True or False, got 2"),
    (lambda: hebbian_weights([[1, 1]], self_coupling="no"), ValueError,
     "self_coupling must be True or False, got 'no'"),
    (lambda: projection_weights([[1, 1]], self_coupling=1), ValueError, "self_coupling must be True or False, got 1"),
    (lambda: run_network([[1, 1]], np.full((2, 2), 1e308)), ValueError,
     "weights must have rows whose sums of sizes are finite, got entries of up to 1e+308: divide them by a constant"),
    (lambda: HopfieldNetwork(max_steps=1.5).fit([[1, 1]]), ValueError,
     "max_steps must be an integer of at least 1, got 1.5"),
    (lambda: HopfieldNetwork(binarize="half").fit([[1, 1]]), TypeError, "binarize must be a number, got 'half'"),
    (lambda: HopfieldNetwork(binarize=None).fit([[1, 0.5]]), ValueError,
     "X must be -1 or 1 everywhere, got 1 other entry in an array of shape (1, 2)"),
    (lambda: HopfieldNetwork(binarize=None).fit([[1, 1]]).recall([[0, 0]]), ValueError,
     "X must be -1 or 1 everywhere, got 2 other entries in an array of shape (1, 2)"),
    (lambda: DenseAssociativeMemory("cubic").fit([[1, 1]]), ValueError,
     "interaction must be one of 'polynomial', 'exponential', 'epanechnikov', got 'cubic'"),
    (lambda: DenseAssociativeMemory(degree=1).fit([[1, 1]]), ValueError,
     "degree must be an integer of at least 2, got 1"),
    (lambda: DenseAssociativeMemory("exponential", beta=0).fit([[1, 1]]), ValueError,
     "beta must be positive and finite, got 0"),
    (lambda: DenseAssociativeMemory(tol=-1).fit([[1, 1]]), ValueError, "tol must be at least 0 and finite, got -1"),
])
def test_bad_input_is_refused_with_a_sentence(call, error, words):
    with pytest.raises(error, match=f"^{re.escape(words)}$"):
        call()


@pytest.mark.parametrize("memory", [HopfieldNetwork(), HopfieldNetwork("pseudo-inverse"), DenseAssociativeMemory(),
                                    DenseAssociativeMemory("epanechnikov", beta=0.01)], ids=repr)
def test_what_is_given_is_not_written_on(memory):
    """A single state too, whose transpose is a view of it."""
    rng = np.random.default_rng(0)
    x, state = bits(rng, 3, 30), bits(rng, 1, 30)
    kept_patterns, kept = x.copy(), state.copy()
    found = memory.fit(x).trace(state)
    assert (found.states != state).any() and found.n_iter[0] > 0
    np.testing.assert_array_equal(state, kept)
    np.testing.assert_array_equal(x, kept_patterns)

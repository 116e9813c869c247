"""The batched minimisers against SciPy's, one problem at a time, on functions with known minima."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from torch.func import grad, jacrev, vmap

from locmethods.numerics.minimize import Objective, lbfgs, newton


def objective(function):
    """Return the batch of ``function(theta, weight)`` with its derivatives; gradients are scaled by one."""
    return Objective(vmap(function), vmap(grad(function)), vmap(jacrev(grad(function))),
                     lambda theta, weight: torch.ones(len(theta), dtype=theta.dtype))


def rosenbrock(theta, weight):
    return (1 - theta[0]) ** 2 + weight[0] * (theta[1] - theta[0] ** 2) ** 2


def valley(theta, weight):
    return torch.logsumexp(torch.stack([weight @ theta, -weight @ theta, theta.square().sum()]), 0)


@pytest.mark.parametrize("method", [newton, lbfgs])
def test_rosenbrock_from_many_starts(method):
    start = torch.tensor(np.random.default_rng(0).normal(scale=2, size=(20, 2)))
    weight = torch.linspace(1, 100, 20, dtype=torch.float64).unsqueeze(-1)
    theta, converged = method(objective(rosenbrock), start, weight, tolerance=1e-8, max_iter=500)
    assert bool(converged.all())
    # A gradient of 1e-8 over the least curvature, which is 0.4 at weight 100.
    assert_allclose(theta, np.ones((20, 2)), rtol=0, atol=1e-7)


@pytest.mark.parametrize("method", [newton, lbfgs])
def test_agrees_with_scipy_problem_by_problem(method):
    rng = np.random.default_rng(1)
    weight = torch.tensor(rng.normal(size=(8, 3)))
    start = torch.tensor(rng.normal(size=(8, 3)))
    theta, converged = method(objective(valley), start, weight, tolerance=1e-9, max_iter=300)
    assert bool(converged.all())
    for found, first, w in zip(theta.numpy(), start.numpy(), weight, strict=True):
        want = minimize(lambda t, w=w: float(valley(torch.tensor(t), w)), first, tol=1e-12)
        # SciPy's finite differences reach a gradient of about 1e-6.
        assert_allclose(found, want.x, rtol=0, atol=1e-5)


def test_newton_solves_a_quadratic_in_one_step():
    rng = np.random.default_rng(2)
    factor = rng.normal(size=(4, 4))
    matrix, target = torch.tensor(factor @ factor.T + np.eye(4)), torch.tensor(rng.normal(size=(6, 4)))
    quadratic = objective(lambda theta, goal: (theta - goal) @ matrix @ (theta - goal))
    theta, converged = newton(quadratic, torch.zeros(6, 4, dtype=torch.float64), target, tolerance=1e-8, max_iter=2)
    assert bool(converged.all())
    assert_allclose(theta, target, rtol=0, atol=1e-12)


@pytest.mark.parametrize("method", [newton, lbfgs])
def test_targets_do_not_disturb_each_other(method):
    start = torch.tensor([[3.0, -2.0], [1.0, 1.0], [-4.0, 5.0]], dtype=torch.float64)
    weight = torch.tensor([[1.0], [10.0], [30.0]], dtype=torch.float64)
    together, _ = method(objective(rosenbrock), start, weight, tolerance=1e-8, max_iter=500)
    for row in range(3):
        alone, _ = method(objective(rosenbrock), start[row:row + 1], weight[row:row + 1], tolerance=1e-8, max_iter=500)
        assert_allclose(together[row], alone[0], rtol=0, atol=1e-7)  # both within that of the minimum


@pytest.mark.parametrize("method", [newton, lbfgs])
def test_what_has_no_minimum_has_not_converged(method):
    start, weight = torch.ones(3, 1, dtype=torch.float64), torch.tensor([[1.0], [0.0], [1.0]], dtype=torch.float64)
    line = objective(lambda theta, w: w[0] * theta[0] ** 2 + (1 - w[0]) * theta[0])
    theta, converged = method(line, start, weight, tolerance=1e-8, max_iter=30)
    assert_array_equal(converged, [True, False, True])
    assert bool(theta.isfinite().all())


@pytest.mark.parametrize("method", [newton, lbfgs])
def test_a_step_that_overshoots_is_halved(method):
    # Newton's full step takes θ to −θ³ here, further off each time if |θ| > 1.
    hyperbola = objective(lambda theta, w: (1 + theta[0] ** 2).sqrt() * w[0])
    start, weight = torch.tensor([[2.0], [-50.0]], dtype=torch.float64), torch.ones(2, 1, dtype=torch.float64)
    theta, converged = method(hyperbola, start, weight, tolerance=1e-8, max_iter=100)
    assert bool(converged.all())
    assert_allclose(theta, [[0.0], [0.0]], rtol=0, atol=1e-7)


@pytest.mark.parametrize("method", [newton, lbfgs])
def test_a_barrier_is_not_crossed(method):
    # log is NaN beyond zero: a step that lands there is halved, not taken.
    barrier = objective(lambda theta, w: theta[0] - w[0] * theta[0].log())
    theta, converged = method(barrier, torch.full((2, 1), 40.0, dtype=torch.float64),
                              torch.tensor([[1.0], [3.0]], dtype=torch.float64), tolerance=1e-9, max_iter=200)
    assert bool(converged.all())
    assert_allclose(theta, [[1.0], [3.0]], rtol=1e-7)


def test_an_empty_batch_is_no_trouble():
    nothing = torch.zeros(0, 2, dtype=torch.float64)
    for method in (newton, lbfgs):
        theta, converged = method(objective(rosenbrock), nothing, torch.zeros(0, 1, dtype=torch.float64),
                                  tolerance=1e-8, max_iter=5)
        assert theta.shape == (0, 2) and converged.shape == (0,)

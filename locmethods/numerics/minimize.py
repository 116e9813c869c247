"""Many small minimisations at once: damped Newton and L-BFGS over a batch of independent targets.

An objective is a function of ``theta`` of shape (b, p) and ``weight`` of shape (b, n) that returns b numbers,
one for each target; targets that have converged drop out of the batch.
"""

from __future__ import annotations

from typing import Any, NamedTuple

HALVINGS = 50  # 2⁻⁵⁰ ≈ 1e-15: a shorter step moves nothing
ARMIJO = 1e-4  # the share of the predicted decrease that a step must deliver
HISTORY = 10  # pairs that L-BFGS remembers
EPSILON = 2.3e-16


class Objective(NamedTuple):
    """The functions of a batch; each maps ``(theta, weight)`` to a tensor with b rows.

    Attributes
    ----------
    value, gradient, hessian : callable
        Of shapes (b,), (b, p) and (b, p, p).
    scale : callable
        Σᵢ wᵢ |∇lᵢ|, of shape (b,): the size of a gradient before its terms cancel.
    size : callable, optional
        Σᵢ wᵢ |lᵢ|, of shape (b,): the same of the value, whose own size it is where nothing cancels.
    """

    value: Any
    gradient: Any
    hessian: Any
    scale: Any
    size: Any = None


def newton(objective, theta, weight, *, tolerance, max_iter):
    """Minimise by Newton's method with a modified Hessian and backtracking.

    The direction is −|H|⁻¹ g, |H| having the absolute eigenvalues of H, floored at 1e-10 of the largest: a
    descent direction whatever H is, Newton's own where H is positive definite. A target has converged when
    a step is at most ``tolerance · (1 + |θ|)`` in every parameter and H has no negative eigenvalue.

    Parameters
    ----------
    objective : Objective
    theta : Tensor of shape (b, p)
        The start.
    weight : Tensor of shape (b, n)
    tolerance : float
    max_iter : int

    Returns
    -------
    theta : Tensor of shape (b, p)
    converged : boolean Tensor of shape (b,)
    """
    import torch

    theta = theta.clone()
    converged = torch.zeros(len(theta), dtype=torch.bool, device=theta.device)
    active = torch.arange(len(theta), device=theta.device)
    for _ in range(max_iter):
        if not len(active):
            break
        here, w = theta[active], weight[active]
        gradient, hessian = objective.gradient(here, w), objective.hessian(here, w)
        usable = gradient.isfinite().all(-1) & hessian.isfinite().flatten(1).all(-1)
        if not bool(usable.all()):  # such a target keeps its last finite parameters and counts as not converged
            active, here, w = active[usable], here[usable], w[usable]
            gradient, hessian = gradient[usable], hessian[usable]
        direction, convex = _newton_direction(gradient, hessian)
        there, moved = _backtrack(objective, here, w, gradient, direction)
        small = (direction.abs() <= tolerance * (1 + here.abs())).all(-1)
        theta[active] = there
        converged[active] = small & convex
        active = active[moved & ~(small & convex)]
    return theta, converged


def _newton_direction(gradient, hessian):
    """Return −|H|⁻¹ g and whether H has no negative eigenvalue beyond rounding."""
    import torch

    value, vector = torch.linalg.eigh(hessian)
    largest = value.abs().amax(-1, keepdim=True)
    convex = value[..., 0] >= -1e-10 * largest[..., 0]
    # Without any curvature the step is the plain gradient.
    curvature = torch.where(largest > 0, value.abs().clamp(min=1e-10 * largest), 1.0)
    along = (vector.mT @ gradient.unsqueeze(-1)).squeeze(-1) / curvature
    return -(vector @ along.unsqueeze(-1)).squeeze(-1), convex


def _backtrack(objective, theta, weight, gradient, direction, first=None):
    """Halve the step until the objective falls as Armijo asks; return the new place and whether it was found."""
    import torch

    start = objective.value(theta, weight)
    slope = (gradient * direction).sum(-1)
    step = torch.ones_like(start) if first is None else first
    found = torch.zeros_like(start, dtype=torch.bool)
    # At the minimum the decrease drowns in the rounding of the sum, a random walk over its terms; such a step is
    # welcome.
    size = start.abs() if objective.size is None else objective.size(theta, weight)
    slack = 8 * EPSILON * weight.shape[-1] ** 0.5 * size
    for _ in range(HALVINGS):
        there = theta + step.unsqueeze(-1) * direction
        found = objective.value(there, weight) <= start + ARMIJO * step * slope + slack  # False for NaN
        if bool(found.all()):
            break
        step = torch.where(found, step, step / 2)
    return torch.where(found.unsqueeze(-1), theta + step.unsqueeze(-1) * direction, theta), found


def lbfgs(objective, theta, weight, *, tolerance, max_iter):
    """Minimise by L-BFGS with backtracking: no Hessian, for many parameters.

    A target has converged when its largest partial derivative is at most `tolerance` times
    ``objective.scale`` at the start: the terms of the gradient then cancel to that share.

    Parameters, returns
    -------------------
    As `newton`.
    """
    import torch

    theta = theta.clone()
    scale = objective.scale(theta, weight)
    gradient = objective.gradient(theta, weight)
    stuck = ~gradient.isfinite().all(-1)
    pairs = []
    for _ in range(max_iter):
        done = gradient.abs().amax(-1) <= tolerance * scale
        idle = done | stuck
        if bool(idle.all()):
            break
        direction = _two_loops(gradient, pairs)
        uphill = (gradient * direction).sum(-1) >= 0
        direction = torch.where(uphill.unsqueeze(-1), -gradient, direction)
        direction = torch.where(idle.unsqueeze(-1), 0.0, direction)
        first = None if pairs else 1 / gradient.norm(dim=-1).clamp(min=1.0)
        there, found = _backtrack(objective, theta, weight, gradient, direction, first)
        after = objective.gradient(there, weight)
        bad = ~after.isfinite().all(-1)
        there = torch.where(bad.unsqueeze(-1), theta, there)
        after = torch.where(bad.unsqueeze(-1), gradient, after)
        stuck = stuck | bad | ~found
        pairs = [*pairs[-HISTORY + 1:], (there - theta, after - gradient)]
        theta, gradient = there, after
    return theta, gradient.abs().amax(-1) <= tolerance * scale


def _two_loops(gradient, pairs):
    """Return −B g, B being the inverse Hessian that the pairs (step, change of gradient) imply."""
    import torch

    known, q = [], -gradient
    for step, change in reversed(pairs):
        curvature = (step * change).sum(-1)
        # A pair without positive curvature would spoil the descent direction; its target skips it.
        usable = curvature > 1e-12 * step.norm(dim=-1) * change.norm(dim=-1)
        inverse = torch.where(usable, 1 / torch.where(usable, curvature, 1.0), 0.0)
        alpha = inverse * (step * q).sum(-1)
        q = q - alpha.unsqueeze(-1) * change
        known.append((step, change, inverse, alpha))
    if known:
        _, change, inverse, _ = known[0]
        size = (inverse * change.square().sum(-1)).unsqueeze(-1)  # 1/γ of the latest pair
        q = torch.where(size > 0, q / torch.where(size > 0, size, 1.0), q)
    for step, change, inverse, alpha in reversed(known):
        beta = inverse * (change * q).sum(-1)
        q = q + (alpha - beta).unsqueeze(-1) * step
    return q

"""The exercises of Backpropagation: right answers pass, plausible wrong ones do not."""

import math

import numpy as np
import pytest
from conftest import assert_refused

from dsnnlib.exercises.backpropagation import (
    check_horizon,
    check_implicit,
    check_midpoint,
    check_reversible,
    check_shared,
    check_slots,
)


def accepted(check, answer, seeded, capsys):
    for seed in range(10):
        seeded(seed)
        check(answer)
    assert capsys.readouterr().out.count("Right: ") == 10


def refused(check, answer, seeded, hint):
    for seed in range(3):
        seeded(seed)
        assert_refused(check, answer, hint=hint)


# ---- the midpoint rule ----


def midpoint(theta, T, h0, n, factor=lambda z, R: (1 + z) / R):
    z = theta * T / n
    R = 1 + z + z**2 / 2
    return T * h0**2 * R ** (2 * n) * factor(z, R)


def test_the_gradient_of_the_midpoint_rule_is_accepted(seeded, capsys):
    accepted(check_midpoint, midpoint, seeded, capsys)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda *a: midpoint(*a, lambda z, R: 1), "times it"),  # optimise, then discretise
        (lambda *a: midpoint(*a, lambda z, R: 1 / (1 + z)), "times it"),  # of Euler
        (lambda *a: midpoint(*a, lambda z, R: (1 + z) / R / 2), "times it"),
        (lambda theta, T, h0, n: T * h0**2 * math.exp(2 * theta * T), "times it"),
        (lambda *a: None, "number"),
    ],
    ids=["costate", "euler", "half", "exact", "nothing"],
)
def test_other_gradients_of_the_midpoint_rule_are_refused(seeded, answer, hint):
    refused(check_midpoint, answer, seeded, hint)


# ---- the horizon ----


def end(h0, T):
    return 1 / (1 + math.exp(-T) * (1 - h0) / h0)


def test_the_slope_in_the_horizon_is_accepted(seeded, capsys):
    accepted(
        check_horizon,
        lambda h0, T: (end(h0, T) - 0.5) * end(h0, T) * (1 - end(h0, T)),
        seeded,
        capsys,
    )


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda h0, T: (h0 - 0.5) * h0 * (1 - h0), "longer run"),  # at the start
        (lambda h0, T: (0.5 - end(h0, T)) * end(h0, T) * (1 - end(h0, T)), "longer run"),
        (lambda h0, T: end(h0, T) - 0.5, "longer run"),
        (lambda h0, T: (end(h0, T) - 0.5) ** 2 / 2, "longer run"),
        (lambda h0, T: math.nan, "finite"),
    ],
    ids=["start", "sign", "costate", "loss", "nan"],
)
def test_other_slopes_in_the_horizon_are_refused(seeded, answer, hint):
    refused(check_horizon, answer, seeded, hint)


# ---- shared weights ----


def shared(W, h0, L, keep=lambda i: True, transpose=True, slope=True):
    path = [h0]
    for _ in range(L):
        path.append(np.tanh(W @ path[-1]))
    p, total = path[-1], np.zeros_like(W)
    for i in reversed(range(L)):
        q = (1 - path[i + 1] ** 2) * p if slope else p
        total += np.outer(q, path[i]) if keep(i) else 0
        p = (W.T if transpose else W) @ q
    return total


def test_the_gradient_of_shared_weights_is_accepted(seeded, capsys):
    accepted(check_shared, shared, seeded, capsys)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda W, h, L: shared(W, h, L, keep=lambda i: i == L - 1), "random direction"),
        (lambda W, h, L: shared(W, h, L, transpose=False), "random direction"),
        (lambda W, h, L: shared(W, h, L, slope=False), "random direction"),
        (lambda W, h, L: shared(W, h, L).T, "random direction"),
        (lambda W, h, L: shared(W, h, L) / L, "random direction"),
        (lambda W, h, L: np.zeros(2), "shape"),
    ],
    ids=["last layer", "no transpose", "no slope", "transposed", "mean", "shape"],
)
def test_other_gradients_of_shared_weights_are_refused(seeded, answer, hint):
    refused(check_shared, answer, seeded, hint)


# ---- the implicit layer ----


def test_the_costate_of_an_implicit_layer_is_accepted(seeded, capsys):
    accepted(
        check_implicit,
        lambda J, p, dt: np.linalg.solve(np.eye(len(p)) - dt * J.T, p),
        seeded,
        capsys,
    )


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda J, p, dt: p + dt * J.T @ p, "pairing"),  # explicit
        (lambda J, p, dt: np.linalg.solve(np.eye(len(p)) - dt * J, p), "pairing"),
        (lambda J, p, dt: p - dt * J.T @ p, "pairing"),
        (lambda J, p, dt: np.linalg.solve(np.eye(len(p)) + dt * J.T, p), "pairing"),
        (lambda J, p, dt: np.zeros(9), "costate of"),
    ],
    ids=["explicit", "no transpose", "inverse", "sign", "shape"],
)
def test_other_costates_of_an_implicit_layer_are_refused(seeded, answer, hint):
    refused(check_implicit, answer, seeded, hint)


# ---- slots ----


def slots(steps, repeats, more=0):
    s = 1
    while math.comb(s + repeats, s) < steps:
        s += 1
    return s + more


def test_the_least_number_of_slots_is_accepted(seeded, capsys):
    accepted(check_slots, slots, seeded, capsys)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda steps, repeats: slots(steps, repeats, 1), "one slot less"),
        (lambda steps, repeats: max(1, slots(steps, repeats, -1)), "advanced over"),
        (lambda steps, repeats: steps, "one slot less"),
        (lambda steps, repeats: math.ceil(steps ** (1 / (repeats + 1))), "advanced over"),
        (lambda steps, repeats: 2.5, "whole number"),
        (lambda steps, repeats: 0, "whole number"),
    ],
    ids=["one more", "one less", "all", "root", "fraction", "none"],
)
def test_other_numbers_of_slots_are_refused(seeded, answer, hint):
    refused(check_slots, answer, seeded, hint)


# ---- the reversible layer ----


def undo(F, G, u, v, p, q, *, order=True, costate=True):
    if not order:
        u = u - np.sin(F @ v)
        v = v - np.sin(G @ u)
        return u, v, p, q
    v = v - np.sin(G @ u)
    p = p + G.T @ (np.cos(G @ u) * q) if costate else p
    u = u - np.sin(F @ v)
    q = q + F.T @ (np.cos(F @ v) * p) if costate else q
    return u, v, p, q


def wrong_point(F, G, u, v, p, q):
    back_u, back_v, *_ = undo(F, G, u, v, p, q)
    p = p + G.T @ (np.cos(G @ back_u) * q)
    return back_u, back_v, p, q + F.T @ (np.cos(F @ back_v) * p)


def subtracted(F, G, u, v, p, q):
    back_u, back_v, *_ = undo(F, G, u, v, p, q)
    p = p - G.T @ (np.cos(G @ u) * q)
    return back_u, back_v, p, q - F.T @ (np.cos(F @ back_v) * p)


def test_undoing_a_layer_is_accepted(seeded, capsys):
    accepted(check_reversible, undo, seeded, capsys)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda *a: undo(*a, order=False), "run forwards"),
        (lambda *a: undo(*a, costate=False), "pairing"),
        (wrong_point, "pairing"),
        (subtracted, "pairing"),
        (lambda F, G, u, v, p, q: (u, v, p, q), "run forwards"),
        (lambda F, G, u, v, p, q: (u, v), "four vectors"),
    ],
    ids=["order", "costate kept", "wrong point", "subtracted", "nothing done", "two"],
)
def test_other_ways_back_are_refused(seeded, answer, hint):
    refused(check_reversible, answer, seeded, hint)

"""Checks for the exercises of the page outlook/explainable and reliable networks."""

import numpy as np
from scipy.linalg import expm

from dsnnlib.exercises import demand, number, right
from dsnnlib.outlook.logarithmic_norms import logarithmic_norm


def check_transient(largest_coupling):
    """Check `largest_coupling(a, d)`: the largest b without transient growth."""
    rng = np.random.default_rng()
    times = np.concatenate([np.geomspace(1e-4, 1, 40), np.linspace(1, 4, 20)])
    for a, d in rng.uniform(0.3, 3, size=(4, 2)):
        b = number(largest_coupling(a, d))
        demand(b > 0, f"b is to be positive, you give {b:.3g}")
        peaks = [
            max(np.linalg.norm(expm(t * np.array([[-a, f * b], [0, -d]])), 2) for t in times)
            for f in (0.99, 1.01)
        ]
        where = f"at a = {a:.3g}, d = {d:.3g}"
        demand(peaks[0] <= 1 + 1e-12, f"{where} some solution grows even below your b")
        demand(peaks[1] > 1, f"{where} no solution grows, even a little beyond your b")
    right("solutions grow beyond your b, and not below")


def check_radius(radius):
    """Check `radius(outputs, rows, lift, growth)` on networks whose flow is known."""
    rng = np.random.default_rng()
    for classes in (2, 3, 10):
        d, growth = 12, rng.uniform(0.5, 3)
        turn, _ = np.linalg.qr(rng.normal(size=(d, d)))
        lift, rows = rng.uniform(0.5, 2) * turn, rng.normal(size=(classes, d))
        rows *= rng.uniform(0.2, 3, size=(classes, 1))
        outputs = rng.normal(size=classes)
        if classes > 2:  # the largest rival is far, as its row is nearly that of the winner
            second, first = np.argsort(outputs)[-2:]
            rows[second] = rows[first] + 1e-3 * rng.normal(size=d)
            outputs[first] += 0.1
        r = np.ravel(radius(outputs, rows, lift, growth))
        demand(len(r) == 1, "return one number")
        r = number(r[0])
        demand(r > 0, f"a radius must be positive, not {r:.3g}")
        winner = np.argmax(outputs)
        effect = growth * rows @ lift  # the flow is h -> growth * h
        pushes = effect - effect[winner]
        pushes = np.delete(pushes, winner, axis=0)
        pushes /= np.linalg.norm(pushes, axis=1, keepdims=True)

        def flips(length, outputs=outputs, effect=effect, pushes=pushes, winner=winner):
            return (np.argmax(outputs + length * pushes @ effect.T, axis=1) != winner).any()

        demand(
            not flips(0.999 * r), f"with {classes} classes the answer changes within your radius"
        )
        demand(flips(1.001 * r), f"with {classes} classes the answer is safe beyond your radius")
    stretched = lift @ np.diag(np.linspace(0.1, 1, d))
    once, twice = (number(radius(outputs, rows, A, growth)) for A in (stretched, 2 * stretched))
    wide = number(radius(outputs, rows, stretched @ turn, growth))
    demand(abs(twice - once / 2) < 1e-9 * once, "twice the lift must give half the radius")
    demand(abs(wide - once) < 1e-9 * once, "rotated inputs must have the same radius")
    expected = number(radius(outputs, rows, lift, growth)) * np.linalg.norm(lift, 2)
    demand(
        abs(once * np.linalg.norm(stretched, 2) - expected) < 1e-9 * expected,
        "which norm bounds what the lift can do to a perturbation?",
    )
    right("safe up to the radius, and for a pure dilation not beyond")


def check_sup(sup_attack):
    """Check `sup_attack(w, beta, x)` -> (epsilon, perturbation) for a linear score."""
    rng = np.random.default_rng()
    for d in (1, 5, 64):
        w, x, beta = rng.normal(size=d), rng.normal(size=d), rng.normal()
        epsilon, push = sup_attack(w, beta, x)
        epsilon, push = number(epsilon), np.asarray(push, dtype=float)
        demand(push.shape == (d,), f"the perturbation must have {d} entries")
        demand(epsilon > 0, f"epsilon must be positive, not {epsilon:.3g}")
        demand(abs(push).max() <= epsilon * (1 + 1e-9), "a pixel changes by more than epsilon")
        score, after = w @ x + beta, w @ (x + push) + beta
        demand(
            abs(after) < 1e-9 * (1 + abs(score)), "your perturbation does not end on the boundary"
        )
        signs = rng.choice([-1, 1], size=(2000, d))
        signs = np.concatenate([signs, [-np.sign(score) * np.sign(w)]])
        moved = score + 0.999 * epsilon * signs @ w
        demand((moved * score > 0).all(), "a smaller epsilon is enough")
    right("your perturbation reaches the boundary, and no smaller one does")


def check_step(largest_step):
    """Check `largest_step(W, c)` of a gradient layer with leak, by the worst slopes."""
    rng = np.random.default_rng()
    for k, m, c in ((3, 3, 0.0), (2, 4, 0.8), (6, 3, 2.5)):
        W = rng.normal(size=(k, m))
        step = number(largest_step(W, c))
        demand(step > 0, f"a step must be positive, not {step:.3g}")
        slopes = np.concatenate([rng.uniform(size=(200, k)), np.ones((1, k)), np.zeros((1, k))])
        J = -(W.T * slopes[:, None, :]) @ W - c * np.eye(m)
        norms = [
            np.linalg.norm(np.eye(m) + f * step * J, 2, axis=(1, 2)).max() for f in (0.999, 1.001)
        ]
        demand(norms[0] <= 1 + 1e-12, f"with c = {c} a layer expands below your step")
        demand(norms[1] > 1, f"with c = {c} no layer expands a little beyond your step")
    right("below your step no slopes expand, beyond it some do")


def check_norms(A, B):
    """Check that A contracts in the Euclidean norm only, and B in the maximum norm only."""
    for name, matrix, good, bad in (("A", A, 2, np.inf), ("B", B, np.inf, 2)):
        matrix = np.asarray(matrix, dtype=float)
        demand(matrix.shape == (3, 3), f"{name} must be a 3 by 3 matrix")
        demand(np.isfinite(matrix).all(), f"{name} must be finite")
        words = {2: "the Euclidean norm", np.inf: "the maximum norm"}
        demand(logarithmic_norm(matrix, good) < 0, f"{name} does not contract in {words[good]}")
        demand(logarithmic_norm(matrix, bad) > 0, f"{name} has no expansion in {words[bad]}")
    right("each contracts in one norm and not in the other")


def check_shares(shares):
    """Check `shares(M, w, x, reference)`: integrated gradients of a quadratic form."""
    rng = np.random.default_rng()
    for d in (2, 5):
        M = rng.normal(size=(d, d))
        M, w, x, reference = M + M.T, *rng.normal(size=(3, d))
        a = np.asarray(shares(M, w, x, reference), dtype=float)
        demand(a.shape == (d,), f"there must be {d} shares")

        def phi(z, M=M, w=w):
            return z @ M @ z / 2 + w @ z

        demand(
            abs(a.sum() - phi(x) + phi(reference)) < 1e-9 * (1 + abs(a).sum()),
            "the shares do not add up to the change of the output",
        )
        s = np.linspace(0, 1, 2001)[:, None]
        slope = (reference + s * (x - reference)) @ M + w
        integral = ((slope[1:] + slope[:-1]) / 2).mean(0)
        demand(
            np.allclose(a, (x - reference) * integral, atol=1e-9),
            "they add up, but each is to be the mean slope along the path, times the change",
        )
    right("they add up, and agree with a sum of 2,000 gradients")

"""Hessian products, Lanczos and tracking, against dense matrices, ARPACK and a real network."""

import math

import numpy as np
import pytest
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from sklearn.datasets import load_digits
from torch import nn

from dsnnlib.training.curvature import HessianProduct, Tracker, top_eigenvalues

EPS = np.finfo(float).eps


class Matrix:
    """A dense symmetric matrix in the place of a HessianProduct."""

    def __init__(self, matrix):
        self.matrix = matrix
        self.gradient = torch.zeros(len(matrix), dtype=matrix.dtype)
        self.products = 0

    def __call__(self, vector):
        self.products += 1
        return self.matrix @ vector


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def with_spectrum(eigenvalues, seed=0):
    """A symmetric matrix with these eigenvalues and random eigenvectors."""
    eigenvalues = torch.as_tensor(eigenvalues, dtype=torch.float64)
    orthogonal, _ = torch.linalg.qr(normal(len(eigenvalues), len(eigenvalues), seed=seed))
    return Matrix(orthogonal * eigenvalues @ orthogonal.T)


@pytest.fixture(scope="module")
def network():
    """A small network's loss, its parameters, and the dense Hessian by double differentiation."""
    shapes = [(6, 4), (6,), (3, 6), (3,)]
    sizes = [math.prod(shape) for shape in shapes]
    inputs, targets, theta = normal(20, 4), normal(20, 3, seed=1), normal(sum(sizes), seed=2)

    def loss(*parameters):
        w1, b1, w2, b2 = parameters
        outputs = torch.tanh(inputs @ w1.T + b1) @ w2.T + b2
        return ((outputs - targets) ** 2).sum(1).mean() / 2

    def unflatten(theta):
        return [t.reshape(s) for t, s in zip(theta.split(sizes), shapes, strict=True)]

    dense = torch.func.jacrev(torch.func.grad(lambda theta: loss(*unflatten(theta))))(theta)
    parameters = [p.clone().requires_grad_() for p in unflatten(theta)]
    return loss(*parameters), parameters, dense


# ---- the product ----


def test_products_are_those_of_the_dense_hessian(network):
    loss, parameters, dense = network
    product = HessianProduct(loss, parameters)
    columns = torch.stack([product(e) for e in torch.eye(len(dense), dtype=torch.float64)])
    # rounding of sums over 20 samples
    np.testing.assert_allclose(columns, dense, rtol=0, atol=1e-13 * float(dense.abs().max()))
    assert product.products == len(dense)


def test_the_gradient_is_kept_flat(network):
    loss, parameters, _ = network
    expected = torch.autograd.grad(loss, parameters, retain_graph=True)
    product = HessianProduct(loss, parameters)
    assert torch.equal(product.gradient, torch.cat([g.flatten() for g in expected]))
    assert not product.gradient.requires_grad


def test_the_product_is_linear_and_symmetric(network):
    loss, parameters, dense = network
    product = HessianProduct(loss, parameters)
    a, b = normal(2, len(dense), seed=3)
    size = float(torch.linalg.matrix_norm(dense, 2) * a.norm() * b.norm())
    # rounding, relative to the sizes that are added
    assert float(a @ product(b) - b @ product(a)) == pytest.approx(0, abs=1e-14 * size)
    combined = product(3 * a - 2 * b) - (3 * product(a) - 2 * product(b))
    assert float(combined.norm()) == pytest.approx(0, abs=1e-14 * size)


def test_a_quadratic_loss_gives_its_matrix_everywhere():
    matrix = normal(5, 5)
    matrix = matrix + matrix.T
    for seed in (1, 2):
        theta = normal(5, seed=seed).requires_grad_()
        product = HessianProduct(theta @ matrix @ theta / 2, [theta])
        v = normal(5, seed=3)
        np.testing.assert_allclose(product(v), matrix @ v, rtol=1e-13)  # rounding
        np.testing.assert_allclose(product.gradient, (matrix @ theta).detach(), rtol=1e-13)


def test_a_loss_linear_in_its_parameters_has_no_curvature():
    theta = normal(4).requires_grad_()
    product = HessianProduct(theta @ normal(4, seed=1), [theta])
    assert torch.equal(product(normal(4, seed=2)), torch.zeros(4, dtype=torch.float64))
    pairs = top_eigenvalues(product, normal(4, seed=3))
    assert pairs.values.tolist() == [0]
    assert pairs.residuals.tolist() == [0]


def test_parameters_that_the_loss_does_not_use_give_zero_rows():
    used, unused, linear = (normal(2, seed=s).requires_grad_() for s in (1, 2, 3))
    product = HessianProduct((used**4).sum() / 12 + linear.sum(), [unused, used, linear])
    v = normal(6, seed=4)
    expected = torch.cat([torch.zeros(2), (used**2).detach() * v[2:4], torch.zeros(2)])
    np.testing.assert_allclose(product(v), expected, rtol=1e-14)  # rounding
    assert torch.equal(product.gradient[:2], torch.zeros(2))


def test_a_product_keeps_its_graph_and_ends_when_its_parameters_move():
    theta = torch.tensor([1.0, 2.0], requires_grad=True)
    product = HessianProduct((theta**3).sum() / 6, [theta])
    ones = torch.ones(2)
    assert product(ones).tolist() == [1, 2]
    assert product(ones).tolist() == [1, 2]
    with torch.no_grad():
        theta += 1
    with pytest.raises(RuntimeError, match="parameters have moved"):
        product(ones)
    assert HessianProduct((theta**3).sum() / 6, [theta])(ones).tolist() == [2, 3]


# ---- Lanczos ----


def test_lanczos_agrees_with_the_dense_hessian_of_a_network(network):
    loss, parameters, dense = network
    pairs = top_eigenvalues(
        HessianProduct(loss, parameters), normal(len(dense), seed=5), k=5, rtol=1e-8
    )
    exact = torch.linalg.eigvalsh(dense).flip(0)[:5].numpy()
    np.testing.assert_allclose(pairs.values, exact, rtol=0, atol=1e-8 * exact[0])  # the residual
    image = pairs.vectors @ dense
    residuals = torch.linalg.vector_norm(
        image - torch.tensor(pairs.values)[:, None] * pairs.vectors, dim=1
    )
    # what is returned as the residual is the residual, up to rounding
    np.testing.assert_allclose(pairs.residuals, residuals, rtol=0, atol=100 * EPS * exact[0])


def test_lanczos_agrees_with_arpack(network):
    loss, parameters, dense = network
    product = HessianProduct(loss, parameters)
    operator = LinearOperator(
        dense.shape, matvec=lambda v: product(torch.from_numpy(v.ravel())).numpy(), dtype=float
    )
    theirs, vectors = eigsh(operator, k=3, which="LA", tol=1e-12, v0=normal(len(dense)).numpy())
    pairs = top_eigenvalues(product, normal(len(dense), seed=5), k=3, rtol=1e-10)
    np.testing.assert_allclose(pairs.values, theirs[::-1], rtol=1e-9)  # our residual, 1e-10
    overlaps = abs(pairs.vectors.numpy() @ vectors[:, ::-1])
    np.testing.assert_allclose(overlaps, np.eye(3), atol=1e-7)  # residual over spectral gap


def test_the_algebraically_largest_are_found_not_the_largest_in_modulus():
    matrix = with_spectrum([-50, -3, *np.linspace(-1, 1, 30), 2, 4])
    pairs = top_eigenvalues(matrix, normal(34, seed=1), k=3, rtol=1e-10)
    np.testing.assert_allclose(pairs.values, [4, 2, 1], atol=1e-10 * 50)  # the residual


def test_full_orthogonalisation_leaves_no_copies_of_a_converged_eigenvalue():
    # one eigenvalue far above the others converges at once; resolving the edge of the rest,
    # whose gaps are 1e-6 of it, takes over 100 further steps
    spectrum = np.append(np.linspace(0, 1, 400), 1000)
    matrix = with_spectrum(spectrum)
    pairs = top_eigenvalues(matrix, normal(401, seed=1), k=5, rtol=1e-10, max_products=400)
    assert pairs.products > 100
    np.testing.assert_allclose(pairs.values, spectrum[::-1][:5], atol=1e-10 * 1000)  # the residual
    gram = pairs.vectors @ pairs.vectors.T
    np.testing.assert_allclose(gram, np.eye(5), atol=100 * EPS)  # rounding of 400 vectors


def test_a_start_near_convergence_leaves_no_copies_either():
    spectrum = np.append(np.linspace(0, 1, 100), [5, 6])
    matrix = with_spectrum(spectrum)
    _, vectors = torch.linalg.eigh(matrix.matrix)
    start = vectors[:, -1] + 1e-10 * normal(102, seed=1)
    pairs = top_eigenvalues(matrix, start, k=3, rtol=1e-8)
    np.testing.assert_allclose(pairs.values, [6, 5, 1], atol=1e-8 * 6)  # the residual
    np.testing.assert_allclose(pairs.vectors @ pairs.vectors.T, np.eye(3), atol=100 * EPS)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("rtol", [0.3, 1e-2, 1e-4])
def test_the_residual_bounds_the_error(seed, rtol):
    matrix = with_spectrum(np.random.default_rng(seed).normal(size=60), seed=seed)
    exact = torch.linalg.eigvalsh(matrix.matrix).numpy()
    pairs = top_eigenvalues(matrix, normal(60, seed=seed + 100), k=3, rtol=rtol)
    errors = abs(pairs.values[:, None] - exact).min(1)
    assert (errors <= pairs.residuals + 100 * EPS).all()  # a theorem, up to rounding
    assert (pairs.residuals <= rtol * abs(exact).max()).all()  # Ritz values lie within the norm
    assert pairs.products == matrix.products < 60
    assert (np.diff(pairs.values) < 0).all()


def test_in_the_full_space_every_eigenvalue_is_found():
    matrix = with_spectrum([-2, -1, 0, 1, 2, 3])
    pairs = top_eigenvalues(matrix, normal(6, seed=1), k=6, rtol=1e-14)
    np.testing.assert_allclose(pairs.values, [3, 2, 1, 0, -1, -2], atol=100 * EPS)  # rounding


def test_a_largest_eigenvalue_of_zero_is_found_in_the_full_space():
    # the residual is measured against the norm, not against the value itself
    pairs = top_eigenvalues(with_spectrum([-3, -2, -1, 0]), normal(4, seed=1))
    assert pairs.values[0] == pytest.approx(0, abs=100 * EPS)  # rounding
    assert pairs.products == 4


def test_a_start_in_an_invariant_subspace_sees_nothing_else():
    matrix = Matrix(torch.diag(torch.tensor([5.0, 3, 2, 1], dtype=torch.float64)))
    start = torch.tensor([0.0, 1, 1, 0], dtype=torch.float64)
    pairs = top_eigenvalues(matrix, start, k=3, rtol=1e-12)
    np.testing.assert_allclose(pairs.values, [3, 2], rtol=1e-14)  # rounding
    assert pairs.products == 2


def test_a_multiple_eigenvalue_is_seen_once():
    matrix = with_spectrum([2, 2, 2, 1, 0])
    pairs = top_eigenvalues(matrix, normal(5, seed=1), k=3, rtol=1e-12)
    np.testing.assert_allclose(pairs.values, [2, 1, 0], atol=100 * EPS)  # rounding


def test_single_precision_is_enough_for_a_percent():
    spectrum = np.append(np.linspace(-1, 1, 200), [3, 4])
    matrix = Matrix(with_spectrum(spectrum).matrix.float())
    pairs = top_eigenvalues(matrix, normal(202, seed=1).float(), k=2, rtol=1e-4)
    np.testing.assert_allclose(pairs.values, [4, 3], atol=1e-4 * 4)  # the residual
    assert pairs.vectors.dtype == torch.float32


@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("at", [1, 3])
def test_a_product_that_is_not_finite_is_an_arithmetic_error(poison, at):
    matrix = with_spectrum(np.linspace(0, 1, 50))

    def product(vector):
        image = matrix(vector)
        if matrix.products == at:
            image[7] = poison
        return image

    with pytest.raises(ArithmeticError, match="NaN or infinity"):
        top_eigenvalues(product, normal(50, seed=1), rtol=1e-12)


def test_too_few_products_are_an_arithmetic_error_not_a_wrong_answer():
    matrix = with_spectrum(np.linspace(0, 1, 300))
    with pytest.raises(ArithmeticError, match="after 10 products"):
        top_eigenvalues(matrix, normal(300, seed=1), rtol=1e-6, max_products=10)
    assert matrix.products == 10


# ---- tracking ----


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("k", [1, 3])
def test_a_warm_start_takes_fewer_products_than_a_cold_one(seed, k):
    spectrum = np.append(np.linspace(-1, 1, 300), [3, 4, 5])
    matrix, change = with_spectrum(spectrum, seed=seed), normal(303, 303, seed=seed + 50)
    moved = Matrix(matrix.matrix + 1e-4 * (change + change.T))
    track = Tracker(k, rng=generator(seed))
    track(matrix)
    warm = track(moved)
    cold = Tracker(k, rng=generator(seed + 99))(moved)
    assert warm.products < cold.products
    exact = torch.linalg.eigvalsh(moved.matrix).flip(0)[:k].numpy()
    np.testing.assert_allclose(warm.values, exact, atol=1e-2 * 5)  # the residual


@pytest.mark.parametrize("seed", range(5))
def test_a_tracker_notices_when_a_second_eigenvalue_overtakes(seed):
    # the tracked eigenvalue stays at 2, another one rises slowly from 1.5 to 3
    eigenvalues = np.linspace(-1, 1, 200)
    track = Tracker(rng=generator(seed))
    for rising in np.linspace(1.5, 3, 31):
        eigenvalues[:2] = 2, rising
        pairs = track(Matrix(torch.diag(torch.tensor(eigenvalues))))
        # the residual allowed is 1 %; twice as much, for the moment when both are equal
        assert pairs.values[0] >= 0.98 * max(2, rising)


@pytest.mark.parametrize("seed", range(5))
def test_a_tracker_follows_two_eigenvalues_that_take_turns_at_the_top(seed):
    # 2 +- 5 %, as at the edge: the slower they pass, the less the residual tells of the other
    vectors = torch.linalg.qr(normal(200, 200, seed=seed + 9)).Q
    eigenvalues, track = np.linspace(-1, 1, 200), Tracker(rng=generator(seed))
    for phase in np.linspace(0, 4 * np.pi, 120, endpoint=False):
        eigenvalues[:2] = 2 + 0.1 * np.cos(phase), 2 - 0.1 * np.cos(phase)
        pairs = track(Matrix(vectors * torch.tensor(eigenvalues) @ vectors.T))
        # the residual allowed is 1 %; twice as much, for the moment when both are equal
        assert pairs.values[0] >= 0.98 * max(eigenvalues)


def test_a_tracker_is_reproducible_from_its_generator():
    def run():
        track = Tracker(2, rng=generator(7))
        return [track(with_spectrum(np.linspace(0, top, 50))).values for top in (1, 2)]

    np.testing.assert_array_equal(run(), run())


# ---- a real network ----


def train_on_digits(seed, eta, steps):
    """Yield the loss and the parameters of a network on 200 digits before each step of descent."""
    pixels, labels = load_digits(return_X_y=True)
    images = torch.tensor((pixels[:200] - pixels[:200].mean(0)) / 16)
    targets = torch.eye(10, dtype=torch.float64)[torch.tensor(labels[:200])]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = nn.Sequential(
            nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 10)
        ).double()
    parameters = list(net.parameters())
    for _ in range(steps):
        loss = ((net(images) - targets) ** 2).sum(1).mean() / 2
        yield loss, parameters
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for p, g in zip(parameters, gradients, strict=True):
                p -= eta * g


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_network_sharpens_and_then_stays_at_the_edge(seed):
    # The sharpness at the start is about 2.5, whatever the seed: the edge lies at twice that.
    eta, every = 0.4, 5  # odd: a bounce of period two shows both walls
    track, losses, sharpness = Tracker(rng=generator(seed)), [], []
    for n, (loss, parameters) in enumerate(train_on_digits(seed, eta, 1200)):
        if n % every == 0:
            sharpness.append(track(HessianProduct(loss, parameters)).values[0])
        losses.append(loss.item())
    rose, ratio = np.diff(losses) > 0, eta * np.array(sharpness) / 2

    first = int(np.argmax(ratio >= 1))
    assert ratio[0] < 0.7
    assert 0 < first < len(ratio) / 2  # it sharpens until it reaches the edge
    assert not rose[: (first - 1) * every].any()  # up to the last look below the edge
    assert rose[first * every :].any()
    # from below: the tracker's residual, 1 %, and one more; a tenth is what we call just above
    assert 0.98 <= np.median(ratio[-len(ratio) // 3 :]) <= 1.1
    assert losses[-1] < losses[first * every] / 2  # and still it learns


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_along_training_a_tracker_agrees_with_a_search_from_scratch(seed):
    # at the edge two eigenvalues are 2 % apart and change places
    track, rng = Tracker(rng=generator(seed)), generator(99)
    for n, (loss, parameters) in enumerate(train_on_digits(seed, 0.4, 1000)):
        if n % 21 == 0:
            product = HessianProduct(loss, parameters)
            random = torch.randn(product.gradient.shape, generator=rng, dtype=torch.float64)
            scratch = top_eigenvalues(product, random, k=2, rtol=1e-3).values[0]
            # the tracker's residual, 1 %, and one more for the moment of an exchange
            assert track(product).values[0] == pytest.approx(scratch, rel=0.02)


# ---- at the door ----

THETA = torch.ones(3, dtype=torch.float64, requires_grad=True)
OTHER = torch.ones(3, dtype=torch.float64, requires_grad=True)
ONES = torch.ones(3, dtype=torch.float64)


def never(vector):
    pytest.fail("a product was asked for")


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda: HessianProduct(THETA.sum(), []), "parameters"),
        (lambda: HessianProduct(THETA.sum(), [ONES]), "parameters"),
        (lambda: HessianProduct(THETA.sum(), [THETA, ONES]), "parameters"),
        (lambda: HessianProduct(THETA.sum(), [1.0]), "parameters"),
        (lambda: HessianProduct((OTHER**2).sum(), [THETA]), "parameters"),
        (lambda: HessianProduct((THETA**2).sum(), THETA), "parameters"),
        (lambda: HessianProduct(THETA**2, [THETA]), "loss"),
        (lambda: HessianProduct(3.0, [THETA]), "loss"),
        (lambda: HessianProduct(ONES.sum(), [THETA]), "loss"),
        (lambda: HessianProduct(math.nan * THETA.sum(), [THETA]), "loss"),
        (lambda: HessianProduct((THETA - 1).sqrt().sum(), [THETA]), "gradient"),
        (lambda: HessianProduct((THETA**2).sum(), [THETA])(torch.ones(2)), "vector"),
        (lambda: HessianProduct((THETA**2).sum(), [THETA])(ONES[:, None]), "vector"),
        (lambda: HessianProduct((THETA**2).sum(), [THETA])(ONES.float()), "vector"),
        (lambda: HessianProduct((THETA**2).sum(), [THETA])(np.ones(3)), "vector"),
        (lambda: top_eigenvalues(never, ONES, k=0), "k"),
        (lambda: top_eigenvalues(never, ONES, k=4), "k"),
        (lambda: top_eigenvalues(never, ONES, k=1.0), "k"),
        (lambda: top_eigenvalues(never, ONES, rtol=0), "rtol"),
        (lambda: top_eigenvalues(never, ONES, rtol=math.nan), "rtol"),
        (lambda: top_eigenvalues(never, ONES, k=2, max_products=1), "max_products"),
        (lambda: top_eigenvalues(never, torch.eye(3)), "start"),
        (lambda: top_eigenvalues(never, torch.ones(0)), "start"),
        (lambda: top_eigenvalues(never, 0 * ONES), "start"),
        (lambda: top_eigenvalues(never, math.nan * ONES), "start"),
        (lambda: top_eigenvalues(never, torch.ones(3, dtype=torch.int64)), "start"),
        (lambda: top_eigenvalues(never, np.ones(3)), "start"),
        (lambda: Tracker(0, rng=generator()), "k"),
        (lambda: Tracker(rng=generator(), rtol=-1e-2), "rtol"),
        (lambda: Tracker(rng=generator(), fresh=0), "fresh"),
        (lambda: Tracker(rng=generator(), fresh=math.inf), "fresh"),
        (lambda: Tracker(rng=None), "rng"),
        (lambda: Tracker(rng=np.random.default_rng(0)), "rng"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, argument):
    with pytest.raises(ValueError, match=rf"\b{argument}\b") as refusal:
        call()
    assert "\n" not in str(refusal.value)

"""Flow matching: exact velocities, a network that learns one, and the distance of two samples."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from scipy.stats import energy_distance as scipy_energy_distance

from dsnnlib import integrate
from dsnnlib.outlook.diffusion import exact_score, probability_flow
from dsnnlib.outlook.flow_matching import GaussianVelocity, Velocity, generate, train
from dsnnlib.outlook.interpolant import diffusion_time, marginal, velocity
from dsnnlib.outlook.mixtures import GaussianMixture
from dsnnlib.outlook.two_sample import energy_distance, nearest, split_distances

RNG = np.random.default_rng
LINE = GaussianMixture([[-2.0], [0.3], [1.5]], [0.04, 0.25, 0.01], [3, 5, 2])


ZEROS = torch.zeros(5, dtype=torch.int64)


def torch_rng(seed=0):
    return torch.Generator().manual_seed(seed)


# ---- exact velocities ----


def test_a_gaussian_is_carried_by_the_affine_map():
    data, x = GaussianMixture([[1.0, -2.0]], 0.49), RNG(0).normal(size=(6, 2))
    *_, end = integrate.trajectory(lambda t, x: velocity(data, t, x), x, np.linspace(0, 1, 401))
    np.testing.assert_allclose(end, np.array([1.0, -2.0]) + 0.7 * x, atol=1e-10)


def test_the_flow_on_the_line_keeps_quantiles():
    x = np.linspace(-2, 2, 9)[:, None]
    *_, end = integrate.trajectory(lambda t, x: velocity(LINE, t, x), x, np.linspace(0, 0.9, 801))
    start = GaussianMixture([[0.0]], 1).cdf(x[:, 0])
    np.testing.assert_allclose(marginal(LINE, 0.9).cdf(end[:, 0]), start, atol=1e-7)  # RK4


def test_the_velocity_is_the_mean_over_paths():
    rng, n, t = RNG(0), 200_000, 0.5
    x1, _ = LINE.sample(n, rng)
    x0 = rng.normal(size=(n, 1))
    xt = (1 - t) * x0 + t * x1
    for window in (np.abs(xt) < 0.3, np.abs(xt + 1) < 0.2, xt > 1):
        gap = (x1 - x0 - velocity(LINE, t, xt))[window]
        assert abs(gap.mean()) < 4 * gap.std() / len(gap) ** 0.5


def test_at_the_start_the_velocity_points_to_the_mean():
    x = RNG(0).normal(size=(5, 1))
    np.testing.assert_allclose(velocity(LINE, 0.0, x), LINE.mean - x, atol=1e-14)


def test_the_velocity_of_points_is_the_way_to_their_posterior_mean():
    points, t = GaussianMixture(RNG(1).normal(size=(6, 3)), 0), 0.7
    x = RNG(2).normal(size=(4, 3))
    mean = marginal(points, t).posterior(x) @ points.means
    np.testing.assert_allclose(velocity(points, t, x), (mean - x) / (1 - t), atol=1e-12)


def test_flow_matching_and_probability_flow_are_one_flow():
    z, ends = np.linspace(-2, 2, 5)[:, None], (1e-3, 0.9)
    scale = np.hypot(ends, np.subtract(1, ends))
    clock = diffusion_time(np.array(ends))
    *_, y = integrate.trajectory(
        lambda t, x: velocity(LINE, t, x), scale[0] * z, np.linspace(*ends, 801)
    )
    *_, x = probability_flow(exact_score(LINE), z, np.geomspace(*clock, 801))
    np.testing.assert_allclose(y / scale[1], x, atol=1e-7)  # RK4


def test_the_exact_flow_of_a_data_set_ends_on_its_points():
    points = RNG(0).normal(size=(40, 8))
    data, x = GaussianMixture(points, 0), RNG(1).normal(size=(30, 8))
    *_, end = integrate.trajectory(
        lambda t, x: velocity(data, t, x), x, np.linspace(0, 1, 101), method=integrate.EULER
    )
    assert nearest(end, points).max() < 1e-9


def test_bad_times_of_a_velocity_are_refused():
    with pytest.raises(ValueError, match=r"t is 1.5; it must be a number in \[0, 1\)"):
        velocity(LINE, 1.5, np.zeros((1, 1)))
    with pytest.raises(ValueError, match="a point has no density"):
        velocity(GaussianMixture([[1.0]], 0), 1, np.zeros((1, 1)))
    with pytest.raises(ValueError, match="t must lie between 0 and 1"):
        diffusion_time(1.0)


def test_the_velocity_of_a_gaussian_carries_noise_to_its_law():
    root = torch.tensor([[1.0, 0.3], [0.3, 0.5]], dtype=torch.float64)  # of the covariance
    mean, z = torch.tensor([1.0, -2.0]).double(), torch.randn(6, 2, generator=torch_rng()).double()
    field = GaussianVelocity(mean, root @ root)
    *_, end = integrate.trajectory(field, z, np.linspace(0, 1, 401))
    np.testing.assert_allclose(end, mean + z @ root, atol=1e-8)  # RK4
    # a round Gaussian is also a mixture, of one
    x, t = RNG(0).normal(size=(5, 2)), 0.6
    round_one = GaussianVelocity(mean, 0.49 * torch.eye(2).double())(t, torch.tensor(x))
    np.testing.assert_allclose(round_one, velocity(GaussianMixture([[1.0, -2.0]], 0.49), t, x))


def test_flat_directions_of_a_gaussian_stay_finite_at_the_end():
    field = GaussianVelocity(torch.zeros(2), torch.diag(torch.tensor([1.0, 0.0])))
    x = torch.tensor([[2.0, 0.5]])
    np.testing.assert_allclose(field(1.0, x), x)  # C C^-1 x, with the floor 1e-4 for C_22
    rows = field(torch.tensor([[0.2], [0.7]]), x.expand(2, 2))  # a time for each row
    np.testing.assert_allclose(rows, torch.cat([field(0.2, x), field(0.7, x)]), rtol=1e-6)


def test_the_residual_of_the_exact_velocity_of_points_is_that_of_their_posterior_mean():
    points, (x0, x1), t = (
        GaussianMixture(RNG(1).normal(size=(6, 3)), 0),
        RNG(2).normal(size=(2, 4, 3)),
        0.8,
    )
    xt = (1 - t) * x0 + t * x1
    mean = marginal(points, t).posterior(xt) @ points.means
    residual = velocity(points, t, xt) - (x1 - x0)
    np.testing.assert_allclose(residual, (mean - x1) / (1 - t), atol=1e-12)


# ---- a network ----


def test_a_network_around_a_velocity_adds_its_correction():
    around = GaussianVelocity(torch.ones(2), 0.25 * torch.eye(2))
    alone = Velocity(2, 8, rng=torch_rng())
    both = Velocity(2, 8, rng=torch_rng(), around=around)
    x = torch.randn(4, 2, generator=torch_rng(1))
    assert torch.allclose(both(0.3, x), alone(0.3, x) + around(0.3, x))


def test_the_network_learns_the_velocity_of_a_gaussian():
    data = 2 + 0.5 * torch.randn(4000, 1, generator=torch_rng(1))
    field = Velocity(1, 32, rng=torch_rng())
    losses = train(field, data, steps=1500, batch=256, eta=1e-2, rng=torch_rng(2), progress="")
    # least loss for N(m, s^2): integral of the conditional variance s^2 / ((1-t)^2 + t^2 s^2)
    t = (np.arange(2000) + 0.5) / 2000
    least = np.mean(0.25 / ((1 - t) ** 2 + 0.25 * t**2))
    tail = losses[-300:]
    assert abs(tail.mean() - least) < 0.02 + 4 * tail.std() / len(tail) ** 0.5
    z = torch.linspace(-1.5, 1.5, 7)[:, None]
    end = generate(field, z, steps=50)[-1]
    assert (end - (2 + 0.5 * z)).abs().max() < 0.1


def test_a_network_with_classes_draws_the_class_that_is_ordered():
    label = torch.arange(2000) % 2
    data = (2.0 * label - 1)[:, None] + 0.1 * torch.randn(2000, 1, generator=torch_rng(1))
    field = Velocity(1, 32, classes=2, rng=torch_rng())
    train(field, data, label, steps=400, batch=128, eta=1e-2, rng=torch_rng(2), progress="")
    end = generate(field, torch.randn(200, 1, generator=torch_rng(3)), label[:200], steps=20)[-1]
    assert ((end[:, 0] > 0) == (label[:200] == 1)).all()


def test_training_and_sampling_are_reproducible():
    ends = []
    for _ in range(2):
        field, rng = Velocity(2, 8, rng=torch_rng()), torch_rng(1)
        train(field, torch.ones(10, 2), steps=5, batch=4, eta=1e-2, rng=rng, progress="")
        ends.append(generate(field, torch.zeros(3, 2), steps=4))
    assert ends[0].shape == (5, 3, 2)
    assert torch.equal(*ends)


def test_the_integration_of_the_samples_has_the_order_of_its_method():
    field, x = Velocity(2, 8, rng=torch_rng()).double(), torch.ones(1, 2, dtype=torch.float64)
    fine = generate(field, x, steps=400, method=integrate.RK4)[-1]
    errors = [(generate(field, x, steps=n)[-1] - fine).norm().item() for n in (20, 40)]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f: Velocity(0, 8, rng=torch_rng()), "d is 0; it must be a whole number"),
        (lambda f: Velocity(2, 8, classes=-1, rng=torch_rng()), "classes is -1"),
        (lambda f: Velocity(2, 8, rng=0), "rng is 0; it must be a torch.Generator"),
        (lambda f: learn(f, torch.ones(5, 3)), r"data is Tensor \(5, 3\); it must be a tensor"),
        (lambda f: learn(f, np.ones((5, 2))), r"data is ndarray \(5, 2\); it must be a tensor"),
        (lambda f: learn(f, torch.ones(5, 2).double()), "data holds torch.float64; it must hold"),
        (lambda f: learn(f, torch.ones(5, 2)), "labels is None; it must hold the class"),
        (lambda f: learn(f, torch.ones(5, 2), ZEROS[:4]), "labels is tensor"),
        (lambda f: learn(f, torch.ones(5, 2), ZEROS.double()), "labels is tensor"),
        (lambda f: learn(f, torch.ones(5, 2), ZEROS + 3), "the class of each point, 0 to 2"),
        (lambda f: learn(f, torch.ones(5, 2), ZEROS - 1), "the class of each point, 0 to 2"),
        (lambda f: learn(f, torch.ones(5, 2), ZEROS, rng=0), "rng is 0; it must be"),
        (
            lambda f: learn(Velocity(2, 8, rng=torch_rng()), torch.ones(5, 2), ZEROS),
            "labels are given, but the velocity has no classes",
        ),
        (lambda f: f(0.0, torch.ones(5, 2)), "labels is None; it must hold the class"),
        (lambda f: generate(f, torch.ones(5), steps=2), r"x is Tensor \(5,\); it must be a tensor"),
        (lambda f: generate(f, [1.0], steps=2), r"x is list \[1.0\]; it must be a tensor"),
        (
            lambda f: GaussianVelocity(torch.zeros(2), torch.eye(3)),
            r"covariance has the shape .*; it must be \(2, 2\)",
        ),
        (
            lambda f: GaussianVelocity(torch.zeros(2), torch.zeros(2, 2)),
            "covariance has no positive eigenvalue",
        ),
        (lambda f: generate(f, torch.ones(5, 2), steps=0), "steps is 0"),
    ],
)
def test_bad_calls_are_refused(call, message):
    with pytest.raises(ValueError, match=message) as refusal:
        call(Velocity(2, 8, classes=3, rng=torch_rng()))
    assert "\n" not in str(refusal.value)


def learn(field, data, labels=None, rng=None):
    rng = torch_rng() if rng is None else rng
    return train(field, data, labels, steps=2, batch=2, eta=0.1, rng=rng, progress="")


# ---- two samples ----


def test_the_energy_distance_is_a_direct_sum_over_pairs():
    x, y = RNG(0).normal(size=(7, 3)), RNG(1).normal(size=(5, 3))

    def within(z):
        pairs = [np.linalg.norm(a - b) for i, a in enumerate(z) for b in z[:i]]
        return np.mean(pairs)

    direct = 2 * cdist(x, y).mean() - within(x) - within(y)
    assert energy_distance(x, y) == pytest.approx(direct, abs=1e-13)


def test_with_all_pairs_it_is_the_square_of_scipys_on_the_line():
    x, y = RNG(0).normal(size=(60, 1)), RNG(1).normal(1, 1, size=(50, 1))
    mine = energy_distance(x, y)  # scipy's means include the pair of a point with itself
    shift = cdist(x, x).sum() / 60**2 / 59 + cdist(y, y).sum() / 50**2 / 49
    assert mine + shift == pytest.approx(scipy_energy_distance(x[:, 0], y[:, 0]) ** 2, abs=1e-12)


def test_the_energy_distance_has_no_bias():
    rng = RNG(0)
    values = [energy_distance(*rng.normal(size=(2, 4, 2))) for _ in range(3000)]
    assert abs(np.mean(values)) < 4 * np.std(values) / len(values) ** 0.5


def test_two_distant_gaussians_have_the_distance_of_their_means():
    x, y = RNG(0).normal(size=(2, 500, 2))
    assert energy_distance(x, y + np.array([1e6, 0])) == pytest.approx(2e6, rel=1e-5)


def test_splits_compare_different_points_of_one_pool():
    pool = RNG(0).normal(size=(30, 2))
    splits = split_distances(pool, 10, 12, splits=400, rng=RNG(1))
    assert abs(splits.mean()) < 4 * splits.std() / 20
    again, order = split_distances(pool, 10, 20, splits=1, rng=RNG(2)), RNG(2).permutation(30)
    assert again[0] == pytest.approx(energy_distance(pool[order[:10]], pool[order[10:]]))


def test_the_nearest_point_is_found():
    data = RNG(0).normal(size=(9, 3))
    np.testing.assert_allclose(nearest(data[:4] + np.array([0, 1e-3, 0]), data), 1e-3, rtol=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: energy_distance(np.ones((1, 2)), np.ones((3, 2))), "x has one point"),
        (lambda: energy_distance(np.ones((3, 2)), np.ones(3)), "y has 1 dimensions"),
        (lambda: energy_distance(np.ones((3, 2)), np.ones((3, 1))), "2 and 1 columns"),
        (lambda: nearest(np.ones((3, 2)), np.ones((3, 1))), "2 and 1 columns"),
        (
            lambda: split_distances(np.ones((5, 2)), 3, 3, splits=1, rng=RNG(0)),
            "pool has 5 points; it must have at least 6",
        ),
        (
            lambda: split_distances(np.ones((5, 2)), 1, 3, splits=1, rng=RNG(0)),
            "n is 1; it must be a whole number, at least 2",
        ),
    ],
)
def test_bad_samples_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()

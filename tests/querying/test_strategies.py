"""Every strategy meets one contract, found by name and unasked; each has its hand-computed values."""

from __future__ import annotations

import numpy as np
import pytest

import lightbulb.querying
from lightbulb.querying import Pool, QueryStrategy, highest, probcover, sample_rows, squared_distances
from lightbulb.querying.auto import FIRST, FIRST_PER_CLASS, Auto
from lightbulb.querying.badge import Badge, gradient_distances, residuals_of
from lightbulb.querying.bald import Bald
from lightbulb.querying.coreset import Coreset
from lightbulb.querying.entropy import Entropy, entropies
from lightbulb.querying.least_confidence import LeastConfidence
from lightbulb.querying.margin import Margin
from lightbulb.querying.probcover import ProbCover, likely_classes, pure_radius, widest_covers
from lightbulb.querying.random_order import RandomOrder
from lightbulb.querying.select import select
from lightbulb.querying.typiclust import TypiClust, typicality
from lightbulb.records import Float32s
from lightbulb.registry import discover

STRATEGIES = discover(lightbulb.querying, QueryStrategy)
DIM = 6


def rng_of(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def pool_of(n: int, *, known: int = 4, points: Float32s | None = None, probs: Float32s | None = None) -> Pool:
    """Ids from 10 on; random points and probabilities unless given."""
    rng = rng_of(1)
    votes = rng.dirichlet(np.ones(3), (4, n)).astype(np.float32)
    all_points = rng.normal(size=(n, DIM)).astype(np.float32) if points is None else points
    return Pool(
        np.arange(10, 10 + n),
        votes.mean(axis=0) if probs is None else probs,
        all_points.__getitem__,
        votes,
        rng.normal(size=(known, all_points.shape[1])).astype(np.float32),
        np.arange(known) % 3 - 1,
    )


def model_free(n: int) -> Pool:
    return Pool(np.arange(n))


@pytest.mark.parametrize("name", STRATEGIES)
class TestEveryStrategy:
    @pytest.mark.parametrize("known", [0, 4, 30])
    @pytest.mark.parametrize("count", [1, 5, 23, 40])
    def test_rows_of_the_pool_and_none_twice(self, name: str, known: int, count: int) -> None:
        rows = STRATEGIES[name]().query(pool_of(23, known=known), count, rng_of(0))
        assert rows.dtype == np.int64 and len(set(rows.tolist())) == len(rows) == min(count, 23)
        assert rows.min() >= 0 and rows.max() < 23

    def test_asks_for_no_item_twice_and_only_for_items_of_the_pool(self, name: str) -> None:
        chosen = select(STRATEGIES[name](), pool_of(7), 50, rng_of(0))
        assert sorted(chosen) == list(range(10, 17))

    def test_same_seed_same_questions(self, name: str) -> None:
        picks = [select(STRATEGIES[name](), pool_of(40), 5, rng_of(3)) for _ in range(2)]
        assert picks[0] == picks[1]

    def test_empty_pool(self, name: str) -> None:
        assert select(STRATEGIES[name](), pool_of(0), 5, rng_of(0)) == []

    def test_nothing_wanted(self, name: str) -> None:
        assert select(STRATEGIES[name](), pool_of(9), 0, rng_of(0)) == []

    def test_works_before_there_is_a_model(self, name: str) -> None:
        assert len(set(select(STRATEGIES[name](), model_free(5), 3, rng_of(0)))) == 3
        points = rng_of(1).normal(size=(8, DIM)).astype(np.float32)
        only_points = Pool(np.arange(8), points=points.__getitem__)
        assert len(set(select(STRATEGIES[name](), only_points, 3, rng_of(0)))) == 3

    def test_a_pool_of_one_thing_many_times(self, name: str) -> None:
        same = pool_of(30, points=np.ones((30, DIM), dtype=np.float32), probs=np.full((30, 3), 1 / 3, "f4"))
        assert len(set(select(STRATEGIES[name](), same, 12, rng_of(0)))) == 12

    def test_items_without_embedding_or_prediction_are_still_asked(self, name: str) -> None:
        whole = pool_of(12)
        assert whole.probs is not None and whole.votes is not None
        whole.probs[:4] = np.nan
        whole.votes[:, :4] = np.nan
        encoded = np.arange(12) >= 4
        partly = Pool(whole.item_ids, whole.probs, whole.points, whole.votes, whole.known,
                      whole.known_labels, encoded)  # fmt: skip
        chosen = select(STRATEGIES[name](), partly, 12, rng_of(0))
        assert sorted(chosen) == list(range(10, 22))
        if STRATEGIES[name].needs:
            assert set(chosen[:8]) == set(range(14, 22))

    @pytest.mark.parametrize("unscored", [5, 12])
    def test_embedded_items_without_a_prediction(self, name: str, unscored: int) -> None:
        whole = pool_of(12)
        assert whole.probs is not None and whole.votes is not None
        whole.probs[:unscored] = np.nan
        whole.votes[:, :unscored] = np.nan
        chosen = select(STRATEGIES[name](), whole, 12, rng_of(0))
        assert sorted(chosen) == list(range(10, 22))
        if STRATEGIES[name].needs & {"probs", "votes"}:
            assert set(chosen[: 12 - unscored]) == set(range(10 + unscored, 22))

    def test_reads_points_of_a_large_pool_sparingly(self, name: str) -> None:
        n, read = 60_000, []

        def points(rows: np.ndarray) -> Float32s:
            read.append(len(rows))
            return np.sin(np.outer(rows, np.arange(1, 9))).astype(np.float32)

        probs = rng_of(2).dirichlet(np.ones(3), n).astype(np.float32)
        large = Pool(np.arange(n), probs, points, probs[None], points(np.arange(30)), np.zeros(30, np.int64))
        assert len(set(select(STRATEGIES[name](), large, 10, rng_of(0)))) == 10
        assert sum(read) <= 20_100


# --- by hand -----------------------------------------------------------------------------------------


def scored(probs: list[list[float]]) -> Pool:
    return Pool(np.arange(1, len(probs) + 1), np.array(probs, dtype=np.float32))


def test_margin_by_hand() -> None:
    pool = scored([[0.5, 0.3, 0.2], [0.34, 0.33, 0.33], [0.9, 0.05, 0.05]])
    np.testing.assert_allclose(Margin().scores(pool, rng_of(0)), [-0.2, -0.01, -0.85], atol=1e-6)
    assert select(Margin(), pool, 2, rng_of(0)) == [2, 1]


def test_entropy_by_hand() -> None:
    pool = scored([[0.5, 0.5, 0], [1, 0, 0], [1 / 3, 1 / 3, 1 / 3]])
    expected = [np.log(2), 0, np.log(3)]
    np.testing.assert_allclose(Entropy().scores(pool, rng_of(0)), expected, atol=1e-6)
    assert select(Entropy(), pool, 3, rng_of(0)) == [3, 1, 2]
    assert entropies(np.full((2, 5, 4), 0.25, dtype=np.float32)).shape == (2, 5)


def test_least_confidence_by_hand() -> None:
    pool = scored([[0.5, 0.5, 0], [0.98, 0.01, 0.01], [0.4, 0.3, 0.3]])
    np.testing.assert_allclose(LeastConfidence().scores(pool, rng_of(0)), [0.5, 0.02, 0.6], atol=1e-6)
    assert select(LeastConfidence(), pool, 1, rng_of(0)) == [3]


def test_bald_asks_where_members_disagree_not_where_all_are_unsure() -> None:
    votes = np.array([[[1, 0], [0.5, 0.5], [1, 0]], [[0, 1], [0.5, 0.5], [1, 0]]], dtype=np.float32)
    pool = Pool(np.array([1, 2, 3]), votes.mean(axis=0), votes=votes)
    np.testing.assert_allclose(Bald().scores(pool, rng_of(0)), [np.log(2), 0, 0], atol=1e-6)


def line(*places: float) -> Float32s:
    return np.array(places, dtype=np.float32)[:, None]


def test_coreset_takes_the_farthest_each_time() -> None:
    points = line(0, 1, 2, 10, 11, 4)
    pool = Pool(np.arange(6), points=points.__getitem__, known=line(0.5), known_labels=np.zeros(1, np.int64))
    # 11 is farthest from 0.5; then 4 is 3.5 from 0.5, and all others are nearer to something known
    assert Coreset().query(pool, 3, rng_of(0)).tolist() == [4, 5, 2]
    nothing_known = Pool(np.arange(6), points=points.__getitem__)
    assert Coreset().query(nothing_known, 2, rng_of(0)).tolist() == [5, 4]  # 4 is nearest to the mean, 4.67


def test_coreset_asks_for_the_copy_of_something_last() -> None:
    points = line(0, 5, 0, 5, 9)
    rows = Coreset().query(Pool(np.arange(5), points=points.__getitem__), 5, rng_of(0)).tolist()
    assert {float(points[row, 0]) for row in rows[:3]} == {0, 5, 9}


def blobs(*centres: float, each: int = 20) -> Float32s:
    places = np.concatenate([rng_of(3).normal(centre, 0.1, (each, 2)) for centre in centres])
    return places.astype(np.float32)


@pytest.mark.parametrize("strategy", [ProbCover, TypiClust, Coreset, Auto])
def test_two_questions_find_both_of_two_groups(strategy: type[QueryStrategy]) -> None:
    points = blobs(0, 50)
    pool = Pool(np.arange(40), np.full((40, 2), 0.5, dtype=np.float32), points.__getitem__)
    rows = strategy().query(pool, 2, rng_of(0))
    assert {int(row) // 20 for row in rows} == {0, 1}


@pytest.mark.parametrize("strategy", [ProbCover, TypiClust, Coreset, Auto])
def test_a_group_that_is_known_is_left_alone(strategy: type[QueryStrategy]) -> None:
    points = blobs(0, 50, 100)
    pool = Pool(
        np.arange(60),
        np.full((60, 3), 1 / 3, dtype=np.float32),
        points.__getitem__,
        known=points[[3, 25]],
        known_labels=np.array([0, 1]),
    )
    assert strategy().query(pool, 1, rng_of(0))[0] // 20 == 2


@pytest.mark.parametrize("seed", range(5))
def test_probcover_chooses_the_largest_radius_that_stays_within_the_groups(seed: int) -> None:
    # From 2 to 10 it is 8; the radius is a squared distance, and lies just below that.
    radius = pure_radius(line(0, 1, 2, 10, 11, 12), 2, rng_of(seed))
    assert radius < 64 and radius == pytest.approx(64, rel=1e-5)


def test_probcover_forgives_one_impure_neighbourhood_in_twenty() -> None:
    # 39 copies of each end, and one stray on each side of the middle: 2 impure of 80 are allowed.
    points = line(*[0.0] * 39, 4, 6, *[10.0] * 39)
    assert pure_radius(points, 2, rng_of(0)) == pytest.approx(36, rel=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_the_radius_does_not_come_from_a_group_split_in_two(seed: int) -> None:
    rng = rng_of(seed)
    centres = 3 * rng.normal(size=(10, 64))
    points = (centres[np.arange(1000) % 10] + rng.normal(size=(1000, 64))).astype(np.float32)
    within = 2 * 64  # expected squared distance of two points of one group
    assert pure_radius(points, 10, rng) > 2 * within


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("centres", [(0, 50), (0, 50, 100), (0, 50, 100, 150, 200)])
def test_groups_are_counted_while_no_model_says_how_many_classes_there_are(
    centres: tuple[float, ...], seed: int
) -> None:
    assert likely_classes(blobs(*centres), rng_of(seed)) == len(centres)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_groups_of_too_few_points_to_count(n: int) -> None:
    assert likely_classes(line(*range(n)), rng_of(0)) == 2
    assert likely_classes(np.ones((40, DIM), dtype=np.float32), rng_of(0)) == 2


def neighbourhoods(points: Float32s, radius: float) -> np.ndarray:
    return squared_distances(points, points) <= radius**2


def test_probcover_takes_the_widest_cover_each_time() -> None:
    covers = neighbourhoods(line(20, 0, 1, 2, 10, 11, 10.5), 1)
    nothing_covered = np.ones(7, dtype=np.bool_)
    rows = widest_covers(covers, nothing_covered, 3, rng_of(0)).tolist()
    assert rows[0] == 2 or rows[0] in (4, 5, 6)  # 0, 1, 2 around 1; 10, 10.5, 11 around each of them
    assert set(rows[:2]) & {4, 5, 6} and 2 in rows[:2] and rows[2] == 0
    left_to_cover = nothing_covered.copy()
    left_to_cover[[4, 5, 6]] = False
    assert widest_covers(covers, left_to_cover, 2, rng_of(0)).tolist() == [2, 0]


def test_probcover_begins_anew_when_all_is_covered() -> None:
    covers = neighbourhoods(line(0, 1, 2, 9), 1)
    rows = widest_covers(covers, np.zeros(4, dtype=np.bool_), 4, rng_of(0)).tolist()
    assert rows[:2] == [1, 3] and sorted(rows) == [0, 1, 2, 3]


def test_probcover_covers_two_groups_with_two_picks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probcover, "pure_radius", lambda *_: 1.0)
    points = blobs(0, 50)
    rows = ProbCover().query(Pool(np.arange(40), points=points.__getitem__), 2, rng_of(0))
    assert neighbourhoods(points, 1.0)[rows].any(axis=0).all()


def test_probcover_compares_no_more_than_its_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probcover, "SAMPLE", 30)
    points = rng_of(0).normal(size=(50, 2)).astype(np.float32)
    pool = Pool(np.arange(50), points=points.__getitem__)
    assert len(set(ProbCover().query(pool, 50, rng_of(0)).tolist())) == 30
    assert sorted(select(ProbCover(), pool, 50, rng_of(0))) == list(range(50))


def test_the_most_typical_has_the_nearest_neighbours() -> None:
    assert typicality(line(0, 1, 2, 3, 9)).argmax() in (1, 2)
    assert typicality(line(7)).tolist() == [1]
    np.testing.assert_allclose(typicality(line(0, 2)), [0.5, 0.5])


def test_badge_distances_are_those_of_the_gradients() -> None:
    pool = pool_of(15)
    assert pool.probs is not None and pool.points is not None
    residuals, points = residuals_of(pool.probs), pool.points(np.arange(15))
    gradients = (residuals[:, :, None] * points[:, None, :]).reshape(15, -1)
    norms = np.square(residuals).sum(axis=1) * np.square(points).sum(axis=1)
    expected = squared_distances(gradients, gradients)
    found = np.stack([gradient_distances(residuals, points, norms, row) for row in range(15)])
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert Badge().query(pool, 1, rng_of(0))[0] == np.square(gradients).sum(axis=1).argmax()


def test_badge_does_not_ask_one_thing_twice_while_there_is_another() -> None:
    points = np.repeat(np.eye(3, dtype=np.float32), 5, axis=0)
    pool = Pool(np.arange(15), np.full((15, 2), (0.6, 0.4), dtype=np.float32), points.__getitem__)
    for seed in range(10):
        assert {int(row) // 5 for row in Badge().query(pool, 3, rng_of(seed))} == {0, 1, 2}


def test_badge_of_items_that_are_all_certain() -> None:
    points = rng_of(0).normal(size=(6, DIM)).astype(np.float32)
    pool = Pool(np.arange(6), np.tile(np.array([[1, 0]], dtype=np.float32), (6, 1)), points.__getitem__)
    assert sorted(Badge().query(pool, 6, rng_of(0)).tolist()) == list(range(6))


class TestAuto:
    def test_typical_items_first_then_uncertain_ones(self) -> None:
        points = blobs(0, 50, 100)
        probs = np.full((60, 2), (0.9, 0.1), dtype=np.float32)
        probs[[5, 45]] = (0.51, 0.49)
        enough = FIRST + FIRST_PER_CLASS * 2
        for known, expected in ((enough - 1, False), (enough, True)):
            pool = Pool(np.arange(60), probs, points.__getitem__, None, points[:known],
                        np.zeros(known, dtype=np.int64))  # fmt: skip
            rows = set(Auto().query(pool, 2, rng_of(0)).tolist())
            assert (rows == {5, 45}) is expected

    def test_questions_of_one_batch_are_not_of_one_kind(self) -> None:
        """The ten least certain are copies of one thing; one of them is enough, the others lie elsewhere."""
        points = np.concatenate([np.zeros((10, 2)), blobs(50, 100)]).astype(np.float32)
        probs = np.full((50, 2), (0.7, 0.3), dtype=np.float32)
        probs[:10] = (0.5, 0.5)
        pool = Pool(np.arange(50), probs, points.__getitem__, None, blobs(200), np.zeros(20, dtype=np.int64))
        assert select(Margin(), pool, 3, rng_of(0)) and set(select(Margin(), pool, 3, rng_of(0))) <= set(
            range(10)
        )
        rows = Auto().query(pool, 3, rng_of(0))
        assert (rows < 10).sum() == 1 and rows[0] < 10

    def test_what_is_being_asked_counts_as_asked(self) -> None:
        points = np.concatenate([np.zeros((6, 2)), blobs(50)]).astype(np.float32)
        probs = np.full((26, 2), (0.7, 0.3), dtype=np.float32)
        probs[:6] = (0.5, 0.5)
        known = np.concatenate([blobs(200), np.zeros((1, 2))]).astype(np.float32)
        labels = np.array([0] * 20 + [-1])
        rows = Auto().query(Pool(np.arange(26), probs, points.__getitem__, None, known, labels), 1, rng_of(0))
        assert rows[0] >= 6


# --- selection ---------------------------------------------------------------------------------------


def test_random_order_is_uniform() -> None:
    first = [select(RandomOrder(), model_free(4), 1, rng_of(seed))[0] for seed in range(400)]
    assert np.bincount(first, minlength=4).min() > 70


def test_items_without_a_prediction_come_after_those_with_one() -> None:
    probs = np.array([[np.nan, np.nan], [0.99, 0.01], [0.5, 0.5]], dtype=np.float32)
    assert select(Margin(), Pool(np.array([7, 8, 9]), probs), 3, rng_of(0)) == [9, 8, 7]


def test_ties_are_broken_at_random() -> None:
    level = Pool(np.arange(10), np.full((10, 2), 0.5, dtype=np.float32))
    firsts = {select(Margin(), level, 1, rng_of(seed))[0] for seed in range(50)}
    assert len(firsts) > 5


@pytest.mark.parametrize("strategy", [Badge, Bald, Coreset, Entropy, LeastConfidence, ProbCover])
def test_nothing_tells_items_apart_so_any_may_be_first(strategy: type[QueryStrategy]) -> None:
    level = np.full((10, 2), 0.5, dtype=np.float32)
    pool = Pool(np.arange(10), level, np.ones((10, DIM), dtype=np.float32).__getitem__, level[None])
    firsts = {select(strategy(), pool, 1, rng_of(seed))[0] for seed in range(50)}
    assert len(firsts) > 5


def test_highest_is_a_sort_cut_short() -> None:
    scores = rng_of(5).normal(size=200)
    assert highest(scores, 20, rng_of(0)).tolist() == np.argsort(-scores)[:20].tolist()


def test_samples_are_uniform_and_whole_when_small() -> None:
    assert sample_rows(5, 9, rng_of(0)).tolist() == [0, 1, 2, 3, 4]
    drawn = np.concatenate([sample_rows(50, 10, rng_of(seed)) for seed in range(300)])
    counts = np.bincount(drawn, minlength=50)
    assert counts.sum() == 3000 and counts.min() > 25 and counts.max() < 110

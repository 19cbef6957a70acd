"""The certificate: its arithmetic by scipy and by enumeration, its promise against adversaries."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import hypergeom

from lightbulb.autolabel.certify import (
    LEAST_GAIN,
    RISK,
    Verdict,
    allowed_wrong,
    chance_of_at_most,
    most_wrong,
    plan_looks,
    share,
    too_many_wrong,
    weigh,
)
from lightbulb.records import Ints

CONFIDENCE = 0.97
RUNS = 200
# Of RUNS runs, each broken with probability RISK at most, more than this many come up in 1 of 10,000.
MOST_BROKEN = int(RUNS * RISK + 3.7 * (RUNS * RISK * (1 - RISK)) ** 0.5)


# --- arithmetic ------------------------------------------------------------------------------------


@given(st.integers(1, 80), st.data())
def test_chances_are_scipys(total: int, data: st.DataObject) -> None:
    wrong, sampled = data.draw(st.integers(0, total)), data.draw(st.integers(0, total))
    found = data.draw(st.integers(0, sampled))
    expected = hypergeom.cdf(found, total, wrong, sampled)
    assert chance_of_at_most(found, total=total, wrong=wrong, sampled=sampled) == pytest.approx(
        expected, abs=1e-9
    )


def test_chances_by_enumeration() -> None:
    """All samples of 4 out of 9 with 3 wrong ones, counted."""
    samples = list(combinations([1, 1, 1, 0, 0, 0, 0, 0, 0], 4))
    for found in range(4):
        share_of_samples = sum(sum(sample) <= found for sample in samples) / len(samples)
        chance = chance_of_at_most(found, total=9, wrong=3, sampled=4)
        assert chance == pytest.approx(share_of_samples, abs=1e-12)


@pytest.mark.parametrize(("total", "sampled", "delta"), [(12, 5, 0.2), (30, 20, 0.05), (40, 40, 0.05)])
def test_the_bound_errs_no_more_often_than_it_says(total: int, sampled: int, delta: float) -> None:
    """For every true number of wrong ones: the chance of a sample whose bound is below it."""
    bounds = [most_wrong(found, total=total, sampled=sampled, delta=delta) for found in range(sampled + 1)]
    assert bounds == sorted(bounds)
    for wrong in range(total + 1):
        errs = [found for found, bound in enumerate(bounds) if bound < wrong]
        chance = sum(hypergeom.pmf(found, total, wrong, sampled) for found in errs)
        assert chance <= delta + 1e-12
    if sampled == total:
        assert bounds == list(range(sampled + 1))


def test_the_bound_is_no_larger_than_it_must_be() -> None:
    bound = most_wrong(1, total=200, sampled=80, delta=0.05)
    assert hypergeom.cdf(1, 200, bound, 80) > 0.05 >= hypergeom.cdf(1, 200, bound + 1, 80)


def test_99_clean_ones_of_an_endless_set_are_enough_at_the_full_risk() -> None:
    """The figure everyone knows: 0.97 ** 99 is just below 5%."""
    assert most_wrong(0, total=10**7, sampled=99, delta=0.05) <= 0.03 * 10**7
    assert most_wrong(0, total=10**7, sampled=97, delta=0.05) > 0.03 * 10**7


def test_all_looks_together_spend_the_risk_and_no_more() -> None:
    assert sum(share(number) for number in range(1, 100_000)) == pytest.approx(RISK, rel=1e-4)
    assert share(1) < RISK


@pytest.mark.parametrize("confidence", [0.9, 0.97, 0.99])
@pytest.mark.parametrize("spent", [0, 3])
def test_a_look_certifies_with_the_wrong_ones_it_allows(confidence: float, spent: int) -> None:
    total = 2000
    looks = plan_looks(total, confidence, spent=spent)
    assert looks and [look.at for look in looks] == sorted({look.at for look in looks})
    for look in looks:
        assert look.delta == share(spent + look.wrong + 1)
        verdicts = np.full(total, Verdict.UNKNOWN, dtype=np.int64)
        verdicts[: look.at] = Verdict.RIGHT
        verdicts[: look.wrong] = Verdict.WRONG
        assert weigh(verdicts, looks).certifies(total - look.at, confidence)
        assert not weigh(verdicts[::-1], looks).certifies(total - look.at, confidence)  # nothing looked at


@pytest.mark.parametrize("total", [0, 1, 5, LEAST_GAIN, 100])
def test_small_sets_have_no_certificate(total: int) -> None:
    assert plan_looks(total, CONFIDENCE, spent=0) == ()


def test_evidence_counts_up_to_the_first_gap_and_holds_what_is_lost_against_the_set() -> None:
    looks = plan_looks(1000, CONFIDENCE, spent=0)
    verdicts = np.full(1000, Verdict.UNKNOWN, dtype=np.int64)
    verdicts[:200] = Verdict.RIGHT
    verdicts[50] = Verdict.UNKNOWN
    assert weigh(verdicts, looks).audited == 50 and weigh(verdicts, looks).most is None
    verdicts[50] = Verdict.RIGHT
    clean = weigh(verdicts, looks)
    verdicts[50] = Verdict.LOST
    verdicts[301] = Verdict.LOST
    verdicts[300] = Verdict.WRONG  # a question was asked about it
    evidence = weigh(verdicts, looks)
    assert (evidence.audited, evidence.wrong, evidence.known_wrong, evidence.looks) == (200, 1, 1, 1)
    assert clean.most is not None and evidence.most is not None and evidence.most > clean.most
    assert evidence.bound(700) == (evidence.most - 1) / 700


def test_a_few_wrong_ones_are_no_failure_but_many_are() -> None:
    assert not too_many_wrong(1, sampled=1, confidence=CONFIDENCE)
    assert not too_many_wrong(3, sampled=100, confidence=CONFIDENCE)
    assert too_many_wrong(2, sampled=10, confidence=CONFIDENCE)
    assert too_many_wrong(10, sampled=100, confidence=CONFIDENCE)


# --- the promise, against adversaries --------------------------------------------------------------


def audit(wrong: np.ndarray, rng: np.random.Generator, spent: int) -> tuple[Ints, Ints, int, bool]:
    """Looks at a set till it is certified or hopeless: (order, verdicts, looks, certified)."""
    looks = plan_looks(len(wrong), CONFIDENCE, spent=spent)
    order = rng.permutation(len(wrong))
    verdicts = np.full(len(wrong), Verdict.UNKNOWN, dtype=np.int64)
    reached = 0
    for look in looks:
        verdicts[: look.at] = np.where(wrong[order[: look.at]], Verdict.WRONG, Verdict.RIGHT)
        evidence = weigh(verdicts, looks)
        reached = evidence.looks
        if evidence.certifies(len(wrong) - look.at, CONFIDENCE):
            return order, verdicts, reached, True
        if not evidence.open_looks:
            break
    return order, verdicts, reached, False


def is_broken(wrong: np.ndarray) -> bool:
    return int(wrong.sum()) > allowed_wrong(len(wrong), CONFIDENCE)


def wrong_set(size: int, count: int) -> np.ndarray:
    found = np.zeros(size, dtype=np.bool_)
    found[:count] = True
    return found


@pytest.mark.parametrize("size", [300, 612, 1500])
@pytest.mark.parametrize("excess", [1.1, 1.5])
def test_sets_just_over_the_limit_are_seldom_certified(size: int, excess: float) -> None:
    """A confident cluster of wrong ones makes the set a little worse than promised, every time anew:
    one class, audit after audit, until the risk is spent in ten of them."""
    rng = np.random.default_rng(size)
    broken_runs = 0
    for _ in range(RUNS):
        spent, broken = 0, False
        for _ in range(10):
            wrong = wrong_set(size, int(np.ceil(0.03 * size * excess)) + 4)
            order, verdicts, looks, certified = audit(wrong, rng, spent)
            spent += max(looks, 1)
            broken |= certified and is_broken(wrong[order[verdicts == Verdict.UNKNOWN]])
        broken_runs += broken
    assert broken_runs <= MOST_BROKEN


def test_a_drifting_model_cannot_pick_the_wrong_ones_out_of_a_certified_set() -> None:
    """After the audit the worst possible model keeps the wrong ones and drops right ones as it likes."""
    rng = np.random.default_rng(1)
    broken = certified_parts = 0
    for _ in range(RUNS):
        wrong = wrong_set(600, int(rng.integers(0, 30)))
        looks = plan_looks(len(wrong), CONFIDENCE, spent=0)
        order, verdicts, _, _ = audit(wrong, rng, 0)
        evidence = weigh(verdicts, looks)
        rest = order[verdicts == Verdict.UNKNOWN]
        ranked = rest[np.argsort(~wrong[rest], kind="stable")]  # all wrong ones first
        for kept in (len(rest), int(0.9 * len(rest)), len(rest) // 2, 20, 5, 1):
            part = ranked[:kept]
            if evidence.certifies(len(part), CONFIDENCE):
                certified_parts += 1
                broken += is_broken(wrong[part])
    assert certified_parts > 50
    assert broken <= MOST_BROKEN


def test_questions_that_take_right_ones_away_cannot_break_it() -> None:
    """Other questions answer items of the set in between, and only right ones: the rest grows worse."""
    rng = np.random.default_rng(2)
    broken = issued = 0
    for _ in range(RUNS):
        wrong = wrong_set(800, int(rng.integers(0, 32)))
        looks = plan_looks(len(wrong), CONFIDENCE, spent=0)
        order, verdicts, _, _ = audit(wrong, rng, 0)
        open_right = np.flatnonzero((verdicts == Verdict.UNKNOWN) & ~wrong[order])
        taken = rng.choice(open_right, int(rng.integers(0, len(open_right) // 4)), replace=False)
        verdicts[taken] = Verdict.RIGHT
        evidence = weigh(verdicts, looks)
        rest = order[verdicts == Verdict.UNKNOWN]
        if evidence.certifies(len(rest), CONFIDENCE):
            issued += 1
            broken += is_broken(wrong[rest])
    assert issued > 20 and broken <= MOST_BROKEN


def test_stopping_whenever_it_looks_best_cannot_break_it() -> None:
    """Someone who tries to accept after every single item gets no further than the looks allow."""
    rng = np.random.default_rng(3)
    broken = 0
    for _ in range(RUNS):
        wrong = wrong_set(400, 18)
        looks = plan_looks(len(wrong), CONFIDENCE, spent=0)
        order = rng.permutation(len(wrong))
        verdicts = np.full(len(wrong), Verdict.UNKNOWN, dtype=np.int64)
        for at in range(len(wrong) - 1):
            verdicts[at] = Verdict.WRONG if wrong[order[at]] else Verdict.RIGHT
            if at % 20 and at + 1 not in {look.at for look in looks}:
                continue  # the evidence can only have changed at a look; every 20th is to be sure
            if weigh(verdicts, looks).certifies(len(wrong) - at - 1, CONFIDENCE):
                broken += is_broken(wrong[order[at + 1 :]])
                break
    assert broken <= MOST_BROKEN


def test_good_sets_are_certified_nearly_always() -> None:
    """The other side: a promise that is kept by never promising would be worthless."""
    rng = np.random.default_rng(4)
    clean = sum(audit(wrong_set(612, 0), rng, 0)[3] for _ in range(100))
    nearly = sum(audit(wrong_set(3000, 15), rng, 0)[3] for _ in range(100))
    assert clean == 100 and nearly >= 90

from __future__ import annotations

import numpy as np
import pytest

from lightbulb.autolabel.certify import Verdict, allowed_wrong, most_wrong, plan_looks, weigh
from lightbulb.autolabel.uphold import Footing, footing
from lightbulb.records import Ints

TOTAL = 500
CONFIDENCE = 0.97
LOOKS = plan_looks(TOTAL, CONFIDENCE, spent=0)
AT = LOOKS[0].at


def accepted_after_a_clean_look() -> tuple[Ints, np.ndarray]:
    """(verdicts, what was accepted)"""
    verdicts = np.full(TOTAL, Verdict.UNKNOWN, dtype=np.int64)
    verdicts[:AT] = Verdict.RIGHT
    return verdicts, verdicts == Verdict.UNKNOWN


def now(verdicts: Ints, accepted: np.ndarray, taken: int = 1) -> Footing:
    return footing(verdicts, accepted, LOOKS, taken, CONFIDENCE)


def test_untouched_evidence_bears_what_it_bore() -> None:
    verdicts, accepted = accepted_after_a_clean_look()
    found = now(verdicts, accepted)
    assert found.holds(CONFIDENCE) and found.evidence == weigh(verdicts, LOOKS)
    assert (found.wrong, found.withdrawn, found.found, found.labels) == (0, 0, 0, TOTAL - AT)
    assert found.most == LOOKS[0].most and found.bound == LOOKS[0].most / (TOTAL - AT)


@pytest.mark.parametrize("after", [Verdict.UNKNOWN, Verdict.LOST, Verdict.WRONG])
def test_a_judgement_that_is_gone_counts_as_wrong_in_the_same_sample(after: Verdict) -> None:
    verdicts, accepted = accepted_after_a_clean_look()
    verdicts[[3, 50, 70]] = after
    found = now(verdicts, accepted)
    bound = most_wrong(3, total=TOTAL, sampled=AT, delta=LOOKS[0].delta)
    wrong = 3 if after == Verdict.WRONG else 0
    assert found.evidence.audited == AT and found.most == bound - wrong  # known wrong ones are outside
    assert (found.wrong, found.withdrawn) == (wrong, 3 - wrong)
    assert not found.holds(CONFIDENCE) and found.bound is not None and found.bound > 1 - CONFIDENCE


def test_what_is_found_among_the_accepted_never_helps_and_refutes_in_the_end() -> None:
    verdicts, accepted = accepted_after_a_clean_look()
    verdicts[[3, 50]] = Verdict.WRONG
    before = now(verdicts, accepted)
    assert not before.holds(CONFIDENCE)
    verdicts[-before.most :] = Verdict.WRONG  # every one that the bound allows is found and corrected
    verdicts[AT + 10 : AT + 100] = Verdict.RIGHT  # and many are seen to be right
    after = now(verdicts, accepted)
    assert (after.most, after.labels, after.found) == (before.most, before.labels, before.most)
    assert not after.holds(CONFIDENCE)
    clean, _ = accepted_after_a_clean_look()
    allowed = LOOKS[0].most
    assert allowed <= allowed_wrong(TOTAL - AT, CONFIDENCE)
    clean[-allowed:] = Verdict.WRONG
    assert now(clean, accepted).holds(CONFIDENCE)
    clean[-allowed - 1] = Verdict.WRONG
    refuted = now(clean, accepted)
    assert refuted.refuted and refuted.bound is None and not refuted.holds(CONFIDENCE)


def test_going_on_in_the_order_mends_it_at_the_next_look() -> None:
    verdicts, accepted = accepted_after_a_clean_look()
    verdicts[7] = Verdict.WRONG
    broken = now(verdicts, accepted)
    assert not broken.holds(CONFIDENCE) and broken.evidence.needed == LOOKS[1].at - AT
    verdicts[AT : LOOKS[1].at] = Verdict.RIGHT
    mended = now(verdicts, accepted)
    assert mended.evidence.looks == 2 and mended.holds(CONFIDENCE)
    another_audits = footing(verdicts, accepted, LOOKS[:1], 1, CONFIDENCE)
    assert not another_audits.holds(CONFIDENCE)


def test_going_on_and_finding_all_right_is_no_reason_to_doubt() -> None:
    verdicts, accepted = accepted_after_a_clean_look()
    for upto in range(AT, TOTAL):
        verdicts[:upto] = Verdict.RIGHT
        assert now(verdicts, accepted).holds(CONFIDENCE)


def test_a_bound_that_more_wrong_ones_are_known_than_certifies_nothing() -> None:
    verdicts, _ = accepted_after_a_clean_look()
    most = LOOKS[0].most
    verdicts[-most:] = Verdict.WRONG
    assert weigh(verdicts, LOOKS).certifies(300, CONFIDENCE) and weigh(verdicts, LOOKS).bound(300) == 0
    verdicts[-most - 1] = Verdict.WRONG
    evidence = weigh(verdicts, LOOKS)
    assert evidence.refuted and evidence.bound(300) is None and not evidence.certifies(300, CONFIDENCE)
    assert not weigh(verdicts[::-1], LOOKS).within_reach(300, 300, CONFIDENCE)


def test_the_bound_is_right_whatever_people_take_back() -> None:
    """Over many orders of a set with as many wrong ones as may be: they take back what was found right, find
    wrong ones among the accepted, and still the bound errs no more often than its look may."""
    rng = np.random.default_rng(8)
    truth = np.zeros(TOTAL, dtype=np.bool_)
    truth[: LOOKS[0].most + 1] = True
    errors, runs = 0, 2000
    for _ in range(runs):
        wrong = truth[rng.permutation(TOTAL)]
        verdicts = np.where(wrong, Verdict.WRONG, Verdict.RIGHT).astype(np.int64)
        verdicts[AT:] = Verdict.UNKNOWN
        accepted = verdicts == Verdict.UNKNOWN
        verdicts[rng.choice(AT, rng.integers(4), replace=False)] = Verdict.UNKNOWN
        for at in rng.choice(np.arange(AT, TOTAL), 20, replace=False):
            verdicts[at] = Verdict.WRONG if wrong[at] else Verdict.RIGHT
        errors += now(verdicts, accepted).most < int(wrong[AT:].sum())
    assert errors / runs <= LOOKS[0].delta + 3 * np.sqrt(LOOKS[0].delta / runs)

"""The certificate: how many of a class's proposals may be accepted without a look.

**What is promised.** For each class: with probability at least 1 - RISK over the random draws of the
audits, *every* set of that class ever offered for acceptance holds at most a share 1 - confidence of
wrong labels (wrong: other than what a person would say, as persons said of the items they saw).

**How an audit goes.** The candidates of one class are frozen and put in a random order, drawn after
everything else was fixed. People look at them in that order, in batches. At some points of the order,
laid down when it was drawn (`plan_looks`), the wrong ones so far are counted and give an upper bound on
the wrong ones in the whole frozen set.

**Why it holds.**
1. The first m items of a random order are a uniform sample without replacement, so the number of wrong
   ones among them is hypergeometric, and `most_wrong` inverts its distribution exactly: it errs with
   probability at most `delta`, whatever the model did and however the candidates came about.
2. Every look spends a part of RISK that was set before the order was drawn: the first of a class 0.6 of
   it, the n-th, over all its audits, 0.4 / (n (n - 1)); these sum up to 1. A look's part is spent when its
   point is found to be reached, by whatever labels, and stays spent when these are undone or taken off.
   By the union bound all bounds of a class hold together with probability 1 - RISK. Given all that
   happened before, a new audit has an order of its own, so earlier audits, models trained on them, and
   thresholds raised by them cannot spoil it.
   This is fixed-sequence testing over attempts, as in Learn then Test (Angelopoulos, Bates, Candès,
   Jordan, Lei 2021, arXiv 2110.01052), with the exact hypergeometric p-value for a finite set.
3. Where the bounds hold, at most `most` items of the frozen set are wrong; that is a plain number, so it
   holds for *every* part of the set, chosen by whatever rule: at most `most` less the wrong ones that
   are known and outside the part. This is how evidence outlives the model it was gathered under: a
   later model may thin the frozen set out, and questions may take items from it (their answers are
   known by then), but what is accepted is always a part of it. Restricting the *sample* to the part
   instead would not do: a model trained on the audited items agrees with them, and would find its
   choice clean by construction. Where more wrong ones are known than a bound allows, it is refuted, and
   certifies nothing.
4. An item that nobody can judge any more (its file is gone, or another audit's acceptance labelled it)
   counts as wrong in the sample, and never among the wrong ones that are known to be outside. Perhaps it
   was not: then the bound is larger than it need be. Leaving it out would let whoever deletes the wrong
   ones delete the evidence.

What it does not promise: that among the certificates *issued* at most RISK are broken. If all sets were
just over the limit, few certificates would be issued, but those few would be broken.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from scipy.special import gammaln
from scipy.stats import binom

from lightbulb.records import Float64s, Ints

RISK = 0.05  # of any broken certificate, per class
MOST_LOOKS = 8  # wrong items an audit may find, less one, before it ends without a certificate
LEAST_GAIN = 10  # items that acceptance must spare a person to be worth an audit
FEWEST_WRONG = 2  # wrong items below which no batch fails
LEFT = 0.9  # share of what was not looked at that is still there to be accepted, as a plan reckons


class Verdict(IntEnum):
    """What is known of a candidate: whether it is of the class it was proposed as."""

    UNKNOWN = 0
    RIGHT = 1
    WRONG = 2
    LOST = 3  # cannot be judged any more: held against the set, never counted in its favour


@dataclass(frozen=True)
class Look:
    """A point of an audit's order at which the wrong items are counted.

    at: items looked at by then. wrong: how many of them may be wrong for a certificate of the rest.
    most: the bound that so many give. delta: probability that a bound taken here is too low.
    """

    at: int
    wrong: int
    most: int
    delta: float


def share(number: int) -> float:
    """The part of RISK that the n-th look of a class may spend, n from 1; they sum up to RISK."""
    return RISK * (0.6 if number == 1 else 0.4 / (number * (number - 1)))


def log_choose(n: Ints, k: Ints) -> Float64s:
    """log of the binomial coefficient, -inf where there are no such choices."""
    possible = (k >= 0) & (k <= n)
    safe_n, safe_k = np.where(possible, n, 0), np.where(possible, k, 0)
    value = gammaln(safe_n + 1) - gammaln(safe_k + 1) - gammaln(safe_n - safe_k + 1)
    return np.where(possible, value, -np.inf)


def chance_of_at_most(found: int, *, total: int, wrong: Ints | int, sampled: Ints | int) -> Float64s:
    """P(at most `found` wrong ones in a sample without replacement): the hypergeometric distribution.

    total: size of the set. wrong: wrong ones in it. sampled: size of the sample. The last two may be
    arrays, broadcast against each other.
    """
    wrong_, sampled_ = np.broadcast_arrays(np.asarray(wrong, np.int64), np.asarray(sampled, np.int64))
    counts = np.arange(found + 1).reshape(-1, *([1] * wrong_.ndim))
    log_chance = (
        log_choose(wrong_, counts)
        + log_choose(total - wrong_, sampled_ - counts)
        - log_choose(np.asarray(total, dtype=np.int64), sampled_)
    )
    return np.minimum(np.exp(log_chance).sum(axis=0), 1.0)


def most_wrong(found: int, *, total: int, sampled: int, delta: float) -> int:
    """The largest number of wrong ones in the set that finding at most `found` does not refute.

    Exact, one-sided (Clopper and Pearson 1934, for the hypergeometric distribution): whatever the true
    number is, this is below it with probability at most delta.
    """
    low, high = found, total - sampled + found  # `low` is never refuted: it was found
    while low < high:
        middle = (low + high + 1) // 2
        if float(chance_of_at_most(found, total=total, wrong=middle, sampled=sampled)) > delta:
            low = middle
        else:
            high = middle - 1
    return low


def allowed_wrong(size: int, confidence: float) -> int:
    """How many of `size` items may be wrong if a share `confidence` has to be right."""
    return math.floor(size * (1 - confidence) + 1e-9)


def plan_looks(total: int, confidence: float, *, spent: int) -> tuple[Look, ...]:
    """When to count in an audit of `total` candidates: the j-th look is at the first point of the order
    where j - 1 wrong ones would still certify the rest, even after questions took a tenth of it.

    spent: looks this class has spent before. Empty if no audit could spare LEAST_GAIN items.
    """
    looks: list[Look] = []
    farthest = total - LEAST_GAIN
    for wrong in range(MOST_LOOKS):
        delta = share(spent + wrong + 1)
        first = looks[-1].at + 1 if looks else 1
        # In an endless set log(1 / delta) / (1 - confidence) clean items are enough; wrong ones add to that.
        enough = math.ceil((math.log(1 / delta) + 3 * wrong + 3) / (1 - confidence) / LEFT)
        at = np.arange(first, min(farthest, enough) + 1)
        if not len(at):
            break
        refuted = wrong + np.floor(LEFT * (total - at) * (1 - confidence) + 1e-9).astype(np.int64) + 1
        certain = chance_of_at_most(wrong, total=total, wrong=refuted, sampled=at) <= delta
        if not certain.any():
            break
        first = int(at[certain.argmax()])
        looks.append(Look(first, wrong, most_wrong(wrong, total=total, sampled=first, delta=delta), delta))
    return tuple(looks)


@dataclass(frozen=True)
class Evidence:
    """What an audit has shown so far.

    audited: items looked at, without a gap, from the start of the order. wrong: wrong or lost ones among
    them. known_wrong: wrong ones anywhere in the set. looks: how many looks were reached.
    most: upper bound on the wrong ones of the whole set, None before the first look.
    open_looks: looks that can still lead to a certificate of all the rest.
    """

    audited: int
    wrong: int
    known_wrong: int
    looks: int
    most: int | None
    open_looks: tuple[Look, ...]

    @property
    def needed(self) -> int | None:
        """Items to look at until the next look that could certify; None if none is left."""
        return self.open_looks[0].at - self.audited if self.open_looks else None

    @property
    def refuted(self) -> bool:
        """More wrong ones are known than there should be: the sample was one of the unlucky few."""
        return self.most is not None and self.known_wrong > self.most

    def bound(self, rest: int) -> float | None:
        """Upper bound on the share of wrong ones in a part of the set of which nothing is known; None
        before there is one, and once it is refuted."""
        if self.most is None or rest <= 0 or self.refuted:
            return None
        return min(1.0, (self.most - self.known_wrong) / rest)

    def within_reach(self, rest: int, unknown: int, confidence: float) -> bool:
        """Whether the next look would certify, if all up to there are right.

        rest: items that acceptance would label now. unknown: items of the set that nobody judged.
        """
        if not self.open_looks:
            return False
        look = self.open_looks[0]
        left = rest * (1 - (look.at - self.audited) / max(1, unknown))
        return 0 <= look.most - self.known_wrong <= allowed_wrong(math.floor(left), confidence)

    def certifies(self, rest: int, confidence: float) -> bool:
        """Whether at most a share 1 - confidence of a part with `rest` unknown items is wrong."""
        if self.most is None or rest <= 0:
            return False
        return 0 <= self.most - self.known_wrong <= allowed_wrong(rest, confidence)


def weigh(verdicts: Ints, looks: tuple[Look, ...]) -> Evidence:
    """verdicts: of all candidates in the audit's order, int64 (total,), values of Verdict."""
    total = len(verdicts)
    gaps = np.flatnonzero(verdicts == Verdict.UNKNOWN)
    audited = int(gaps[0]) if len(gaps) else total
    wrong_by = np.concatenate([[0], np.cumsum(verdicts[:audited] >= Verdict.WRONG)])
    reached = [look for look in looks if look.at <= audited]
    bounds = [
        most_wrong(int(wrong_by[look.at]), total=total, sampled=look.at, delta=look.delta) for look in reached
    ]
    wrong = int(wrong_by[-1])
    return Evidence(
        audited=audited,
        wrong=wrong,
        known_wrong=int((verdicts == Verdict.WRONG).sum()),
        looks=len(reached),
        most=min(bounds) if bounds else None,
        open_looks=tuple(look for look in looks if look.at > audited and look.wrong >= wrong),
    )


def too_many_wrong(found: int, *, sampled: int, confidence: float) -> bool:
    """Whether a sample shows that a model's proposals are right less often than `confidence`.

    The test opposite to the certificate's, at the level RISK (binomial: it judges the model, not just
    the set at hand); a single wrong one is never enough.
    """
    return found >= FEWEST_WRONG and bool(binom.sf(found - 1, sampled, 1 - confidence) <= RISK)

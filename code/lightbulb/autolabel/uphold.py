"""Whether what was accepted without a look is still borne by the evidence, as that is now.

The certificate was right for the labels of that day. Since then people may have taken labels of the sample
back, found that they were wrong, or deleted files. What may be concluded from that, and what not:

1. A judgement of the sample that is there no longer counts as wrong. The random order and the point at
   which the look was taken stay as they were, so the bound is one on the same sample, with at least as many
   wrong ones as there truly are in it: still right with the look's probability, only larger. Leaving the item
   out, or drawing another one in its place, would let whoever takes judgements back choose the sample.
2. Wrong ones that people come upon among the accepted labels are no random sample: nobody knows how many
   right ones were passed over on the way, nor why just these were looked at. So they count against the
   certificate alone. Each stays one of the wrong ones that the bound allows, corrected or not; were they
   taken off the bound, correcting what leaps to the eye would make the others look good. Once there are more
   of them than the bound allows, it is refuted. Right ones that people come upon say nothing.
3. Going on in the audit's random order is sampling. A further look that was laid down beforehand may be
   taken, at the price of its own part of the risk, while no later audit of the class has spent that. What was
   accepted and lies beyond the sample then is a part of the set as well, and may be promised for by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from lightbulb.autolabel.certify import Evidence, Look, Verdict, allowed_wrong, weigh
from lightbulb.records import Bools, Ints


@dataclass(frozen=True)
class Footing:
    """What an acceptance stands on now.

    evidence: the sample, in which what nobody judges any more counts as wrong. wrong: those of it that are
    wrong. withdrawn: those that nobody judges any more.
    labels: all that was accepted, or what of it lies beyond the sample, whether or not someone looked since.
    most: upper bound on the wrong ones among them. found: those known to be wrong.
    """

    evidence: Evidence
    wrong: int
    withdrawn: int
    labels: int
    most: int
    found: int

    @property
    def refuted(self) -> bool:
        """More wrong ones were found than the bound allows."""
        return self.found > self.most

    @property
    def bound(self) -> float | None:
        """Upper bound on the share of wrong ones among the labels; None if it is refuted."""
        return None if self.refuted or not self.labels else min(1.0, self.most / self.labels)

    def holds(self, confidence: float) -> bool:
        """Whether at most a share 1 - confidence of the labels is wrong."""
        return not self.refuted and self.most <= allowed_wrong(self.labels, confidence)


def footing(
    verdicts: Ints, accepted: Bools, looks: tuple[Look, ...], taken: int, confidence: float
) -> Footing:
    """verdicts: of the whole set in the audit's order, int64 (total,), values of Verdict; UNKNOWN for what
    was accepted and nobody looked at. accepted: what the acceptance labelled, less what has no label now,
    bool (total,). looks: all that may be taken. taken: how many of them were, by now; at least one.
    """
    sample = verdicts.copy()
    head = sample[: looks[taken - 1].at]
    head[head == Verdict.UNKNOWN] = Verdict.LOST
    evidence = weigh(sample, looks)
    beyond = accepted.copy()
    beyond[: evidence.audited] = False
    whole = _footing_of(accepted, sample, evidence)
    return whole if whole.holds(confidence) else _footing_of(beyond, sample, evidence)


def _footing_of(part: Bools, sample: Ints, evidence: Evidence) -> Footing:
    assert evidence.most is not None
    wrong, judged = sample == Verdict.WRONG, sample[: evidence.audited]
    return Footing(
        evidence=evidence,
        wrong=int((judged == Verdict.WRONG).sum()),
        withdrawn=int((judged == Verdict.LOST).sum()),
        labels=int(part.sum()),
        most=max(0, evidence.most - int((wrong & ~part).sum())),
        found=int((wrong & part).sum()),
    )

"""What should be true after any sequence of steps, found by the plainest means: walking all of them anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

Row = tuple[int, str | None, str]  # item, value, source
UNDOABLE = ("label", "skip", "bulk", "clear", "batch", "accept")


@dataclass
class Step:
    """An action. refused: (item, class) that it said no to. judged: items of a batch."""

    number: int
    kind: str
    who: str
    rows: list[Row]
    refused: set[tuple[int, str]] = field(default_factory=set)
    judged: set[int] = field(default_factory=set)
    client_id: str | None = None
    is_undone: bool = False

    @property
    def items(self) -> set[int]:
        return {item for item, _, _ in self.rows} | self.judged


@dataclass
class Expected:
    items: dict[int, str]  # id → key
    gone: set[int] = field(default_factory=set)
    steps: list[Step] = field(default_factory=list)
    flags: dict[int, str] = field(default_factory=dict)

    def standing(self) -> Iterator[Step]:
        return (step for step in self.steps if not step.is_undone)

    def in_force(self) -> dict[int, tuple[str, str, str]]:
        """Item → (value, source, who): the last that stands; a certified one only if nobody refused it."""
        refused = set().union(*(step.refused for step in self.standing()), set())
        found: dict[int, tuple[str, str, str]] = {}
        for step in self.standing():
            for item, value, source in step.rows:
                if value is not None and not (source == "certified" and (item, value) in refused):
                    found[item] = (value, source, step.who)
                elif step.kind == "clear":
                    found.pop(item, None)
        return found

    def labelled(self, classes: tuple[str, ...]) -> set[int]:
        """classes: those of the config by now."""
        return {item for item, now in self.in_force().items() if now[0] in classes}

    def unlabelled(self, classes: tuple[str, ...]) -> set[int]:
        return set(self.items) - self.gone - self.labelled(classes)

    def skipped(self, classes: tuple[str, ...]) -> set[int]:
        steps = (step for step in self.standing() if step.kind != "clear")
        passed_over = {item for step in steps for item, value, _ in step.rows if value is None}
        return self.unlabelled(classes) & passed_over

    def asked(self, classes: tuple[str, ...]) -> set[int]:
        """Labelled, and an answer to a question stands that nobody took off since."""
        found: set[int] = set()
        for step in self.standing():
            if step.kind == "label":
                found |= step.items
            elif step.kind == "clear":
                found -= step.items
        return found & self.labelled(classes)

    def barred(self) -> set[tuple[int, str]]:
        return set().union(*(step.refused for step in self.standing()), set())

    def last_of(self, who: str) -> Step | None:
        own = [step for step in self.standing() if step.who == who and step.kind in UNDOABLE]
        return own[-1] if own else None

    def answers_of(self, who: str, count: int) -> list[tuple[int, str | None, int]]:
        """(item, value in force, action), the latest first, each item once."""
        in_force, given = self.in_force(), {}
        own = [step for step in self.standing() if step.who == who and step.kind in ("label", "skip")]
        for step in own[::-1][:count]:
            item = step.rows[0][0]
            given.setdefault(item, (item, in_force[item][0] if item in in_force else None, step.number))
        return list(given.values())

    def history_of(self, item: int) -> list[tuple[int, str | None, str, bool]]:
        """(action, value, source, whether undone), the newest first."""
        return [
            (step.number, value, source, step.is_undone)
            for step in reversed(self.steps)
            for one, value, source in reversed(step.rows)
            if one == item
        ]

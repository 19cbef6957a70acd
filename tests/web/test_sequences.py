"""Random sequences of whatever the pages can do, against a plain model of what should be true after each."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from audit_bench import NoClassifier
from lightbulb.records import Snapshot
from lightbulb.services.assemble import Workspace, open_workspace
from lightbulb.services.catalog import Catalog
from lightbulb.services.plugins import FORMATS
from lightbulb.web.app import create_app
from support import config_for
from web.expected import Expected, Step

CLASSES = ("A", "B", "C")
N = 100
CLIENTS = ("one", "two")


class Player:
    """Takes random steps, over HTTP but for the import, and keeps account of them."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.folder = folder
        self.pool = folder / "pool"
        self.pool.mkdir()
        self.kept: dict[str, bytes] = {}  # files by key, also of those that are gone
        for index in range(N):
            self.write(f"{index:03}.png", self.image())
        self.who = "ann"
        self.version = 0
        self.sent = 0
        self.shown: dict[str, dict[str, Any]] = {}  # client → batch before it
        self.answered: list[dict[str, Any]] = []  # labels that came with a client_id
        self.open()
        view = self.workspace.catalog.view
        self.expected = Expected(CLASSES, dict(zip(view.ids.tolist(), view.keys, strict=True)))

    # --- the machinery ----------------------------------------------------------------------------

    def open(self) -> None:
        config = config_for(
            self.folder, self.pool, label={"classes": CLASSES},
            auto_label={"confidence": 0.5, "batch_size": 8},
        )  # fmt: skip
        self.workspace: Workspace = open_workspace(config.model_copy(update={"user": self.who}))
        self.client = create_app(self.workspace).test_client()
        self.publish()

    def close(self) -> None:
        self.workspace.learner.stop()
        self.workspace.judgements.stop()
        self.workspace.database.close()

    def image(self) -> bytes:
        data = io.BytesIO()
        Image.fromarray(self.rng.integers(0, 256, (4, 4), dtype=np.uint8)).save(data, "png")
        return data.getvalue()

    def write(self, key: str, data: bytes) -> None:
        self.kept[key] = data
        (self.pool / key).write_bytes(data)

    def post(self, path: str, status: int = 200, **body: Any) -> dict[str, Any]:
        response = self.client.post(path, json=body)
        assert response.status_code == status, (path, body, response.text)
        return dict(response.json)

    def get(self, path: str) -> dict[str, Any]:
        response = self.client.get(path)
        assert response.status_code == 200, (path, response.text)
        return dict(response.json)

    def some(self, most: int = 6) -> list[int]:
        ids = list(self.expected.items)
        return [int(one) for one in self.rng.choice(ids, self.rng.integers(1, most), replace=False)]

    def value(self) -> str:
        return str(self.rng.choice(CLASSES))

    def note(self, number: int, kind: str, rows: list[Any], **more: Any) -> Step:
        step = Step(number, kind, self.who, rows, **more)
        self.expected.steps.append(step)
        return step

    # --- the steps --------------------------------------------------------------------------------

    def publish(self) -> None:
        """Another model: mostly of the mind of the one before."""
        self.version += 1
        view = self.workspace.catalog.view
        probs = np.full((len(view.ids), 3), 0.05, dtype=np.float32)
        favourite = self.rng.random(len(view.ids)) < 0.8
        best = np.where(favourite, 0, self.rng.integers(0, 3, len(view.ids)))
        probs[np.arange(len(view.ids)), best] = 0.9
        snapshot = Snapshot(
            version=self.version, classifier=NoClassifier(), classes=CLASSES, trained_on=9, labels=9,
            labels_revision=0, encoder_fingerprint="", item_ids=view.ids, probs=probs,
            thresholds=np.full(3, 0.5, dtype=np.float32), accuracy=None, temperature=1.0, published_at=0.0,
        )  # fmt: skip
        self.workspace.learner._publish(replace(snapshot, recalled=view.recalled), None)

    def label(self) -> None:
        item, value = self.some(2)[0], self.value()
        self.sent += 1
        body = {"item": item, "label": value, "client_id": f"id{self.sent}"}
        self.answered.append(body)
        done = self.post("/api/labels", labels=[body])
        self.note(done["action"], "label", [(item, value, "human")], client_id=body["client_id"])

    def label_again(self) -> None:
        """As a browser does whose answer was lost on the way: nothing changes."""
        if self.answered:
            body = self.answered[int(self.rng.integers(len(self.answered)))]
            done = self.post("/api/labels", labels=[body])
            (step,) = (one for one in self.expected.steps if one.client_id == body["client_id"])
            assert done["action"] == step.number

    def skip(self) -> None:
        item = self.some(2)[0]
        done = self.post("/api/labels", labels=[{"item": item, "label": None}])
        self.note(done["action"], "skip", [(item, None, "human")])

    def bulk(self) -> None:
        items = self.some(12)
        value = None if self.rng.random() < 0.3 else self.value()
        body = [{"item": item, "label": value} for item in items]
        if value is None and set(items) <= set(self.expected.in_force()):
            self.post("/api/labels", 409, labels=body, as_one=True)
            return
        done = self.post("/api/labels", labels=body, as_one=True)
        self.note(done["action"], "bulk", [(item, value, "human") for item in items])

    def remove(self) -> None:
        items = self.some(12) if self.rng.random() < 0.5 else self.some(N)
        labelled = [item for item in items if item in self.expected.in_force()]
        if not labelled:
            self.post("/api/labels/remove", 409, items=items)
            return
        done = self.post("/api/labels/remove", items=items)
        assert done["removed"] == len(labelled)
        self.note(done["action"], "clear", [(item, None, "human") for item in labelled])

    def undo(self) -> None:
        last = self.expected.last_of(self.who)
        if last is None:
            self.post("/api/undo", 409)
            return
        done = self.post("/api/undo")
        assert (done["undone"], done["kind"], set(done["items"])) == (last.number, last.kind, last.items)
        last.is_undone = True

    def undo_one(self) -> None:
        """By its client_id, wherever it is; the second time nothing changes."""
        own = [one for one in self.expected.steps if one.client_id and one.who == self.who]
        if own:
            step = own[int(self.rng.integers(len(own)))]
            assert self.post("/api/undo", of=step.client_id)["undone"] == step.number
            step.is_undone = True

    def flag(self) -> None:
        items, on = self.some(), self.rng.random() < 0.6
        note = str(self.rng.integers(3)) if on else ""
        before = {item: self.expected.flags.get(item) for item in items}
        changed = sum(was != (note if on else None) for was in before.values())
        assert self.post("/api/flags/many", items=items, note=note, flagged=on)["changed"] == changed
        for item in items:
            self.expected.flags.pop(item, None)
        if on:
            self.expected.flags.update(dict.fromkeys(items, note))

    def ask(self) -> None:
        """Questions are open ones, and no two clients get the same."""
        found = {one: self.get(f"/api/questions?n=3&client={one}")["questions"] for one in CLIENTS}
        items = [one["item"] for questions in found.values() for one in questions]
        assert len(set(items)) == len(items) and set(items) <= self.expected.unlabelled()

    def show_batch(self) -> None:
        client = str(self.rng.choice(CLIENTS))
        batch = self.get(f"/api/batches/next?client={client}")
        items = {one["item"] for one in batch["items"]}
        assert items <= self.expected.unlabelled()
        assert not {(item, batch["label"]) for item in items} & self.expected.barred()
        if batch["batch"] is not None:
            self.shown[client] = batch

    def answer_batch(self) -> None:
        if not self.shown:
            self.show_batch()
        if not self.shown:
            return
        batch = self.shown.pop(str(self.rng.choice(list(self.shown))))
        items, label = [one["item"] for one in batch["items"]], batch["label"]
        strictness = 0.02 if self.rng.random() < 0.9 else 0.5
        refused = [item for item in items if self.rng.random() < strictness]
        named = {item: self.rng.choice([one for one in CLASSES if one != label]) for item in refused}
        named = {item: None if self.rng.random() < 0.4 else str(named[item]) for item in refused}
        in_force = self.expected.in_force()
        kept = {item for item in items if item in in_force and in_force[item][1] in ("human", "confirmed")}
        judged = [item for item in items if item not in kept | self.expected.gone]
        body = [{"item": item, "label": named[item]} for item in refused]
        done = self.post(f"/api/batches/{batch['batch']}", rejected=body)
        rows: list[Any] = [(item, label, "confirmed") for item in judged if item not in named]
        rows += [(item, named[item], "human") for item in judged if named.get(item)]
        assert done["confirmed"] == len([item for item in judged if item not in named])
        no = {(item, label) for item in judged if item in named}
        self.note(done["action"], "batch", rows, refused=no, judged=set(judged))
        self.post(f"/api/batches/{batch['batch']}", 409, rejected=body)

    def review(self) -> None:
        """Batch after batch, until the rest of a class is accepted."""
        self.publish()
        for _ in range(6):
            self.shown.clear()
            self.answer_batch()
            if self.accept():
                break

    def accept(self) -> bool:
        certificates = self.get("/api/batches/next?client=three")["certificates"]
        if not certificates:
            return False
        found, before = certificates[0], self.expected.unlabelled()
        done = self.post(f"/api/batches/{found['batch']}/accept-rest")
        new = [one for one in self.exported() if one[2] == "certified" and one[0] in before]
        assert len(new) == done["certified"] == found["audit"]["rest"] and {one[1] for one in new} == {
            found["label"]
        }
        self.note(done["action"], "accept", [(item, value, source) for item, value, source, _ in new])
        audits = [one["audit"] for one in self.get("/api/status")["lapsed"]]
        batch = self.workspace.batches.get(found["batch"])
        assert batch.audit not in audits  # what has just been accepted holds
        self.post(f"/api/batches/{found['batch']}/accept-rest", 409)
        return True

    def check_again(self) -> None:
        for found in self.get("/api/status")["lapsed"][:1]:
            address = f"/api/certificates/{found['audit']}/check"
            if not found["to_check"]:  # the files of all that is left are gone
                self.post(address, 409)
                return
            batch = self.post(address, client="one")
            assert len(batch["items"]) == found["to_check"] and batch["label"] == found["label"]
            self.shown["one"] = batch

    def take_back(self) -> None:
        for found in self.get("/api/status")["lapsed"][:1]:
            before = {one[0]: one for one in self.exported()}
            done = self.post(f"/api/certificates/{found['audit']}/take-back")
            gone = [before[item] for item in set(before) - {one[0] for one in self.exported()}]
            assert {one[1:3] for one in gone} == {(found["label"], "certified")}
            assert len(gone) == done["removed"] == found["labels"]
            self.note(done["action"], "clear", [(one[0], None, "human") for one in gone])

    def take_in(self) -> None:
        """A file of labels, by the command that does so while the service is down."""
        in_force, rows = self.expected.in_force(), []
        for item in self.some(8):
            value, source = self.value(), str(self.rng.choice(["", "human", "confirmed", "certified"]))
            rows.append((item, value, source or "imported"))
        text = "path,label,source\n" + "".join(
            f"{self.expected.items[item]},{value},{'' if source == 'imported' else source}\n"
            for item, value, source in rows
        )
        count = self.workspace.importing.import_text(text, FORMATS["csv"](), self.who)
        self.workspace.catalog.reload()
        kept = [row for row in rows if self.says_more(row, in_force.get(row[0]))]
        assert count == len(kept)
        if kept:
            self.note(self.workspace.labels.last_action(), "import", kept)

    def says_more(self, row: tuple[int, str, str], now: tuple[str, str, str] | None) -> bool:
        _, value, source = row
        if now is None:
            return True
        if source == "certified" and now[1] != "certified":
            return False
        looked = source in ("human", "confirmed")
        return value != now[0] or (looked and (source, self.who) != now[1:])

    def upload(self) -> None:
        key, data = f"new{len(self.kept)}.png", self.image()
        response = self.client.post("/api/upload", data={"files": (io.BytesIO(data), key)})
        (found,) = response.json["files"]
        assert found["result"] == "added"
        self.kept[found["key"]] = data
        self.expected.items[found["item"]] = found["key"]

    def vanish(self) -> None:
        for item in self.some(4):
            (self.pool / self.expected.items[item]).unlink(missing_ok=True)
            self.expected.gone.add(item)
        self.post("/api/rescan")

    def return_all(self) -> None:
        for item in self.expected.gone:
            key = self.expected.items[item]
            (self.pool / key).write_bytes(self.kept[key])
        self.expected.gone.clear()
        self.post("/api/rescan")

    def restart(self) -> None:
        """Perhaps for someone else."""
        before = self.client.get("/api/export").text
        self.close()
        assert self.workspace.judgements.path.read_text() == before
        self.who = str(self.rng.choice(["ann", "bob"]))
        self.open()
        assert self.client.get("/api/export").text == before

    # --- what should be true ----------------------------------------------------------------------

    def exported(self) -> list[tuple[int, str, str, str]]:
        """(item, value, source, who)"""
        ids = {key: item for item, key in self.expected.items.items()}
        rows = csv.DictReader(io.StringIO(self.client.get("/api/export").text))
        return [(ids[row["path"]], row["label"], row["source"], row["labelled_by"]) for row in rows]

    def check(self) -> None:
        expected = self.expected
        in_force = expected.in_force()
        assert {one[0]: one[1:] for one in self.exported()} == in_force
        status = self.get("/api/status")
        counts = {
            "total": len(expected.items), "labelled": len(in_force), "unlabelled": len(expected.unlabelled()),
            "broken": len(expected.gone), "skipped": len(expected.skipped()), "flagged": len(expected.flags),
        }  # fmt: skip
        assert {name: status["items"][name] for name in counts} == counts
        values = [value for value, _, _ in in_force.values()]
        assert status["classes"] == {name: values.count(name) for name in CLASSES}
        answers = self.get("/api/answers?n=100")["answers"]
        assert [(one["item"], one["label"], one["action"]) for one in answers] == expected.answers_of(
            self.who, 100
        )
        item = self.some(2)[0]
        history = self.get(f"/api/items/{item}")["history"]
        told = [(one["action"], one["value"], one["source"], one["undone_at"] is not None) for one in history]
        assert told == expected.history_of(item)
        for one in status["lapsed"]:
            certified = [value for value, source, _ in in_force.values() if source == "certified"]
            assert 0 < one["labels"] <= certified.count(one["label"])
            assert one["most"] is None or one["most"] > one["allowed"]
            assert one["wrong"] + one["withdrawn"] + one["found"] + one["removed"] > 0
        self.check_view()

    def check_view(self) -> None:
        """What was kept in memory step by step is what the database says when it is read anew."""
        workspace, view = self.workspace, self.workspace.catalog.view
        fresh = Catalog(workspace.items, workspace.labels, workspace.batches, CLASSES)
        for name in ("ids", "draws", "held_out", "broken", "labels", "sources", "given_at", "asked",
                     "skipped_at", "recalled", "doubts", "orphaned", "last_action", "keys"):  # fmt: skip
            np.testing.assert_array_equal(getattr(view, name), getattr(fresh.view, name), err_msg=name)
        barred = {(item, CLASSES.index(name)) for item, name in self.expected.barred()}
        for one in (view, fresh.view):
            assert set(zip(one.barred_items.tolist(), one.barred_labels.tolist(), strict=True)) == barred
        known = [np.array([*one.annotators, ""], dtype=object) for one in (workspace.catalog, fresh)]
        np.testing.assert_array_equal(known[0][view.annotators], known[1][fresh.view.annotators])
        assert workspace.labels.frontier(CLASSES) == view.frontier

    @property
    def moves(self) -> dict[Callable[[], object], float]:
        return {
            self.label: 3, self.label_again: 1, self.skip: 2, self.bulk: 2, self.remove: 1, self.undo: 4,
            self.undo_one: 1, self.flag: 1, self.ask: 1, self.show_batch: 3, self.answer_batch: 5,
            self.accept: 1, self.review: 1.5, self.check_again: 2, self.take_back: 1, self.take_in: 1,
            self.upload: 0.5, self.vanish: 0.7, self.return_all: 0.5, self.restart: 0.4, self.publish: 1,
        }  # fmt: skip

    def play(self, steps: int) -> None:
        moves, weights = list(self.moves), np.array(list(self.moves.values()))
        try:
            for _ in range(steps):
                moves[int(self.rng.choice(len(moves), p=weights / weights.sum()))]()
                self.check()
        finally:
            self.close()


@pytest.mark.parametrize("seed", range(2))
def test_whatever_people_do_what_is_told_is_what_they_did(tmp_path: Path, seed: int) -> None:
    Player(tmp_path, seed).play(60)

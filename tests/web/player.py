"""Whatever the pages can do, at random and over HTTP (but for the import), and an account of what is done."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from audit_bench import NoClassifier
from lightbulb.records import Snapshot
from lightbulb.services.assemble import Workspace, open_workspace
from lightbulb.services.plugins import FORMATS
from lightbulb.web.app import create_app
from support import config_for, opened
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
        self.classes = CLASSES
        self.version = 0
        self.sent = 0
        self.shown: dict[str, dict[str, Any]] = {}  # client → batch before it
        self.sent_before: list[tuple[str, dict[str, Any], dict[str, Any]]] = []  # path, body, answer
        self.open()
        view = self.workspace.catalog.view
        self.expected = Expected(dict(zip(view.ids.tolist(), view.keys, strict=True)))

    # --- the machinery ----------------------------------------------------------------------------

    def open(self) -> None:
        config = config_for(
            self.folder, self.pool, label={"classes": self.classes},
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
        return str(self.rng.choice(self.classes))

    def note(self, number: int, kind: str, rows: list[Any], **more: Any) -> Step:
        step = Step(number, kind, self.who, rows, **more)
        self.expected.steps.append(step)
        return step

    def exported(self) -> list[tuple[int, str, str, str]]:
        """(item, value, source, who)"""
        ids = {key: item for item, key in self.expected.items.items()}
        rows = csv.DictReader(io.StringIO(self.client.get("/api/export").text))
        return [(ids[row["path"]], row["label"], row["source"], row["labelled_by"]) for row in rows]

    # --- the steps --------------------------------------------------------------------------------

    def publish(self) -> None:
        """Another model: mostly of the mind of the one before."""
        self.version += 1
        view = self.workspace.catalog.view
        n_classes = len(self.classes)
        probs = np.full((len(view.ids), n_classes), 0.1 / (n_classes - 1), dtype=np.float32)
        favourite = self.rng.random(len(view.ids)) < 0.8
        best = np.where(favourite, 0, self.rng.integers(0, n_classes, len(view.ids)))
        probs[np.arange(len(view.ids)), best] = 0.9
        snapshot = Snapshot(
            version=self.version, classifier=NoClassifier(), classes=self.classes, trained_on=9, labels=9,
            labels_revision=0, encoder_fingerprint="", item_ids=view.ids, probs=probs,
            thresholds=np.full(n_classes, 0.5, dtype=np.float32), accuracy=None, temperature=1.0,
            published_at=0.0,
        )  # fmt: skip
        self.workspace.learner._publish(replace(snapshot, recalled=view.recalled), None)

    def new_id(self) -> str:
        self.sent += 1
        return f"id{self.sent}"

    def send(self, path: str, kind: str, rows: list[Any], name: str, **body: Any) -> dict[str, Any]:
        """A change that has a name of its own, by which it can be sent again and undone."""
        done = self.post(path, **body)
        self.note(done["action"], kind, rows, client_id=name)
        self.sent_before.append((path, body, done))
        return done

    def send_again(self) -> None:
        """As a browser does whose answer was lost on the way: nothing changes."""
        known = [one for one in self.sent_before if self.knows_classes_of(one[1])]
        if known:
            path, body, done = known[int(self.rng.integers(len(known)))]
            assert {**self.post(path, **body), "kept": 0} == {**done, "kept": 0}

    def knows_classes_of(self, body: dict[str, Any]) -> bool:
        return all(one["label"] in (None, *self.classes) for one in body.get("labels", []))

    def label(self) -> None:
        item, value, name = self.some(2)[0], self.value(), self.new_id()
        row = {"item": item, "label": value, "client_id": name}
        self.send("/api/labels", "label", [(item, value, "human")], name, labels=[row])

    def skip(self) -> None:
        item, name = self.some(2)[0], self.new_id()
        row = {"item": item, "label": None, "client_id": name}
        self.send("/api/labels", "skip", [(item, None, "human")], name, labels=[row])

    def bulk(self) -> None:
        items = self.some(12)
        value = None if self.rng.random() < 0.3 else self.value()
        body = [{"item": item, "label": value} for item in items]
        if value is None and set(items) <= self.expected.labelled(self.classes):
            self.post("/api/labels", 409, labels=body, as_one=True)
            return
        rows, name = [(item, value, "human") for item in items], self.new_id()
        self.send("/api/labels", "bulk", rows, name, labels=body, as_one=True, client_id=name)

    def remove(self) -> None:
        items = self.some(12) if self.rng.random() < 0.5 else self.some(N)
        labelled = [item for item in items if item in self.expected.in_force()]
        if not labelled:
            self.post("/api/labels/remove", 409, items=items)
            return
        rows, name = [(item, None, "human") for item in labelled], self.new_id()
        done = self.send("/api/labels/remove", "clear", rows, name, items=items, client_id=name)
        assert done["removed"] == len(labelled)

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
            for _ in range(2):
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
        assert len(set(items)) == len(items) and set(items) <= self.expected.unlabelled(self.classes)

    def show_batch(self) -> None:
        client = str(self.rng.choice(CLIENTS))
        batch = self.get(f"/api/batches/next?client={client}")
        items = {one["item"] for one in batch["items"]}
        assert items <= self.expected.unlabelled(self.classes)
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
        if label not in self.classes:
            self.post(f"/api/batches/{batch['batch']}", 422)
            return
        strictness = 0.02 if self.rng.random() < 0.9 else 0.5
        refused = [item for item in items if self.rng.random() < strictness]
        named = {item: self.rng.choice([one for one in self.classes if one != label]) for item in refused}
        named = {item: None if self.rng.random() < 0.4 else str(named[item]) for item in refused}
        in_force = self.expected.in_force()
        looked = {item for item, now in in_force.items() if now[1] in ("human", "confirmed")}
        kept = looked & self.expected.labelled(self.classes)
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
        found, before, is_open = certificates[0], self.exported(), self.expected.unlabelled(self.classes)
        done = self.post(f"/api/batches/{found['batch']}/accept-rest")
        new = set(self.exported()) - set(before)
        assert len(new) == done["certified"] == found["audit"]["rest"]
        assert {one[1:3] for one in new} == {(found["label"], "certified")}
        assert {one[0] for one in new} <= is_open
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
        """Perhaps for someone else, or with a class less."""
        before = self.client.get("/api/export").text
        self.close()
        assert self.workspace.judgements.path.read_text() == before
        self.who = str(self.rng.choice(["ann", "bob"]))
        self.classes = CLASSES if self.rng.random() < 0.7 else CLASSES[1:]
        self.open()
        assert self.client.get("/api/export").text == before

    def take_in_elsewhere(self) -> None:
        """A new database that starts from the export says the same."""
        text = self.client.get("/api/export").text
        config = config_for(self.folder / "other", self.pool, label={"classes": CLASSES})
        config.judgements_file.parent.mkdir(parents=True)
        config.judgements_file.write_text(text)
        with opened(config) as other:
            assert FORMATS["csv"]().write(other.labels.export_rows()) == text

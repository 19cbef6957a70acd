"""The main job as a person does it: label by keyboard, see it learn, confirm a batch, come back tomorrow."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from browser.driving import (
    NEXT_SHOWN,
    WAIT_MS,
    Requested,
    open_batch,
    press_answer,
    proposals,
    question,
    take_everything_back,
    value,
    wait_for_text,
    wait_until,
    wait_until_learnt,
    wrong_cells,
)
from serving import RunningServer, curl_score, write_config

pytestmark = pytest.mark.browser

REFILL = re.compile(r"/api/questions")


def names_by_id(server: RunningServer) -> dict[str, str]:
    return {str(row["item"]): row["name"] for row in server.get("/api/items?limit=500")["items"]}


def test_sixty_labels_a_model_a_batch_and_a_restart(
    page: Any, server: RunningServer, config: Path, truth: Mapping[str, str], tmp_path: Path
) -> None:
    page.goto(server.base)
    assert wait_for_text(page, "#training", "No") == "No"
    assert curl_score(server, tmp_path / "pool", "0000.png")["error"]["code"] == "no_model"
    assert wait_for_text(page, "#labelled", "^0 / 400")
    for _ in range(60):
        press_answer(page, truth)
    assert wait_for_text(page, "#labelled", "^60 / 400")
    assert wait_for_text(page, "#training", "Yes") == "Yes"
    assert re.match(r"\d+(\.\d+)? % ± \d+", wait_for_text(page, "#accuracy", "±"))
    labelled = 60
    while not proposals(page) and labelled < 200:
        press_answer(page, truth)
        labelled += 1
        page.wait_for_timeout(200)
    assert proposals(page) > 0

    open_batch(page, server.base)
    label = re.search(r"“(.)”", value(page, "#headline"))
    assert label is not None
    names = names_by_id(server)
    shown = len(page.query_selector_all(".cell[data-item]"))
    wrong = wrong_cells(page, label[1], truth, names)
    for item in wrong:
        page.click(f'.cell[data-item="{item}"]')
    page.keyboard.press("Enter")
    page.wait_for_selector("#toasts .toast", timeout=WAIT_MS)
    wait_for_text(page, "#labelled", f"^{labelled + shown - len(wrong)} / 400")
    before = wait_until_learnt(server)
    assert before["items"]["labelled"] == labelled + shown - len(wrong)
    scored = curl_score(server, tmp_path / "pool", "0000.png")
    assert scored["labels"] == [str(digit) for digit in range(10)]
    assert len(scored["scores"]) == 1 and sum(scored["scores"][0]) == pytest.approx(1, abs=1e-4)
    page.reload()  # the last second's number may still be the model's before
    accuracy = wait_for_text(page, "#accuracy", "±")
    assert server.stop() == 0

    again = RunningServer(config)
    try:
        page.goto(again.base)
        wait_for_text(page, "#labelled", f"^{labelled + shown - len(wrong)} / 400")
        assert wait_for_text(page, "#accuracy", "±") == accuracy
        after = again.get("/api/status")
        assert after["model"]["version"] == before["model"]["version"]
        assert after["accuracy"] == before["accuracy"]
        assert after["encoding"] == {"done": 400, "total": 400}
        assert after["proposed"] == before["proposed"]
        rows = {row["path"]: row for row in export(again)}
        assert all(row["label"] == truth[path] for path, row in rows.items())
        assert sum(row["source"] == "confirmed" for row in rows.values()) == shown - len(wrong)
        assert curl_score(again, tmp_path / "pool", "0000.png")["scores"][0] == pytest.approx(
            scored["scores"][0], abs=1e-4
        )
    finally:
        again.kill()


def export(server: RunningServer) -> list[dict[str, str]]:
    text = requests.get(f"{server.base}/api/export?format=csv", timeout=30).text
    return list(csv.DictReader(io.StringIO(text)))


def test_by_mouse_alone(page: Any, server: RunningServer, truth: Mapping[str, str]) -> None:
    page.goto(server.base)
    first = question(page)
    page.click(f'.class-button[data-class="{truth[first[1]]}"]')
    wait_for_text(page, "#labelled", "^1 / 400")
    page.click("#undo")
    wait_for_text(page, "#labelled", "^0 / 400")
    assert question(page) == first
    page.click("#skip")
    page.wait_for_function(
        "before => document.querySelector('#picture').dataset.item !== before", arg=first[0], timeout=WAIT_MS
    )
    server.wait_until("/api/status", lambda now: now["items"]["skipped"] == 1)
    label_by_api(server, truth, 70)
    server.wait_until("/api/status", lambda now: now["items"]["proposed"] > 0)
    open_batch(page, server.base)
    cells = page.query_selector_all(".cell[data-item]")
    assert {cell.get_attribute("aria-checked") for cell in cells} == {"true"}
    left_out = names_by_id(server)[cells[0].get_attribute("data-item")]
    cells[0].click()
    assert cells[0].get_attribute("aria-checked") == "false"
    before = server.get("/api/status")["items"]["labelled"]
    page.click("#confirm")
    page.wait_for_selector("#toasts .toast", timeout=WAIT_MS)
    after = server.get("/api/status")["items"]["labelled"]
    assert after == before + len(cells) - 1
    assert server.get("/api/items?state=labelled&limit=500&q=" + left_out)["total"] == 0
    page.click("#toasts .toast-action")
    server.wait_until("/api/status", lambda now: now["items"]["labelled"] == before)


def label_by_api(server: RunningServer, truth: Mapping[str, str], count: int) -> None:
    done = 0
    while done < count:
        questions = server.get("/api/questions?n=10&client=script")["questions"]
        answers = [{"item": one["item"], "label": truth[one["name"]]} for one in questions]
        requests.post(f"{server.base}/api/labels", json={"labels": answers}, timeout=30).raise_for_status()
        done += len(questions)


def test_undo_by_key_after_a_reload(page: Any, server: RunningServer, truth: Mapping[str, str]) -> None:
    page.goto(server.base)
    names = [press_answer(page, truth) for _ in range(3)]
    wait_for_text(page, "#labelled", "^3 / 400")
    page.reload()
    question(page)
    page.keyboard.press("u")
    wait_for_text(page, "#labelled", "^2 / 400")
    wait_for_text(page, "#item-name", names[-1].replace(".", r"\."))


def test_answers_wait_while_the_server_is_away(
    page: Any, server: RunningServer, config: Path, truth: Mapping[str, str]
) -> None:
    """Nothing lost, nothing doubled: by the page that waited, then by the next page after it was closed.

    An answer taken back and given again, and a flag, wait with the others and in their order.
    """
    refills, pictures = Requested(page, "/api/questions"), Requested(page, "/media/")
    page.goto(server.base)
    question(page)
    with page.expect_response(REFILL, timeout=WAIT_MS):  # questions fetched ahead, to go on without a server
        names = [press_answer(page, truth) for _ in range(4)]
    wait_for_text(page, "#labelled", "^4 / 400")
    pictures.wait_until_quiet(page)
    port = server.base.rsplit(":", 1)[1]
    asked, refilled = refills.asked, refills.answered
    assert server.stop() == 0
    names += [press_answer(page, truth) for _ in range(2)]
    item, mistaken = question(page)
    page.keyboard.press(str((int(truth[mistaken]) + 1) % 10))
    page.wait_for_function(NEXT_SHOWN, arg=item, timeout=WAIT_MS)
    page.keyboard.press("u")
    wait_for_text(page, "#item-name", mistaken.replace(".", r"\."))
    names.append(press_answer(page, truth))
    assert names[-1] == mistaken
    flagged = question(page)[1]
    page.keyboard.press("f")
    page.keyboard.type("while away")
    page.keyboard.press("Enter")
    page.wait_for_selector("#banners .banner-error", timeout=WAIT_MS)
    again = server
    try:
        again = RunningServer(config, "--port", port)
        again.wait_until("/api/status", lambda now: now["items"]["labelled"] == 7)
        found = again.wait_until("/api/items?state=flagged", lambda now: now["total"] == 1)
        assert (found["items"][0]["name"], found["items"][0]["flag"]["note"]) == (flagged, "while away")
        page.wait_for_selector("#banners .banner", state="detached", timeout=WAIT_MS)
        # what was asked for in vain is asked for again; who answers fast has questions enough
        wait_until(page, lambda: refills.asked == asked or refills.answered > refilled)
        pictures.wait_until_quiet(page)
        assert again.stop() == 0
        names += [press_answer(page, truth) for _ in range(2)]
        page.close()
        again = RunningServer(config, "--port", port)
        page.context.new_page().goto(again.base)
        again.wait_until("/api/status", lambda now: now["items"]["labelled"] == 9)
        rows = export(again)
        assert len(rows) == 9
        assert {row["path"]: row["label"] for row in rows} == {name: truth[name] for name in names}
        assert take_everything_back(again) == 9  # an answer taken twice would be a tenth action
    finally:
        again.kill()


def test_a_deleted_file_is_never_shown(
    page: Any, server: RunningServer, truth: Mapping[str, str], tmp_path: Path
) -> None:
    """Some go after the scan, some between a question and its picture."""
    files = sorted((tmp_path / "pool").iterdir())
    for file in files[:350]:
        file.unlink()
    gone = {file.name for file in files[:350]}
    names, requested = names_by_id(server), set()
    late: list[str] = []

    def delete_every_third(route: Any) -> None:
        name = names[route.request.url.rsplit("/", 1)[1].partition("?")[0]]
        if name not in requested:
            requested.add(name)
            if len(requested) % 3 == 0:
                (tmp_path / "pool" / name).unlink()
                late.append(name)
        route.continue_()

    page.route("**/media/*", delete_every_third)
    page.goto(server.base)
    for _ in range(10):
        name = question(page)[1]
        assert name not in gone and name not in late
        assert page.evaluate("() => document.querySelector('#picture img').naturalWidth") > 0
        press_answer(page, truth)
    assert len(late) >= 3
    wait_for_text(page, "#labelled", "^10 / 400")
    page.unroute_all(behavior="wait")
    server.wait_until(  # the last of them may still be on its way to the server
        "/api/items?state=broken&limit=500",
        lambda found: set(late) <= {row["name"] for row in found["items"]},
    )


def test_dataset_and_try_it(
    page: Any, server: RunningServer, truth: Mapping[str, str], tmp_path: Path
) -> None:
    label_by_api(server, truth, 20)
    server.wait_until("/api/status", lambda now: now["model"] is not None)
    page.goto(f"{server.base}/dataset")
    page.click('#states [data-state="labelled"]')
    page.wait_for_function(
        "() => document.querySelectorAll('#tiles li[data-item]').length === 20", timeout=WAIT_MS
    )
    tiles = [tile.inner_text().split() for tile in page.query_selector_all("#tiles li[data-item]")]
    assert tiles == [[truth[name], "by", "hand", name] for *_, name in tiles]
    label = tiles[0][0]
    page.select_option("#class-filter", label)
    of_class = sum(tile[0] == label for tile in tiles)
    wait_for_text(page, "#shown", f"^{of_class} item")
    page.goto(f"{server.base}/try")
    page.set_input_files("#file", str(tmp_path / "pool" / "0001.png"))
    page.wait_for_selector("#bars .bar.predicted", timeout=WAIT_MS)
    bars = page.query_selector_all("#bars .bar[data-class]")
    assert [bar.get_attribute("data-class") for bar in bars] == [str(digit) for digit in range(10)]
    predicted = page.get_attribute("#bars .bar.predicted", "data-class")
    assert value(page, "#predicted").startswith(f"{predicted}, ")
    page.set_input_files("#file", str(tmp_path / "task.yml"))
    assert "not an image" in wait_for_text(page, "#try-error", "not an image")


def test_a_hostile_file_name_is_only_a_name(digits: Path, page: Any, tmp_path: Path) -> None:
    pool = tmp_path / "pool"
    pool.mkdir()
    hostile = "<img src=x onerror=alert(1)>.png"
    (pool / hostile).write_bytes((digits / "digits" / "0000.png").read_bytes())
    server = RunningServer(write_config(tmp_path / "task.yml", pool))
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    try:
        page.goto(server.base)
        assert question(page)[1] == hostile
        page.goto(f"{server.base}/dataset")
        page.wait_for_selector("#tiles li[data-item]", timeout=WAIT_MS)
        page.dblclick("#tiles li[data-item]")
        page.wait_for_timeout(300)
        assert dialogs == []
    finally:
        server.kill()

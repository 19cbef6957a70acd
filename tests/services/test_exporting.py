from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from lightbulb.errors import ConfigError, InputError
from lightbulb.records import Source
from lightbulb.services import reporting
from lightbulb.services.assemble import Workspace
from lightbulb.store.formats.csv_table import CsvTable
from support import answer, config_for, learn, opened


def take_in(workspace: Workspace, text: str) -> int:
    return workspace.importing.import_text(text, CsvTable(), "me")


def test_every_bad_row_is_named_and_none_is_saved(workspace: Workspace) -> None:
    text = "path,label\n0000.png,7\n0001.png,eleven\n../x.png,7\n0002.png,1\n0002.png,2\n"
    with pytest.raises(InputError) as caught:
        take_in(workspace, text)
    assert [detail["row"] for detail in caught.value.details] == ["row 3", "row 4", "row 6"]
    for word in ("eleven", "outside the dataset", "'2' here and '1' in row 5"):
        assert word in caught.value.message
    assert workspace.labels.current() == []


def test_the_same_row_twice_and_a_file_that_is_gone(workspace: Workspace) -> None:
    count = take_in(workspace, "path,label,source\n0000.png,7,\n./0000.png,7,\ngone/far.png,3,human\n")
    assert count == 2
    workspace.catalog.reload()
    by_key = dict(workspace.labels.export_rows())
    assert by_key["gone/far.png"].value == "3" and by_key["gone/far.png"].source == Source.HUMAN
    assert by_key["0000.png"].source == Source.IMPORTED
    assert workspace.rescan().added == 0
    assert "gone/far.png" in dict(workspace.labels.export_rows())


def test_an_import_is_not_undone_by_a_key(workspace: Workspace) -> None:
    from lightbulb.errors import Conflict

    take_in(workspace, "path,label\n0000.png,7\n")
    with pytest.raises(Conflict):
        workspace.labeling.undo()


def test_a_new_database_starts_from_the_judgements_file(pool: Path, tmp_path: Path) -> None:
    config = config_for(tmp_path, pool)
    config.judgements_file.parent.mkdir(parents=True)
    config.judgements_file.write_text("path,label\n0000.png,7\n0001.png,4\n")
    with opened(config) as workspace:
        assert int(workspace.catalog.view.labelled.sum()) == 2


def test_a_bad_judgements_file_stops_the_start_and_stays(pool: Path, tmp_path: Path) -> None:
    config = config_for(tmp_path, pool)
    config.judgements_file.parent.mkdir(parents=True)
    config.judgements_file.write_text("path,label\n0000.png,eleven\n")
    for _ in range(2):  # the second start must not take the database for one that has it
        with pytest.raises(ConfigError, match="eleven"), opened(config):
            pass
    assert config.judgements_file.read_text() == "path,label\n0000.png,eleven\n"


def test_a_file_edited_by_hand_is_set_aside(pool: Path, tmp_path: Path, truth: Mapping[str, str]) -> None:
    config = config_for(tmp_path, pool)
    with opened(config) as workspace:
        answer(workspace, truth, 3)
        workspace.judgements.stop()
    text = config.judgements_file.read_text()
    with opened(config) as workspace:
        assert config.judgements_file.read_text() == text  # its own file it leaves alone
    config.judgements_file.write_text(text + "0059.png,1,someone,human,,\n")
    with opened(config) as workspace:
        assert int(workspace.catalog.view.labelled.sum()) == 3
    (aside,) = config.judgements_file.parent.glob("labels.2*.csv")
    assert aside.read_text().endswith("0059.png,1,someone,human,,\n")


def test_a_folder_that_cannot_be_written_is_told_not_fatal(
    workspace: Workspace, truth: Mapping[str, str]
) -> None:
    answer(workspace, truth, 2)
    workspace.judgements.path.mkdir(parents=True)  # a folder where the file should be
    workspace.judgements.stop()
    assert "cannot be written" in str(workspace.judgements.error)
    assert int(workspace.catalog.view.labelled.sum()) == 2


def test_an_export_taken_in_elsewhere_and_exported_again_is_the_same(
    pool: Path, tmp_path: Path, workspace: Workspace, truth: Mapping[str, str]
) -> None:
    answer(workspace, truth, 6)
    rows = [(one.item, one.value) for one in workspace.labels.current()]
    more = (
        "0010.png,1,ann,confirmed,2.50,2024-05-01T10:00:00.123Z",
        "0011.png,2,bob,certified,,",
        "0012.png,3,,,,",
    )
    take_in(workspace, "\n".join(["path,label,labelled_by,source,seconds,created_at", *more]))
    text = CsvTable().write(workspace.labels.export_rows())
    assert {"human", "confirmed", "certified", "imported"} == set(sources(workspace).values())
    with opened(config_for(tmp_path / "other", pool)) as other:
        assert take_in(other, text) == len(rows) + 3
        assert CsvTable().write(other.labels.export_rows()) == text
        assert take_in(other, text) == 0  # nothing that was not known
        assert CsvTable().write(other.labels.export_rows()) == text


def sources(workspace: Workspace) -> dict[str, str]:
    return {key: label.source for key, label in workspace.labels.export_rows()}


def test_a_file_without_sources_takes_no_look_away(workspace: Workspace, truth: Mapping[str, str]) -> None:
    answer(workspace, truth, 3)
    first, second, third = sorted(sources(workspace))
    other = next(one for one in workspace.task.classes if one != truth[second])
    take_in(workspace, f"path,label\n{first},{truth[first]}\n{second},{other}\n")
    assert sources(workspace) == {first: "human", second: "imported", third: "human"}
    take_in(workspace, f"path,label,source\n{second},{other},confirmed\n")  # and a look outranks none
    assert sources(workspace)[second] == "confirmed"


def test_the_accuracy_says_how_many_of_its_labels_nobody_vouches_for(
    workspace: Workspace, truth: Mapping[str, str]
) -> None:
    learn(workspace)
    view = workspace.catalog.view
    order = [view.keys[at] for at in np.argsort(view.draws) if view.held_out[at]]
    take_in(workspace, "path,label\n" + "".join(f"{key},{truth[key]}\n" for key in order[:2]))
    workspace.catalog.reload()
    answer(workspace, truth, 30)
    learn(workspace)
    now = reporting.status(workspace)
    assert now.accuracy is not None and now.imported == 2 < now.accuracy.n

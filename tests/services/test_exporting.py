from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from lightbulb.errors import ConfigError, InputError
from lightbulb.records import Source
from lightbulb.services.assemble import Workspace
from lightbulb.store.formats.csv_table import CsvTable
from support import answer, config_for, opened


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

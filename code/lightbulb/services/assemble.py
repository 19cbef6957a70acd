"""Wires names in the YAML to objects: the one place that knows every service."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import structlog

from lightbulb.config import Config
from lightbulb.encoders import Encoder
from lightbulb.errors import ConfigError, InputError, NotReady
from lightbulb.items.folder import FoundFile, scan_folder
from lightbulb.querying import QueryStrategy
from lightbulb.records import Snapshot
from lightbulb.services.asking import Asking
from lightbulb.services.auditing import Auditing
from lightbulb.services.browsing import Browsing
from lightbulb.services.catalog import Catalog
from lightbulb.services.confirming import Confirming
from lightbulb.services.doubting import Doubting
from lightbulb.services.duplicates import Duplicates
from lightbulb.services.encoded import EncodedPool
from lightbulb.services.encoder_handle import EncoderHandle
from lightbulb.services.exporting import Importing, JudgementsFile
from lightbulb.services.fetching import make_fetcher
from lightbulb.services.flagging import Flagging
from lightbulb.services.labeling import Changes, Labeling
from lightbulb.services.learner import Learner
from lightbulb.services.leases import Leases
from lightbulb.services.likeness import Likeness
from lightbulb.services.listing import Listing
from lightbulb.services.media import Media
from lightbulb.services.nearest import Nearest
from lightbulb.services.outlook import Outlooks
from lightbulb.services.plugins import DECODERS, FORMATS, STRATEGIES, TASKS, encoder_named
from lightbulb.services.reviewing import Reviewing
from lightbulb.services.scoring import Scoring
from lightbulb.services.serving import Serving
from lightbulb.services.upholding import Upholding
from lightbulb.services.uploading import Uploading
from lightbulb.store.answers import AnswerHistory
from lightbulb.store.audits import AuditStore
from lightbulb.store.batches import BatchStore
from lightbulb.store.bulk import BulkStore
from lightbulb.store.database import Database
from lightbulb.store.flags import FlagStore
from lightbulb.store.item_history import ItemHistory
from lightbulb.store.items import Changes as ItemChanges
from lightbulb.store.items import Holdout, ItemStore
from lightbulb.store.labels import LabelStore
from lightbulb.store.models import ModelFolder, ModelHistory
from lightbulb.store.tuned import TunedFolder
from lightbulb.tasks import Task

log = structlog.get_logger()


@dataclass(frozen=True)
class Workspace:
    """Everything that works on one task. `start` and `stop` it; or call `learner.step` by hand."""

    config: Config
    task: Task
    database: Database
    items: ItemStore
    labels: LabelStore
    batches: BatchStore
    catalog: Catalog
    changes: Changes
    encoder: EncoderHandle
    learner: Learner
    models: ModelFolder
    history: ModelHistory
    serving: Serving
    labeling: Labeling
    asking: Asking
    confirming: Confirming
    upholding: Upholding
    reviewing: Reviewing
    doubting: Doubting
    flagging: Flagging
    outlooks: Outlooks
    browsing: Browsing
    duplicates: Duplicates
    item_history: ItemHistory
    uploading: Uploading
    scoring: Scoring
    nearest: Nearest
    media: Media
    importing: Importing
    judgements: JudgementsFile
    holdout: Holdout
    scan: Callable[[], Iterable[FoundFile]]
    train: bool
    pool_id: str

    @property
    def encoded(self) -> EncodedPool:
        return self.learner.encoded

    def start(self) -> None:
        self.judgements.start()
        self.learner.start()

    def stop(self) -> None:
        """Ends the threads and writes the judgements file."""
        self.scoring.stop()
        self.learner.stop()
        self.judgements.stop()
        self.database.close()

    def rescan(self) -> ItemChanges:
        """Looks for new, changed and vanished files."""
        with self.changes.lock:
            found = self.items.sync(self.scan(), self.holdout, frontier=self.catalog.view.frontier)
            self.catalog.reload()
            self.changes.announce()
        return found


@dataclass(frozen=True)
class Source:
    """Where the items of a pool come from, in place of the dataset's folder and the config's encoder.

    scan: the files of the pool. locate: the file of an item's key. encoder: the class that a config's
    `model.encoder` means.
    """

    scan: Callable[[], Iterable[FoundFile]]
    locate: Callable[[str], Path]
    encoder: Callable[[str], type[Encoder]]


def open_workspace(
    config: Config,
    *,
    train: bool = True,
    exclusive: bool = True,
    only: Callable[[str], bool] | None = None,
    source: Source | None = None,
    strategy: QueryStrategy | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Workspace:
    """Opens the database, scans the folder, takes in a judgements file if the database is new.

    only: keys of the files that belong to the pool (all of them by default).
    source: instead of the dataset's folder.
    strategy: instead of the one that the config names.
    Raises: StoreError, ConfigError.
    """
    task = TASKS[f"{config.dataset.data_type}/{config.label.type}"](config.classes, config.label.keys)
    database = Database(config.database_url, exclusive=exclusive)
    try:
        chosen = strategy or STRATEGIES[config.learning.strategy]()
        origin = source or _folder_of(config, task)
        return _assemble(
            config, task, database, chosen, origin, train=train, only=only, on_progress=on_progress
        )
    except BaseException:
        database.close()
        raise


def _folder_of(config: Config, task: Task) -> Source:
    dataset = config.dataset
    root = dataset.directory
    return Source(
        scan=lambda: scan_folder(root, task.suffixes, follow_links=dataset.follow_links),
        locate=lambda key: root / key,
        encoder=encoder_named,
    )


def _assemble(
    config: Config,
    task: Task,
    database: Database,
    strategy: QueryStrategy,
    source: Source,
    *,
    train: bool,
    only: Callable[[str], bool] | None,
    on_progress: Callable[[int, int], None],
) -> Workspace:
    root = config.dataset.directory
    items, labels, batches = ItemStore(database), LabelStore(database), BatchStore(database)
    learning = config.learning
    holdout = Holdout(learning.holdout_fraction, learning.holdout_max, learning.seed)

    def scan() -> Iterable[FoundFile]:
        found = source.scan()
        return found if only is None else (file for file in found if only(file.key))

    importing = Importing(task, items, labels, root, holdout)
    judgements = JudgementsFile(config.judgements_file, labels, FORMATS["csv"]())
    items.sync(scan(), holdout, frontier=labels.frontier(config.classes))
    _take_in(judgements, importing, labels, config)
    leases = Leases()
    catalog = Catalog(items, labels, batches, config.classes, leases.held)
    changes = Changes(catalog)
    encoder = EncoderHandle(source.encoder, config)
    models = ModelFolder(config.model_directory, keep=config.model.keep)
    history = ModelHistory(database)
    serving = Serving(models, config.classes, config.model.decoder)
    encoded = EncodedPool(items, learning.seed)
    learner = Learner(
        config, source.locate, encoder, DECODERS[config.model.decoder], catalog, items, encoded,
        models, history, TunedFolder(config.model_directory, config.embeddings_directory), serving,
        needs=strategy.needs, train=train, on_progress=on_progress,
    )  # fmt: skip
    media = Media(source.locate, items, catalog, max_pixels=config.server.max_pixels)
    # Fresh orders each time: a restart must not deal out the ones that were seen before.
    rngs = np.random.default_rng([learning.seed, labels.last_action()]).spawn(3)

    def snapshot() -> Snapshot | None:
        return learner.snapshot

    def encoded_now() -> EncodedPool:
        return learner.encoded

    audits = AuditStore(database)
    auditing = Auditing(
        audits, batches, catalog, snapshot,
        confidence=config.auto_label.confidence, rng=rngs[2],
    )  # fmt: skip
    confirming = Confirming(
        task, catalog, snapshot, batches, auditing, changes, media.usable,
        annotator=config.user, batch_size=config.auto_label.batch_size, rng=rngs[1],
    )  # fmt: skip
    labeling = Labeling(task, labels, BulkStore(database), AnswerHistory(database), changes, config.user)
    upholding = Upholding(
        audits, batches, auditing, catalog, changes, snapshot, labeling.remove,
        batch_size=config.auto_label.batch_size,
    )  # fmt: skip
    flagging = Flagging(catalog, FlagStore(database), config.user)
    doubting = Doubting(catalog, snapshot, encoded_now, labels)
    changes.listen(learner.wake)
    serving.listen(learner.wake)
    changes.listen(judgements.touch)
    return Workspace(
        config=config,
        task=task,
        database=database,
        items=items,
        labels=labels,
        batches=batches,
        catalog=catalog,
        changes=changes,
        encoder=encoder,
        learner=learner,
        models=models,
        history=history,
        serving=serving,
        labeling=labeling,
        asking=Asking(
            catalog, snapshot, strategy, encoded_now, media.usable,
            holdout_every=learning.holdout_every, rng=rngs[0], leases=leases,
        ),
        confirming=confirming,
        upholding=upholding,
        reviewing=Reviewing(
            confirming, auditing, upholding, encoded_now, batch_size=config.auto_label.batch_size
        ),
        doubting=doubting,
        flagging=flagging,
        browsing=Browsing(
            task, catalog, snapshot, items, labels, confirming, flagging, Listing(), Likeness(encoded_now)
        ),
        duplicates=Duplicates(catalog, encoded_now, labels),
        item_history=ItemHistory(database),
        uploading=Uploading(
            root, task.suffixes, items, catalog, encoded_now, changes, holdout,
            allowed=config.server.uploads, follow_links=config.dataset.follow_links,
            max_bytes=config.server.max_image_megabytes * 1e6, max_pixels=config.server.max_pixels,
        ),
        outlooks=Outlooks(
            catalog, snapshot, history, labels,
            batch_size=config.auto_label.batch_size, seed=learning.seed,
        ),
        scoring=Scoring(
            snapshot, learner.encoder_of, make_fetcher(config), lambda: explain_no_model(learner, train)
        ),
        nearest=Nearest(catalog, encoded_now),
        media=media,
        importing=importing,
        judgements=judgements,
        holdout=holdout,
        scan=scan,
        train=train,
        pool_id=items.pool_id(),
    )  # fmt: skip


def _take_in(judgements: JudgementsFile, importing: Importing, labels: LabelStore, config: Config) -> None:
    """A database without a single action starts from the judgements file; any other never overwrites
    labels in it that it did not know."""
    path = judgements.path
    if labels.last_action() > 0:
        aside = judgements.set_aside_if_edited()
        if aside is not None:
            log.warning(
                "judgements.set_aside",
                file=str(aside),
                why="it holds labels that the database does not",
                then=f"lightbulb import --config … {aside}",
            )
    elif path.exists():
        try:
            text = path.read_text(encoding="utf-8-sig")
            count = importing.import_text(text, FORMATS["csv"](), config.user)
        except (InputError, UnicodeDecodeError, OSError) as error:
            raise ConfigError([f"dataset.judgements_file: {path}: {error}"]) from error
        if count:
            log.info("judgements.imported", file=str(path), labels=count)


def explain_no_model(learner: Learner, train: bool) -> NotReady:
    needed = learner.needed()
    if not train:
        return NotReady("no model yet, and training is switched off")
    if needed is not None:
        return NotReady(
            f"no model yet: {needed.message}", details=[{"labels_missing": needed.labels_missing}]
        )
    return NotReady("no model yet: the first one is being trained", details=[{"labels_missing": 0}])

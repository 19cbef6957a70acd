"""`lightbulb dataset list | make NAME | import DIR`. Nothing heavy is imported until a command runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import click

from lightbulb.datasets import DatasetRecipe
from lightbulb.errors import DatasetError

root_option = click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("dataset"),
    show_default=True,
    help="The folder that datasets lie in.",
)


def recipes() -> dict[str, type[DatasetRecipe]]:
    """Every recipe by name."""
    import lightbulb.datasets
    from lightbulb.registry import discover

    return discover(lightbulb.datasets, DatasetRecipe)


@contextlib.contextmanager
def disk_problems_in_words() -> Iterator[None]:
    """A full disk or a folder without permission is no bug: one line, not a traceback."""
    try:
        yield
    except OSError as error:
        if error.strerror is None:
            raise
        where = f": {error.filename}" if error.filename else ""
        raise DatasetError(
            f"{error.strerror}{where}; run the same command again once that is solved"
        ) from error


@click.group("dataset")
def dataset() -> None:
    """Bring items to label: an example dataset, or a folder of your own."""


@dataset.command("list")
def list_command() -> None:
    """List the example datasets."""
    for name, recipe in recipes().items():
        click.echo(f"{name:<14} {recipe.summary}")


@dataset.command("make")
@click.argument("name")
@root_option
def make_command(name: str, root: Path) -> None:
    """Make the example dataset NAME. Interrupted, it goes on next time; complete, it does nothing."""
    known = recipes()
    if name not in known:
        from lightbulb.config import did_you_mean

        raise DatasetError(f"there is no dataset {name!r}{did_you_mean(name, known)}")
    with disk_problems_in_words():
        known[name]().make(root)
    click.echo(f"{root / name} is complete")


@dataset.command("import")
@click.argument("source", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--name", help="What to call it.  [default: DIR's name]")
@click.option("--classes", help='The classes, as in "Cat,Not Cat".')
@click.option("--by-class", is_flag=True, help="DIR's subfolders are the classes: hide them, keep the truth.")
@root_option
@click.option(
    "--config-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("config"),
    show_default=True,
    help="The folder that the starter YAML is written to.",
)
def import_command(
    source: Path, name: str | None, classes: str | None, by_class: bool, root: Path, config_dir: Path
) -> None:
    """Copy the images in DIR and write a starter configuration for them."""
    from lightbulb.datasets.folder import import_folder

    chosen = [label.strip() for label in classes.split(",")] if classes else []
    with disk_problems_in_words():
        imported = import_folder(
            source, root, name=name, classes=chosen, by_class=by_class, config_directory=config_dir
        )
    click.echo(f"{imported.directory}: {imported.n_items} images")
    if imported.skipped:
        others = ", ".join(f"{count} {suffix}" for suffix, count in imported.skipped.items())
        click.echo(f"left out, being no images: {others}")
    if imported.truth:
        click.echo(f"{imported.truth}: their classes, for `lightbulb simulate`")
    click.echo(f"Next: .virt/bin/python code/server.py --config {imported.config}")

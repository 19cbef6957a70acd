"""The command line: serve, dataset, encode, export, import, simulate, bench."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import lightbulb
from lightbulb.datasets.commands import dataset
from lightbulb.errors import LightBulbError
from lightbulb.measuring.commands import bench
from lightbulb.options import config_option, log_option, set_up_logging

if TYPE_CHECKING:
    from lightbulb.config import Config

EXIT_BAD_INPUT = 2


class Commands(click.Group):
    """Prints Light Bulb's own errors as a message instead of a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except LightBulbError as error:
            click.secho(f"Error: {error.message}", fg="red", err=True)
            ctx.exit(EXIT_BAD_INPUT)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(lightbulb.__version__)
def main() -> None:
    """Light Bulb: label a dataset by active learning, and serve the model that comes of it."""


main.add_command(dataset)
main.add_command(bench)


@main.command()
@config_option
@click.option("--host", help="Address to listen on (default: server.host, 127.0.0.1).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on (default: server.port, 5000).")
@click.option("--no-train", is_flag=True, help="Label only; serve the last model if there is one.")
@click.option(
    "--mode",
    type=click.Choice(["development", "production"]),
    default="development",
    show_default=True,
    help="production: only /score, from the last model.",
)
@log_option
def serve(
    config_path: Path, host: str | None, port: int | None, no_train: bool, mode: str, log_level: str
) -> None:
    """Start the labelling service."""
    set_up_logging(log_level)
    from lightbulb.services.assemble import open_workspace
    from lightbulb.services.plugins import read_config
    from lightbulb.services.production import open_production
    from lightbulb.web.app import create_app, create_production_app
    from lightbulb.web.server import listen, run_until_stopped

    production = mode == "production"
    config = with_address(read_config(config_path, needs_dataset=not production), host, port)
    address = (config.server.host, config.server.port)
    if production:
        served = open_production(config)
        server = listen(create_production_app(served), *address)
        announce(config, server)
        run_until_stopped(server, served.stop)
        return
    from lightbulb.progress import EncodingBar

    bar = EncodingBar()
    workspace = open_workspace(config, train=not no_train, on_progress=bar.update)
    try:
        server = listen(create_app(workspace), *address)
    except LightBulbError:
        workspace.database.close()
        raise
    workspace.start()
    announce(config, server)

    def stop() -> None:
        bar.close()
        workspace.stop()

    run_until_stopped(server, stop)


@main.command()
@config_option
@log_option
def encode(config_path: Path, log_level: str) -> None:
    """Encode every item now, so that serving starts with all of them ready."""
    set_up_logging(log_level)
    from lightbulb.progress import EncodingBar
    from lightbulb.services.assemble import open_workspace
    from lightbulb.services.plugins import read_config

    bar = EncodingBar()
    workspace = open_workspace(read_config(config_path), on_progress=bar.update)
    try:
        while workspace.learner.encode_step():
            pass
        status = workspace.learner.status()
    finally:
        bar.close()
        workspace.database.close()
    broken = int(workspace.catalog.view.broken.sum())
    click.echo(f"{status.encoded} items are encoded" + (f", {broken} cannot be read" if broken else ""))


@main.command("export")
@config_option
@click.option("--format", "format_name", default="csv", show_default=True, help="The file's format.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="The file (default: stdout).")
def export_labels(config_path: Path, format_name: str, out: Path | None) -> None:
    """Write the labels to a file, also while the service runs."""
    set_up_logging("warning")
    from lightbulb.files import write_atomically
    from lightbulb.services.plugins import read_config
    from lightbulb.store.database import Database
    from lightbulb.store.labels import LabelStore

    config = read_config(config_path, needs_dataset=False)
    file_format = format_by_name(format_name)
    database = Database(config.database_url, exclusive=False)
    try:
        text = file_format.write(LabelStore(database).export_rows())
    finally:
        database.close()
    if out is None:
        click.echo(text, nl=False)
    else:
        write_atomically(out, text.encode())
        click.echo(f"{text.count(chr(10)) - 1} labels written to {out}", err=True)


@main.command("import")
@config_option
@click.option("--format", "format_name", default="csv", show_default=True, help="The file's format.")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def import_labels(config_path: Path, format_name: str, file: Path) -> None:
    """Take in labels from FILE: all of them, or none and every bad row named."""
    set_up_logging("warning")
    from lightbulb.services.assemble import open_workspace
    from lightbulb.services.plugins import read_config

    config = read_config(config_path)
    file_format = format_by_name(format_name)
    workspace = open_workspace(config)
    try:
        text = file.read_text(encoding="utf-8-sig")
        count = workspace.importing.import_text(text, file_format, config.user)
    except UnicodeDecodeError as error:
        raise LightBulbError(f"{file} is not UTF-8 text: {error}") from error
    finally:
        workspace.judgements.stop()
        workspace.database.close()
    click.echo(f"{count} labels imported from {file}")


@main.command()
@config_option
@click.option("--truth", required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="CSV with the columns path,label.")  # fmt: skip
@click.option(
    "--labels", "budgets", default="20,40,78,150", show_default=True, help="Label counts to report at."
)
@click.option("--seeds", default=5, show_default=True, type=click.IntRange(1), help="Runs to average over.")
@click.option(
    "--strategy", "strategies", multiple=True,
    help="Query strategy (default: the config's); several times for several, side by side. "
    "skactiveml:NAME is scikit-activeml's, where that is installed.",
)  # fmt: skip
@click.option("--finish", is_flag=True, help="Label everything instead, and report what that took.")
@click.option(
    "--every", default=1, show_default=True, type=click.IntRange(1),
    help="Questions asked at once, before the next model.",
)  # fmt: skip
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1), help="Runs at a time.")
@click.option("--weights", help="Encoder weights (default: the config's).")
@click.option("--fine-tune/--no-fine-tune", default=None, help="model.fine_tune (default: the config's).")
@click.option(
    "--json", "json_path", type=click.Path(path_type=Path, dir_okay=False), help="Write the result here."
)
@click.option(
    "--log-level", default="warning", show_default=True, type=click.Choice(["debug", "info", "warning"])
)
def simulate(
    config_path: Path,
    truth: Path,
    budgets: str,
    seeds: int,
    strategies: tuple[str, ...],
    finish: bool,
    every: int,
    jobs: int,
    weights: str | None,
    fine_tune: bool | None,
    json_path: Path | None,
    log_level: str,
) -> None:
    """Let a scripted annotator answer from TRUTH, and report the accuracy on items never asked."""
    set_up_logging(log_level)
    from lightbulb.measuring.peers import check_strategy
    from lightbulb.measuring.simulate import (
        finish_and_report,
        parse_budgets,
        simulate_and_report,
        with_strategy,
    )
    from lightbulb.services.plugins import check_fine_tuning, read_config

    config = read_config(config_path)
    changed = {"weights": weights, "fine_tune": fine_tune}
    changed = {key: value for key, value in changed.items() if value is not None}
    config = config.model_copy(update={"model": config.model.model_copy(update=changed)})
    check_fine_tuning(config)
    for name in strategies:
        check_strategy(name)
    if finish:
        chosen = with_strategy(config, strategies[0]) if strategies else config
        finish_and_report(chosen, truth, seeds, json_path, jobs=jobs)
    else:
        budget_list = parse_budgets(budgets)
        simulate_and_report(
            config, truth, budget_list, seeds, json_path, strategies=strategies, every=every, jobs=jobs
        )


@main.command()
@click.option("--images", required=True, multiple=True, type=click.Path(path_type=Path),
              help="Folder or .npz; several times for several, in equal shares.")  # fmt: skip
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The .safetensors file."
)
@click.option(
    "--teacher", help="Learn the features of this: a file of weights, or a torchvision model's name."
)
@click.option(
    "--ignore-labels", is_flag=True, help="Self-supervised even if the folder's subfolders are classes."
)
@click.option(
    "--init", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Weights to start from."
)
@click.option("--minutes", type=click.FloatRange(0, min_open=True), help="How long to train (default: 60).")
@click.option("--steps", type=click.IntRange(1), help="How long to train, in steps instead of minutes.")
@click.option(
    "--size", default=128, show_default=True, type=click.IntRange(32, 512), help="Side of the views."
)
@click.option("--batch", default=48, show_default=True, type=click.IntRange(2), help="Pictures per step.")
@click.option(
    "--learning-rate",
    default=2e-3,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    help="Its peak.",
)
@click.option(
    "--workers", default=2, show_default=True, type=click.IntRange(1), help="Threads that read images."
)
@click.option("--seed", default=0, show_default=True)
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
def pretrain(
    images: tuple[Path, ...],
    out: Path,
    teacher: str | None,
    ignore_labels: bool,
    minutes: float | None,
    steps: int | None,
    **settings: Any,
) -> None:
    """Make weights for the SqueezeNet encoder, resuming where an earlier run was cut off."""
    set_up_logging("info")
    from lightbulb.errors import InputError
    from lightbulb.pretraining.command import pretrain_and_report
    from lightbulb.pretraining.pretrain import Settings

    if minutes is not None and steps is not None:
        raise InputError("--minutes and --steps: one of them, not both")
    chosen = Settings(minutes=None if steps else minutes or 60.0, steps=steps, **settings)
    pretrain_and_report(images, out, teacher, ignore_labels, chosen)


def with_address(config: Config, host: str | None, port: int | None) -> Config:
    update = {"host": host or config.server.host, "port": config.server.port if port is None else port}
    return config.model_copy(update={"server": config.server.model_copy(update=update)})


def format_by_name(name: str) -> Any:
    from lightbulb.config import did_you_mean
    from lightbulb.errors import InputError
    from lightbulb.services.plugins import FORMATS

    if name not in FORMATS:
        raise InputError(f"unknown format {name!r}{did_you_mean(name, FORMATS)}")
    return FORMATS[name]()


def announce(config: Config, server: Any) -> None:
    host = config.server.host
    shown = "localhost" if host in ("127.0.0.1", "::1", "0.0.0.0", "::") else host
    click.echo(f"Light Bulb serves {config.task.title!r} on http://{shown}:{server.effective_port}", err=True)

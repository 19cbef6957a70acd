"""`lightbulb bench`: measurements of the service; what they need is imported when one is run."""

from __future__ import annotations

from pathlib import Path

import click

from lightbulb.options import config_option, set_up_logging


@click.group()
def bench() -> None:
    """Measure the service against bare baselines in the same run."""


@bench.command()
@click.option("--labels", "n_labels", default=150, show_default=True, type=click.IntRange(20))
@click.option("--posts", default=20, show_default=True, type=click.IntRange(1), help="Labels that are timed.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def retrain(n_labels: int, posts: int, as_json: bool) -> None:
    """From a POSTed label to the published snapshot that includes it, beside the bare fit."""
    set_up_logging("warning")
    from lightbulb.measuring.bench import bench_retrain, show

    show(bench_retrain(n_labels, posts), as_json)


@bench.command()
@config_option
@click.option("--truth", required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="CSV with the columns path,label.")  # fmt: skip
@click.option("--seeds", default=10, show_default=True, type=click.IntRange(1), help="Draws to average over.")
@click.option(
    "--imbalance", default=1.0, show_default=True, type=click.FloatRange(1),
    help="How many times rarer one half of the classes is among the labels.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def decoders(config_path: Path, truth: Path, seeds: int, imbalance: float, as_json: bool) -> None:
    """Every decoder beside logistic regression, on 10 to 150 randomly drawn labels."""
    set_up_logging("warning")
    from lightbulb.measuring.bench_decoders import bench_and_report
    from lightbulb.services.plugins import read_config

    bench_and_report(read_config(config_path), truth, seeds, imbalance, as_json=as_json)


@bench.command("encode")
@config_option
@click.option(
    "--images", default=256, show_default=True, type=click.IntRange(32), help="Files in each round."
)
@click.option("--photographs", "folder", type=click.Path(path_type=Path, exists=True, file_okay=False),
              help="A folder of images of one's own (default: synthetic ones).")  # fmt: skip
@click.option("--variants", is_flag=True, help="Also try other ways to run the network.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def bench_encode_command(
    config_path: Path, images: int, folder: Path | None, variants: bool, as_json: bool
) -> None:
    """Files to embeddings, decoding included, beside the bare forward pass."""
    set_up_logging("warning")
    from lightbulb.measuring.bench import show
    from lightbulb.measuring.bench_encode import bench_encode
    from lightbulb.measuring.encoder_variants import show_variants
    from lightbulb.services.plugins import read_config

    config = read_config(config_path, needs_dataset=False)
    result = bench_encode(config, images=images, folder=folder, variants=variants)
    show({key: value for key, value in result.items() if as_json or key != "variants"}, as_json)
    if variants and not as_json:
        show_variants(result)


@bench.command()
@click.option("--items", default=100_000, show_default=True, type=click.IntRange(1))
@click.option("--count", default=10, show_default=True, type=click.IntRange(1), help="Questions wanted.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def questions(items: int, count: int, as_json: bool) -> None:
    """How long each query strategy takes over the next questions, on a large pool."""
    from lightbulb.measuring.bench_questions import bench_questions, show

    show(bench_questions(items, count), as_json)


@bench.command()
@click.option("--requests", default=200, show_default=True, type=click.IntRange(1), help="Of the one client.")
@click.option("--clients", default=16, show_default=True, type=click.IntRange(1), help="That ask at once.")
@click.option("--each", default=20, show_default=True, type=click.IntRange(1),
              help="Requests of each of them, in each of four rounds.")  # fmt: skip
@click.option("--images", type=click.Path(path_type=Path, exists=True, file_okay=False),
              help="Folder of images to upload (default: synthetic photographs).")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def score(requests: int, clients: int, each: int, images: Path | None, as_json: bool) -> None:
    """Uploads to /score by one client and by many, beside the bare decoding, forward and decoder."""
    set_up_logging("warning")
    from lightbulb.measuring.bench_score import Amounts, bench_score, show

    show(bench_score(Amounts(requests=requests, clients=clients, each=each), images), as_json)


@bench.command()
@click.option("--items", "sizes", multiple=True, default=(1000, 10_000, 100_000), show_default=True,
              type=click.IntRange(1), help="Several times for several pools.")  # fmt: skip
@click.option("--dim", default=1024, show_default=True, type=click.IntRange(2), help="Of an embedding.")
@click.option("--posts", default=10, show_default=True, type=click.IntRange(1),
              help="Answers whose way to a snapshot is timed.")  # fmt: skip
@click.option("--requests", default=200, show_default=True, type=click.IntRange(1),
              help="Requests for questions that are timed.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def scale(sizes: tuple[int, ...], dim: int, posts: int, requests: int, as_json: bool) -> None:
    """How cost grows with the pool, on made-up embeddings; takes 2 KB of disk an item at 1024."""
    set_up_logging("warning")
    from lightbulb.measuring.bench_scale import bench_scale, show

    show(bench_scale(sizes, dim, posts=posts, requests=requests), as_json)

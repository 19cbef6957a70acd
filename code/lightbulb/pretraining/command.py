"""`lightbulb pretrain`: chooses the objective, shows progress, writes the weights and their model card."""

from __future__ import annotations

import hashlib
import sys
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from lightbulb.encoders.squeezenet import SqueezeNet, squeezenet_features
from lightbulb.encoders.weights import fit_into, resolve_weights
from lightbulb.errors import InputError
from lightbulb.files import write_atomically
from lightbulb.pretraining.images import ImageSource, open_sources
from lightbulb.pretraining.network import CHANNELS
from lightbulb.pretraining.objectives import Distillation, Objective, Supervised, VICReg
from lightbulb.pretraining.pretrain import Pretraining, Report, Settings
from lightbulb.torch_setup import pick_device, torch
from lightbulb.vision import torchvision

REPORT_SECONDS = 30.0  # between two lines, where there is no terminal to draw a bar on


def pretrain_and_report(
    images: tuple[Path, ...], out: Path, teacher: str | None, ignore_labels: bool, settings: Settings
) -> None:
    """Raises: InputError, WeightsError."""
    out.parent.mkdir(parents=True, exist_ok=True)
    sources = open_sources(images)
    torch.manual_seed(settings.seed)
    objective, purpose = choose_objective(sources, teacher, ignore_labels, settings)
    click.echo(f"{sum(map(len, sources)):,} pictures; {purpose}", err=True)
    training = Pretraining(sources, objective, purpose, settings, out)
    last = show_progress(training)
    write_atomically(
        out.with_suffix(".md"), model_card(training, sources, purpose, settings, out, last).encode()
    )
    click.echo(
        f"{out}: {out.stat().st_size / 1e6:.2f} MB, {training.steps} steps, {training.seconds / 60:.1f} min"
    )


def choose_objective(
    sources: list[ImageSource], teacher: str | None, ignore_labels: bool, settings: Settings
) -> tuple[Objective, str]:
    """The objective, and what it is in words."""
    if teacher is not None:
        network, channels, name = load_teacher(teacher, settings)
        return Distillation(network, channels), f"as the student of {name}"
    labelled = len(sources) == 1 and sources[0].targets is not None
    if labelled and not ignore_labels:
        count = len(sources[0].classes)
        return Supervised(count), f"supervised, {count} classes"
    return VICReg(), "self-supervised (VICReg)"


def load_teacher(wanted: str, settings: Settings) -> tuple[torch.nn.Module, int, str]:
    """A frozen network from normalised images to a feature map, its channels, and its name.

    wanted: a file with weights of SqueezeNet 1.1, or the name of a torchvision classification model, whose
    weights torchvision downloads. Raises: InputError, WeightsError.
    """
    device = pick_device(settings.device)
    if Path(wanted).suffix in (".safetensors", ".pth"):
        weights = resolve_weights(wanted, url="", builtin="")
        network: Any = squeezenet_features()
        fit_into(network, weights, prefix="features.")
        network = network.to(device).to(memory_format=torch.channels_last)
        return network, CHANNELS, f"{SqueezeNet.name} ({weights.name})"
    if wanted not in torchvision.models.list_models(module=torchvision.models):
        raise InputError(
            f"--teacher: {wanted} is neither a file of weights nor a torchvision classification model"
        )
    try:
        network = torchvision.models.get_model(wanted, weights="DEFAULT")
    except OSError as error:
        raise InputError(f"--teacher: the weights of {wanted} could not be downloaded: {error}") from error
    features: Any = spatial_part(network)  # torch declares no memory_format for modules
    features = features.to(device).to(memory_format=torch.channels_last)
    with torch.no_grad():
        shape = features.eval()(torch.zeros(1, 3, 224, 224, device=device)).shape
    if len(shape) != 4:
        raise InputError(f"--teacher: {wanted} has no feature map")
    return features, int(shape[1]), f"torchvision's {wanted}"


def spatial_part(network: torch.nn.Module) -> torch.nn.Module:
    """The network up to its feature map: `features`, or everything before the global pooling."""
    features = getattr(network, "features", None)
    if isinstance(features, torch.nn.Module):
        return features
    children = list(network.named_children())
    pooling = [index for index, (name, _) in enumerate(children) if name == "avgpool"]
    if not pooling:
        raise InputError("--teacher: this network has no global pooling, and so no feature map before it")
    return torch.nn.Sequential(*(child for _, child in children[: pooling[0]]))


def show_progress(training: Pretraining) -> Report | None:
    """Runs it under a bar, or, without a terminal, with a line now and then. Returns the last report."""
    last: Report | None = None
    if not sys.stderr.isatty():
        spoken = time.monotonic() - REPORT_SECONDS

        def tell(report: Report) -> None:
            nonlocal last, spoken
            last = report
            if time.monotonic() - spoken >= REPORT_SECONDS:
                spoken = time.monotonic()
                click.echo(
                    f"{report.done:6.1%}  step {report.step}  loss {report.loss:.4f}  "
                    f"{report.rate:.0f} pictures/s",
                    err=True,
                )

        training.run(tell)
        return last
    with Progress(
        TextColumn("Pretraining"), BarColumn(), TextColumn("{task.percentage:.1f}%"), TimeElapsedColumn(),
        TextColumn("{task.fields[shown]}"), console=Console(stderr=True),
    ) as bar:  # fmt: skip
        task = bar.add_task("pretraining", total=1.0, shown="")

        def draw(report: Report) -> None:
            nonlocal last
            last = report
            shown = f"loss {report.loss:.4f}, {report.rate:.0f} pictures/s"
            bar.update(task, completed=report.done, shown=shown)

        training.run(draw)
    return last


def model_card(
    training: Pretraining,
    sources: list[ImageSource],
    purpose: str,
    settings: Settings,
    out: Path,
    last: Report | None,
) -> str:
    data = "\n".join(f"- {source.name}: {len(source):,} pictures" for source in sources)
    start = settings.init.name if settings.init else "random initialisation"
    loss = f"{last.loss:.4f}" if last else "not reported"
    return f"""# Model card: {out.name}

The `features` part of SqueezeNet 1.1 (Iandola et al. 2016, arXiv 1602.07360) in float16, keys as in
torchvision's `squeezenet1_1().features`. SHA-256: {hashlib.sha256(out.read_bytes()).hexdigest()}.

**Data**, each with an equal share of every batch:

{data}

**Recipe**: {purpose}, from {start}; batch-norm after every convolution while training, folded into the
convolutions when saved. {training.steps} steps of {settings.batch} views, {settings.size} pixels square, in
{training.seconds / 60:.0f} minutes; Muon beside AdamW, learning rate {settings.learning_rate:g}, seed
{settings.seed}. The last reported loss was {loss}.

**Figures**: to be measured with `lightbulb simulate --weights {out.name}`.
"""

"""The training itself: a one-cycle learning rate, bfloat16 where there is hardware for it, checkpoints."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog
from safetensors.torch import load_file, save

from lightbulb.encoders.torch_images import IMAGENET_MEAN, IMAGENET_STD
from lightbulb.errors import InputError
from lightbulb.files import write_atomically
from lightbulb.pretraining.augment import vary_colours
from lightbulb.pretraining.batches import Batch, Batches, Recipe
from lightbulb.pretraining.images import ImageSource
from lightbulb.pretraining.network import folded, load_folded, trainable_features
from lightbulb.pretraining.objectives import Objective, Views
from lightbulb.pretraining.optimisers import make_optimisers
from lightbulb.torch_setup import device_problem, has_bfloat16, pick_device, torch

log = structlog.get_logger()

WARM_UP = 0.03  # of the whole
LARGEST_GRADIENT = 5.0
CHECKPOINT_SECONDS = 60.0
REPORT_STEPS = 20  # steps between two reports, and what a reported loss is the mean of


@dataclass(frozen=True)
class Settings:
    """The training ends after `minutes` or after `steps`, whichever is set. size: side of the views, pixels.

    init: weights to start from, none: random. batch: pictures per step.
    """

    size: int = 128
    batch: int = 48
    minutes: float | None = 60.0
    steps: int | None = None
    learning_rate: float = 2e-3
    init: Path | None = None
    seed: int = 0
    workers: int = 2
    device: str = "auto"


@dataclass(frozen=True)
class Report:
    """done: fraction of the whole, 0 to 1. loss: mean since the last report. rate: pictures per second."""

    done: float
    step: int
    loss: float
    rate: float


class Pretraining:
    """One run; interrupted, it goes on from `OUT.checkpoint` when started again with the same settings."""

    def __init__(
        self, sources: list[ImageSource], objective: Objective, purpose: str, settings: Settings, out: Path
    ) -> None:
        if problem := device_problem(settings.device):
            raise InputError(f"--device: {problem}")
        self._settings = settings
        self._out = out
        self._checkpoint = out.with_suffix(out.suffix + ".checkpoint")
        run = {"purpose": purpose, "optimisers": "muon, adamw", "sources": [one.name for one in sources]}
        described = run | asdict(settings)
        self._identity = hashlib.sha256(
            json.dumps(described, default=str, sort_keys=True).encode()
        ).hexdigest()
        self._device = pick_device(settings.device)
        self._low_precision = has_bfloat16(self._device)
        recipe = Recipe(settings.size, settings.batch, objective.views, objective.mosaics)
        self._batches = Batches(sources, recipe, settings.seed, settings.workers)
        self._features = trainable_features().to(self._device)
        self._objective = objective.to(self._device)
        self._step = 0
        self._seconds = 0.0  # of earlier runs and this one
        if settings.init is not None and not self._checkpoint.exists():
            self._start_from(settings.init)
        self._optimisers = make_optimisers(self._features, self._objective, settings.learning_rate)
        self._resume()

    @property
    def steps(self) -> int:
        return self._step

    @property
    def seconds(self) -> float:
        return self._seconds

    def run(self, on_report: Callable[[Report], None]) -> None:
        """Trains to the end and writes the weights; a checkpoint lies beside them until then."""
        began, before = time.monotonic(), self._seconds
        saved = reported = began
        losses: list[float] = []
        self._features.train()
        self._objective.train()
        for batch in self._batches.starting_at(self._step):
            if self._done() >= 1:
                break
            losses.append(self._train_step(batch))
            self._step += 1
            now = time.monotonic()
            self._seconds = before + now - began
            if len(losses) == REPORT_STEPS:
                rate = len(losses) * self._settings.batch / (now - reported)
                on_report(Report(min(1.0, self._done()), self._step, sum(losses) / len(losses), rate))
                losses, reported = [], now
            if now - saved > CHECKPOINT_SECONDS:
                self._save_checkpoint()
                saved = now
        write_atomically(self._out, save(self.weights(), {"architecture": "squeezenet1_1.features"}))
        self._checkpoint.unlink(missing_ok=True)

    def weights(self) -> dict[str, torch.Tensor]:
        """float16, keyed as torchvision's `squeezenet1_1().features`."""
        return {name: tensor.half() for name, tensor in folded(self._features).items()}

    def _done(self) -> float:
        steps, minutes = self._settings.steps, self._settings.minutes
        if steps is not None:
            return self._step / steps
        assert minutes is not None
        return self._seconds / (60 * minutes)

    def _train_step(self, batch: Batch) -> float:
        groups = [group for one in self._optimisers for group in one.param_groups]
        for group in groups:
            group["lr"] = self._settings.learning_rate * one_cycle(self._done())
        views = self._views(batch)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._low_precision):
            loss = self._objective.loss(self._features(views.images), views)
        if not torch.isfinite(loss):
            raise InputError(f"the loss is {loss.item()} at step {self._step}: lower --learning-rate")
        for one in self._optimisers:
            one.zero_grad(set_to_none=True)
        loss.backward()
        parameters = [parameter for group in groups for parameter in group["params"]]
        torch.nn.utils.clip_grad_norm_(parameters, LARGEST_GRADIENT)
        for one in self._optimisers:
            one.step()
        return float(loss.detach())

    def _views(self, batch: Batch) -> Views:
        pixels = torch.from_numpy(batch.views)
        if self._device.type == "cuda":
            pixels = pixels.pin_memory()
        images = pixels.to(self._device, non_blocking=True).flatten(0, 1).permute(0, 3, 1, 2)
        generator = torch.Generator().manual_seed(self._settings.seed * 1_000_003 + self._step)
        coloured = vary_colours(images.float().div_(255), generator)
        return Views(normalised(coloured), torch.from_numpy(batch.targets).to(self._device))

    def _start_from(self, path: Path) -> None:
        try:
            tensors = {name.removeprefix("features."): one.float() for name, one in load_file(path).items()}
            load_folded(self._features, tensors, self._views(self._batches.make(0)).images)
        except Exception as error:
            raise InputError(f"--init: {path} is no SqueezeNet 1.1 in safetensors: {error}") from error

    def _save_checkpoint(self) -> None:
        part = self._checkpoint.with_suffix(".part")
        state = {
            "identity": self._identity,
            "features": self._features.state_dict(),
            "objective": self._objective.state_dict(),
            "optimisers": [one.state_dict() for one in self._optimisers],
            "step": self._step,
            "seconds": self._seconds,
        }
        torch.save(state, part)
        part.replace(self._checkpoint)

    def _resume(self) -> None:
        if not self._checkpoint.exists():
            return
        try:
            state = torch.load(self._checkpoint, map_location=self._device, weights_only=True)
            same = state["identity"] == self._identity
        except Exception as error:
            raise InputError(
                f"{self._checkpoint} cannot be read ({error}): remove it to start anew"
            ) from error
        if not same:
            raise InputError(
                f"{self._checkpoint} is of a run with other settings: finish that one, or remove the file"
            )
        self._features.load_state_dict(state["features"])
        self._objective.load_state_dict(state["objective"])
        for one, kept in zip(self._optimisers, state["optimisers"], strict=True):
            one.load_state_dict(kept)
        self._step, self._seconds = int(state["step"]), float(state["seconds"])
        log.info("pretrain.resumed", step=self._step, minutes=round(self._seconds / 60, 1))


def normalised(images: torch.Tensor) -> torch.Tensor:
    """float32 (n, 3, h, w) in 0..1 → as ImageNet's networks expect them."""
    mean = torch.tensor(IMAGENET_MEAN, device=images.device).view(1, 3, 1, 1)
    std = torch.tensor(IMAGENET_STD, device=images.device).view(1, 3, 1, 1)
    return ((images - mean) / std).contiguous(memory_format=torch.channels_last)


def one_cycle(done: float) -> float:
    """Factor of the learning rate: up in a line, down to 0 in a half cosine. done: 0 to 1."""
    if done < WARM_UP:
        return max(done / WARM_UP, 0.01)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (done - WARM_UP) / (1 - WARM_UP))))

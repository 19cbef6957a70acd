"""Training the last layers of an encoder on a task's own labels.

They and a linear layer on top learn from augmented images (random crops, mirrored, other colours); the linear
layer is thrown away, the encoder's layers stay. They are held near where they started (L2-SP: Li, Grandvalet,
Davoine 2018, "Explicit Inductive Bias for Transfer Learning with Convolutional Networks", arXiv 1802.01483):
a hundred labels would soon be known by heart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lightbulb.encoders.torch_images import Trainable
from lightbulb.errors import InputError
from lightbulb.items.image import open_image
from lightbulb.pretraining.augment import random_crop, vary_colours
from lightbulb.pretraining.objectives import power_normalised
from lightbulb.pretraining.pretrain import one_cycle
from lightbulb.records import Ints, Pixels
from lightbulb.torch_setup import has_bfloat16, pick_device, torch

EPOCHS = 20
FEWEST_STEPS, MOST_STEPS = 60, 1500
BATCH = 16
LEARNING_RATE, HEAD_LEARNING_RATE = 3e-4, 2e-2
ANCHOR = 0.02  # weight of the squared distance to where the layers started
RADIUS = 10.0  # length of the vectors that the linear layer reads
SMALLEST_AREA = 0.5  # of the picture that a crop keeps: what is asked about must stay in it
LABEL_SMOOTHING = 0.1


@dataclass(frozen=True)
class Examples:
    """files: labelled images. targets: class indices int64 (n,)."""

    files: Sequence[Path]
    targets: Ints
    n_classes: int


class FineTuning:
    """One run, a step at a time: `step` until it is `finished`, then `tensors`."""

    def __init__(
        self, trainable: Trainable, examples: Examples, rng: np.random.Generator, *, device: str = "auto"
    ) -> None:
        self._examples = examples
        self._shown = trainable.shown
        self._max_pixels = trainable.max_pixels
        self._pool = trainable.pool
        self._rng = rng
        self._device = pick_device(device)
        prepared: Any = trainable.network.to(self._device)
        self._network = prepared.to(memory_format=torch.channels_last)
        for name, parameter in self._network.named_parameters():
            parameter.requires_grad_(name.startswith(trainable.parts))
        self._tuned = [one for one in self._network.parameters() if one.requires_grad]
        self._start = [one.detach().clone() for one in self._tuned]
        self._head = self._new_head()
        self._groups: list[dict[str, Any]] = [
            {"params": self._tuned, "lr": 0.0, "peak": LEARNING_RATE},
            {"params": list(self._head.parameters()), "lr": 0.0, "peak": HEAD_LEARNING_RATE},
        ]
        self._optimiser = torch.optim.AdamW(self._groups, weight_decay=0.0)
        self._steps = int(np.clip(EPOCHS * len(examples.targets) / BATCH, FEWEST_STEPS, MOST_STEPS))
        self._order = balanced_order(examples.targets, self._steps * BATCH, rng)
        self._colours = torch.Generator().manual_seed(int(rng.integers(2**31)))
        self._step = 0

    @property
    def progress(self) -> float:
        """0 to 1."""
        return self._step / self._steps

    @property
    def finished(self) -> bool:
        return self._step >= self._steps

    def step(self) -> None:
        """Learns from one batch. Raises: InputError if an image cannot be read any more."""
        chosen = self._order[self._step * BATCH : (self._step + 1) * BATCH]
        targets = torch.from_numpy(self._examples.targets[chosen]).to(self._device)
        for group in self._optimiser.param_groups:
            group["lr"] = one_cycle(self.progress) * group["peak"]
        images = self._images(chosen)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=has_bfloat16(self._device)):
            found = self._network(images)
        logits = self._head(RADIUS * power_normalised(self._pool(found)))
        loss = torch.nn.functional.cross_entropy(logits, targets, label_smoothing=LABEL_SMOOTHING)
        loss = loss + ANCHOR * self._distance()
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self._optimiser.step()
        self._step += 1

    def tensors(self) -> dict[str, torch.Tensor]:
        """Of the tuned network, float16, keyed as its own."""
        state = self._network.state_dict()
        return {name: one.detach().cpu().half().contiguous() for name, one in state.items()}

    def _new_head(self) -> torch.nn.Linear:
        size = self._shown.size
        with torch.no_grad():
            width = self._pool(self._network(torch.zeros(1, 3, size, size, device=self._device))).shape[1]
        head = torch.nn.Linear(width, self._examples.n_classes)
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.zeros_(head.bias)
        return head.to(self._device)

    def _distance(self) -> torch.Tensor:
        """Squared distance of what is trained from where it started."""
        pairs = zip(self._tuned, self._start, strict=True)
        return torch.stack([(one - start).square().sum() for one, start in pairs]).sum()

    def _images(self, rows: Ints) -> torch.Tensor:
        """float32 (len(rows), 3, h, w), augmented and normalised."""
        pixels = torch.from_numpy(np.stack([self._augmented(self._examples.files[row]) for row in rows]))
        images = vary_colours(pixels.permute(0, 3, 1, 2).float().div_(255), self._colours)
        mean, std = (torch.tensor(one).view(1, 3, 1, 1) for one in (self._shown.mean, self._shown.std))
        return ((images - mean) / std).to(self._device, memory_format=torch.channels_last)

    def _augmented(self, path: Path) -> Pixels:
        size = self._shown.size
        try:
            data = path.read_bytes()
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}") from error
        image = open_image(data, max_pixels=self._max_pixels, at_least=2 * size)
        return random_crop(image, size, self._rng, smallest_area=SMALLEST_AREA)


def balanced_order(targets: Ints, count: int, rng: np.random.Generator) -> Ints:
    """int64 (count,): classes by the root of their number, each row as often as its class's others."""
    counts = np.bincount(targets)
    shares = np.sqrt(counts) / np.sqrt(counts).sum()
    drawn = rng.choice(len(counts), count, p=shares)
    order = np.empty(count, dtype=np.int64)
    for one in np.unique(drawn):
        at, mine = np.flatnonzero(drawn == one), np.flatnonzero(targets == one)
        rounds = [rng.permutation(mine) for _ in range(-(-len(at) // len(mine)))]
        order[at] = np.concatenate(rounds)[: len(at)]
    return order

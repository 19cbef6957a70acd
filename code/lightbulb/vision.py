"""`from lightbulb.vision import torchvision`: the one way torchvision is imported here.

torchvision's ordinary wheel is compiled against the CUDA build of torch. Beside a CPU-only torch its
compiled half does not load, and the import fails with "operator torchvision::nms does not exist"
although models, datasets and transforms need none of it. Declaring the missing operators is enough.
They get no implementation: calling one still fails, loudly. Where torchvision is whole nothing is touched.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from lightbulb.torch_setup import torch

_MISSING = "torchvision::nms does not exist"
_SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"

# A library's declarations live only as long as the object.
_declared: list[torch.library.Library] = []


def _import_torchvision() -> Any:
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if _MISSING not in str(error):
            raise
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]  # half imported
    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in ("nms", "qnms"):
        library.define(operator + _SIGNATURE)
    _declared.append(library)
    return importlib.import_module("torchvision")


torchvision: Any = _import_torchvision()

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lightbulb.errors import InputError
from lightbulb.measuring.bench_score import Amounts, bench_score, show
from lightbulb.measuring.photographs import draw_picture, encode_jpeg, read_images

FEW = Amounts(requests=3, clients=3, each=2, rounds=1, items=40, labels=12, image_size=64)


def test_measures_one_client_and_many(capsys: pytest.CaptureFixture[str]) -> None:
    result = bench_score(FEW)
    one, many = result["one_client"], result["many_clients"]
    assert one["requests"] == 3 and many["clients"] == 3 and many["requests"] == 6
    assert 0 < one["p50_ms"] <= one["p99_ms"] and 0 < many["p50_ms"] <= many["p99_ms"]
    assert one["ratio"] == pytest.approx(one["p50_ms"] / one["bare_p50_ms"], rel=0.05)
    assert many["ratio"] == pytest.approx(
        many["images_per_second"] / many["bare_images_per_second"], rel=0.05
    )
    capsys.readouterr()  # the log
    show(result, as_json=True)
    assert json.loads(capsys.readouterr().out) == result
    show(result, as_json=False)
    assert "3 clients" in capsys.readouterr().out


def test_own_images(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no images"):
        read_images(tmp_path)
    jpeg = encode_jpeg(draw_picture(np.random.default_rng(0)))
    assert Image.open(io.BytesIO(jpeg)).size == (422, 371)
    (tmp_path / "a.jpg").write_bytes(jpeg)
    assert read_images(tmp_path) == [jpeg]

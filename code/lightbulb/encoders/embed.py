"""Files → embeddings, in chunks: reading and decoding run ahead in threads while the network works."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lightbulb.encoders import Encoder
from lightbulb.errors import InputError
from lightbulb.records import Float16s, ItemId

CHUNK = 32
DECODERS = 2


@dataclass(frozen=True)
class EncodedChunk:
    """What became of one chunk of files.

    contents: content hash of every readable file, by item. new: hashes that were not cached yet;
    embeddings: theirs, float16 (len(new), dim). broken: why an item could not be read.
    """

    contents: dict[ItemId, str]
    new: tuple[str, ...]
    embeddings: Float16s
    broken: dict[ItemId, str]


@dataclass(frozen=True)
class _Prepared:
    item: ItemId
    content: str | None = None
    network_input: object = None
    problem: str | None = None


def content_hash(data: bytes) -> str:
    """blake2b, 32 bytes as hex: the identity of a file's content."""
    return hashlib.blake2b(data, digest_size=32).hexdigest()


def encode_files(
    encoder: Encoder,
    files: Sequence[tuple[ItemId, Path]],
    *,
    cached: Callable[[str], bool],
    chunk: int = CHUNK,
) -> Iterator[EncodedChunk]:
    """Encodes files in the order given. cached: whether a content hash needs no encoding any more."""
    chunks = [files[start : start + chunk] for start in range(0, len(files), chunk)]
    with ThreadPoolExecutor(DECODERS, thread_name_prefix="decode") as pool:

        def submit(part: Sequence[tuple[ItemId, Path]]) -> list[Future[_Prepared]]:
            return [pool.submit(_prepare, encoder, item, path, cached) for item, path in part]

        ahead = submit(chunks[0]) if chunks else []
        try:
            for index in range(len(chunks)):
                current = ahead
                ahead = submit(chunks[index + 1]) if index + 1 < len(chunks) else []
                yield _encode_chunk(encoder, [future.result() for future in current])
        finally:
            for future in ahead:
                future.cancel()


def _prepare(encoder: Encoder, item: ItemId, path: Path, cached: Callable[[str], bool]) -> _Prepared:
    try:
        data = path.read_bytes()
    except OSError as error:
        return _Prepared(item, problem=f"cannot be read: {error.strerror}")
    content = content_hash(data)
    if cached(content):
        return _Prepared(item, content)
    try:
        return _Prepared(item, content, encoder.prepare(data))
    except InputError as error:
        return _Prepared(item, problem=error.message)


def _encode_chunk(encoder: Encoder, prepared: Sequence[_Prepared]) -> EncodedChunk:
    contents = {one.item: one.content for one in prepared if one.content is not None}
    inputs = {
        one.content: one.network_input
        for one in prepared
        if one.content is not None and one.network_input is not None
    }
    embeddings = (
        encoder.encode(list(inputs.values())) if inputs else np.empty((0, encoder.dim), dtype=np.float16)
    )
    broken = {one.item: one.problem for one in prepared if one.problem is not None}
    return EncodedChunk(contents, tuple(inputs), embeddings, broken)

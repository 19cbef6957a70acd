"""Request bodies and queries, validated before a service sees them; shapes that clients rely on."""

from __future__ import annotations

import functools
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lightbulb.services.browsing import SORTS, STATES, ItemFilter

MOST_ANSWERS = 1000  # in one request
MOST_AS_ONE = 100_000  # items in one bulk action


class Request(BaseModel):
    model_config = ConfigDict(extra="forbid")

    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Made once: flask_openapi3 asks for it at every request, and Review makes a hundred at once."""
        return super().model_json_schema(*args, **kwargs) if args or kwargs else _schema_of(cls)


@functools.cache
def _schema_of(request: type[Request]) -> dict[str, Any]:
    return super(Request, request).model_json_schema()


class Empty(Request):
    """A body of `{}`."""


Client = Annotated[str, Field(max_length=64, description="Any random id of the browser tab that asks.")]
ItemNumber = Annotated[int, Field(ge=1, le=2**31 - 1)]


class QuestionsQuery(Request):
    n: Annotated[int, Field(ge=1, le=100, description="How many new questions.")] = 10
    client: Client = ""
    have: Annotated[
        str,
        Field(pattern=r"^(\d{1,10}(,\d{1,10})*)?$", max_length=20_000,
              description="Ids, comma-separated, that this client still holds; its others go back."),
    ] = ""  # fmt: skip

    @property
    def held(self) -> list[int]:
        return [int(item) for item in self.have.split(",") if item]


class AnswerBody(Request):
    item: ItemNumber
    label: Annotated[str | None, Field(description="A class; null skips the item for now.")]
    seconds: float | None = None
    client_id: Annotated[
        str | None, Field(min_length=1, max_length=64, description="Makes sending the answer twice harmless.")
    ] = None


class LabelsBody(Request):
    labels: Annotated[list[AnswerBody], Field(min_length=1, max_length=MOST_AS_ONE)]
    as_one: Annotated[
        bool, Field(description="One step to undo, and not counted as answers to questions asked.")
    ] = False
    client_id: Annotated[
        str | None,
        Field(min_length=1, max_length=64, description="With as_one: makes sending it all twice harmless."),
    ] = None

    @model_validator(mode="after")
    def check_size(self) -> LabelsBody:
        if not self.as_one and len(self.labels) > MOST_ANSWERS:
            raise ValueError(f"more than {MOST_ANSWERS} answers; as_one takes up to {MOST_AS_ONE}")
        if self.as_one and len({one.item for one in self.labels}) < len(self.labels):
            raise ValueError("as_one takes each item once")
        return self


class RemoveLabelsBody(Request):
    items: Annotated[list[ItemNumber], Field(min_length=1, max_length=MOST_AS_ONE)]
    client_id: Annotated[str | None, Field(min_length=1, max_length=64)] = None


class UndoBody(Request):
    of: Annotated[
        str | None,
        Field(min_length=1, max_length=64, description="An answer's client_id; by default the last action."),
    ] = None


class AnswersQuery(Request):
    n: Annotated[int, Field(ge=1, le=100)] = 20
    before: Annotated[int | None, Field(ge=1, description="Only from actions before this one.")] = None


class FlagsBody(Request):
    items: Annotated[list[ItemNumber], Field(min_length=1, max_length=MOST_AS_ONE)]
    note: Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")] = ""
    flagged: bool = True


class FlagBody(Request):
    item: ItemNumber
    note: Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")] = ""
    flagged: Annotated[bool, Field(description="false takes the flag off.")] = True


class BatchQuery(Request):
    client: Client = ""
    label: Annotated[
        str | None, Field(description="The class to review; by default the one with most proposals.")
    ] = None


class BatchPath(BaseModel):
    batch: ItemNumber


class CertificatePath(BaseModel):
    audit: ItemNumber


class CheckBody(Request):
    client: Client = ""


class RejectedBody(Request):
    item: ItemNumber
    label: Annotated[
        str | None, Field(description="Its right class; null if it is only known to be wrong.")
    ] = None


class BatchBody(Request):
    rejected: Annotated[list[RejectedBody], Field(max_length=1000)] = []
    seconds: Annotated[float | None, Field(ge=0, le=36_000)] = None


class FilterQuery(Request):
    state: Annotated[str, Field(description=f"One of {', '.join(STATES)}.")] = "all"
    label: Annotated[
        str | None, Field(description="A class: of the label, or of the proposal with state=proposed.")
    ] = None
    annotator: str | None = None
    source: Annotated[str | None, Field(description="How the label came to be: human, confirmed, …")] = None
    q: Annotated[str, Field(max_length=500, pattern=r"^[^\x00]*$", description="Part of the name.")] = ""
    disagrees: Annotated[bool, Field(description="Labelled otherwise than the model would.")] = False
    like: Annotated[ItemNumber | None, Field(description="Those most like this item first.")] = None
    sort: Annotated[str | None, Field(description=f"One of {', '.join(SORTS)}.")] = None
    descending: bool = False

    def filter(self) -> ItemFilter:
        return ItemFilter(
            self.state, self.label, self.annotator, self.source, self.q,
            self.disagrees, self.like, self.sort, self.descending,
        )  # fmt: skip


class ItemsQuery(FilterQuery):
    offset: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    limit: Annotated[int, Field(ge=1, le=500)] = 100


class ConfusionQuery(Request):
    actual: Annotated[str, Field(description="The class that the items are.")]
    predicted: Annotated[str, Field(description="The class that the model takes them for.")]


class VersionPath(BaseModel):
    version: ItemNumber


class ScoreQuery(Request):
    nearest: Annotated[
        int, Field(ge=0, le=50, description="How many of the likest labelled items to name of each image.")
    ] = 0


class ItemIdsQuery(FilterQuery):
    offset: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    limit: Annotated[int, Field(ge=1, le=MOST_AS_ONE)] = MOST_AS_ONE


class GroupsQuery(Request):
    offset: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    limit: Annotated[int, Field(ge=1, le=100)] = 50


class ExportQuery(Request):
    format: str = "csv"


class ItemPath(BaseModel):
    item: ItemNumber


class MediaPath(BaseModel):
    item: ItemNumber


class MediaQuery(Request):
    width: Annotated[
        int | None, Field(ge=16, le=2048, description="Largest side of a thumbnail, in pixels.")
    ] = None


class ThumbnailsQuery(Request):
    items: Annotated[
        str, Field(pattern=r"^\d{1,9}(,\d{1,9}){0,99}$", description="Ids, comma-separated, at most 100.")
    ]
    width: Annotated[int, Field(ge=16, le=640, description="Largest side, in pixels.")]

    @property
    def wanted(self) -> list[int]:
        return [int(item) for item in self.items.split(",")]


class ScoreBody(Request):
    type: Literal["images"]
    urls: Annotated[list[str], Field(min_length=1, max_length=64, description="http:, https: or data: URLs.")]


class ErrorBody(BaseModel):
    """The shape of every error."""

    class Error(BaseModel):
        code: str
        message: str
        details: list[dict[str, Any]]

    error: Error


class ScoreAnswer(BaseModel):
    class Neighbour(BaseModel):
        item: int
        name: str
        media: str
        label: str
        similarity: Annotated[float, Field(description="Cosine of the two embeddings, -1 to 1.")]

    labels: list[str]
    scores: list[list[float]]
    model: int
    nearest: Annotated[
        list[list[Neighbour]] | None,
        Field(description="Only where asked for; null while the items are encoded anew."),
    ] = None

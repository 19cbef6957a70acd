"""`GET /metrics`: Prometheus' text format, from a registry of each app's own.

Requests are counted by the route that served them, never by the path that was asked for, and by the methods
that there are: anybody could make up as many others as they like.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from lightbulb.records import Snapshot
from lightbulb.services.assemble import Workspace

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)  # seconds


class Metrics:
    """What an app counts. collect: gauges that are read when somebody asks."""

    def __init__(self, collect: Callable[[], Iterable[Metric]]) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "lightbulb_requests", "HTTP requests answered.", ["method", "route", "status"],
            registry=self.registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "lightbulb_request_seconds", "Time to answer them.", ["method", "route"],
            registry=self.registry, buckets=BUCKETS,
        )  # fmt: skip
        self.scored = Counter("lightbulb_scored_images", "Images scored by /score.", registry=self.registry)
        self.registry.register(_Gauges(collect))
        ProcessCollector(registry=self.registry)

    def watch(self, app: Flask) -> None:
        """Counts and times every request from now on, and answers `GET /metrics`."""
        app.before_request(self._begin)
        app.after_request(self._count)
        app.add_url_rule("/metrics", "metrics", self._answer)

    def _begin(self) -> None:
        g.started = time.perf_counter()

    def _count(self, response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule is not None else "none"
        method = request.method if request.method in METHODS else "other"
        self.requests.labels(method, route, str(response.status_code)).inc()
        if "started" in g:
            self.seconds.labels(method, route).observe(time.perf_counter() - g.started)
        return response

    def _answer(self) -> Response:
        return Response(generate_latest(self.registry), content_type=CONTENT_TYPE_LATEST)


class _Gauges:
    def __init__(self, collect: Callable[[], Iterable[Metric]]) -> None:
        self._collect = collect

    def collect(self) -> Iterable[Metric]:
        return self._collect()

    def describe(self) -> Iterable[Metric]:
        return ()  # else the registry would collect once just to learn the names


def workspace_gauges(workspace: Workspace) -> Iterable[Metric]:
    view, learner = workspace.catalog.view, workspace.learner.status()
    states = GaugeMetricFamily("lightbulb_items", "Items by state.", labels=["state"])
    counts = {
        "labelled": view.labelled,
        "unlabelled": view.askable,
        "skipped": view.skipped,
        "broken": view.broken,
    }
    for state, mask in counts.items():
        states.add_metric([state], int(mask.sum()))
    states.add_metric(["proposed"], sum(workspace.confirming.counts().values()))
    yield states
    yield GaugeMetricFamily("lightbulb_items_encoded", "Items that have an embedding.", learner.encoded)
    labels = GaugeMetricFamily("lightbulb_labels", "Labels in force by class.", labels=["class"])
    for index, name in enumerate(workspace.task.classes):
        labels.add_metric([name], int((view.labels == index).sum()))
    yield labels
    lapsed = sum(one.labels for one in workspace.upholding.lapsed())
    yield GaugeMetricFamily(
        "lightbulb_labels_lapsed", "Accepted without a look, on a certificate that does not hold now.", lapsed
    )
    yield GaugeMetricFamily("lightbulb_training_active", "1 while answers are learnt from.", learner.active)
    yield GaugeMetricFamily(
        "lightbulb_training_failing", "1 while the last step of training failed.", learner.error is not None
    )
    yield GaugeMetricFamily(
        "lightbulb_model_pinned", "1 while a person's choice serves.", workspace.serving.pinned is not None
    )
    yield from snapshot_gauges(workspace.learner.snapshot)


def snapshot_gauges(snapshot: Snapshot | None) -> Iterable[Metric]:
    """Of the model that serves; none before there is one, and no accuracy before it is measured."""
    if snapshot is None:
        return
    yield GaugeMetricFamily("lightbulb_model_version", "The model that serves.", snapshot.version)
    yield GaugeMetricFamily("lightbulb_model_labels", "Labels that it knows.", snapshot.labels)
    age = time.time() - snapshot.published_at
    yield GaugeMetricFamily("lightbulb_model_age_seconds", "Since it began to serve.", age)
    if "fit_seconds" in snapshot.metrics:
        seconds = snapshot.metrics["fit_seconds"]
        yield GaugeMetricFamily("lightbulb_training_seconds", "How long fitting it took.", seconds)
    accuracy = snapshot.accuracy
    if accuracy is not None:
        known = GaugeMetricFamily(
            "lightbulb_accuracy_ratio", "On held-out items, with its 95% interval.", labels=["bound"]
        )
        known.add_metric(["value"], accuracy.value)
        known.add_metric(["low"], accuracy.low)
        known.add_metric(["high"], accuracy.high)
        yield known
        yield GaugeMetricFamily("lightbulb_accuracy_items", "Held-out items it was measured on.", accuracy.n)

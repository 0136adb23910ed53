# SPDX-License-Identifier: Apache-2.0
"""`/metrics`: what the media nodes count, for Prometheus, each sample with the number of its node.

The nodes themselves answer on loopback only. Whoever asks here shows the token in `metrics-token`
of the data folder, which is made at the first start: figures of classes are nobody else's business.
"""

import hmac
from collections.abc import Iterator, Sequence

from flask import Blueprint, Flask, Response, current_app, request
from flask.typing import ResponseReturnValue
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families

from app.node import shared_secret
from core.config import Config

TOKEN = "metrics-token"
CHALLENGE = {"WWW-Authenticate": "Bearer", "Content-Type": "text/plain; charset=utf-8"}  # RFC 6750 section 3
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

bp = Blueprint("metrics", __name__)


def init_app(app: Flask, config: Config) -> None:
    """Offer `/metrics`, and make its token."""
    config.data_dir.mkdir(parents=True, exist_ok=True)
    app.extensions["metrics_token"] = shared_secret(config.data_dir / TOKEN)
    app.register_blueprint(bp)


@bp.get("/metrics")
def metrics() -> ResponseReturnValue:
    """Give the media nodes' metrics to who has the token."""
    expected = f"Bearer {current_app.extensions['metrics_token']}".encode()
    if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), expected):
        return Response("The token in the file metrics-token of the data folder is needed.\n", 401, CHALLENGE)
    node = current_app.extensions.get("node")
    return Response(exposition(node.media.metrics() if node else []), content_type=CONTENT_TYPE)


def exposition(texts: Sequence[bytes | None]) -> bytes:
    """Return the metrics of several nodes as one text.

    texts: each node's Prometheus text, None for a node that does not answer.
    """
    registry = CollectorRegistry()
    registry.register(_Nodes(texts))
    return generate_latest(registry)


class _Nodes:
    def __init__(self, texts: Sequence[bytes | None]) -> None:
        self._texts = texts

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("diemcau_media_up", "Whether the media node answers", labels=["node"])
        merged: dict[str, Metric] = {}
        for number, text in enumerate(self._texts):
            up.add_metric([str(number)], 0 if text is None else 1)
            for family in text_string_to_metric_families((text or b"").decode()):
                one = merged.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for sample in family.samples:
                    one.add_sample(sample.name, {**sample.labels, "node": str(number)}, sample.value)
        yield up
        yield from merged.values()

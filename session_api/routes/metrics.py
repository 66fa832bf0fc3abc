"""/metrics, for Prometheus."""

from __future__ import annotations

from flask import Blueprint, Response, current_app
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from .. import metrics

blp = Blueprint("metrics", __name__)


@blp.route("/metrics")
def figures() -> Response:
    current_app.extensions["session_api_tend"]()
    return Response(generate_latest(metrics.Figures()), content_type=CONTENT_TYPE_LATEST)

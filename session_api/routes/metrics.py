"""/metrics, for Prometheus."""

from __future__ import annotations

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from .. import metrics
from ..web.blueprint import db

blp = Blueprint("metrics", __name__)


@blp.route("/metrics")
def figures() -> Response:
    db.pool.note_figures()
    return Response(generate_latest(metrics.registry()), content_type=CONTENT_TYPE_LATEST)

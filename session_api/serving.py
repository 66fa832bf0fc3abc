"""gunicorn's settings, made from the service's own; `gunicorn -c python:session_api.serving` reads this module."""

from __future__ import annotations

import mmap
import os
import shutil
import tempfile
from typing import Any as _Any

from . import allocator as _allocator
from . import config as _config  # gunicorn takes every public name here for a setting
from . import logs as _logs
from . import metrics as _metrics
from . import refusals as _refusals
from . import tracing as _tracing
from . import uncaught as _uncaught
from .errors import ConfigError as _ConfigError

try:
    _settings = _config.load()
    _traces = _tracing.asked()
except _ConfigError as error:
    _uncaught.end_for(error)

_host = f"[{_settings.api_host}]" if ":" in _settings.api_host else _settings.api_host
bind = f"{_host}:{_settings.api_port}"
workers = _settings.api_workers
worker_class = "session_api.worker.Worker"
worker_connections = _settings.api_connections
# Longer than a client is likely to keep an idle connection: gunicorn's 2 s reset connections that are about to be used.
keepalive = 75
timeout = 60
graceful_timeout = 20
# A longer line or field is refused with a 4xx before it takes memory; a key of 10 kB still gets a proper 401.
limit_request_line = 8190
limit_request_field_size = 16380
# No proxy is trusted until one is configured; as they come, gunicorn believes headers of anyone on loopback.
forwarded_allow_ips = ""
forwarder_headers = ""
loglevel = _settings.log_level.lower()
accesslog = None  # the service writes a line a request itself
# Workers' heartbeats and the metrics of each are files; in memory where that exists, so that no disk can stall them.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108


# One of the same name per user would be shared by every gunicorn of that user.
control_socket_disable = True


# Seen by all processes: how often the workers were replaced.
_reloads = mmap.mmap(-1, 1)


class _Logger(_refusals.CarefulLogger):
    """gunicorn's own lines in the form of all others."""

    def setup(self, cfg: _Any) -> None:
        super().setup(cfg)
        _logs.configure(_settings.log_level, _settings.log_format)
        _refusals.install()
        _uncaught.install()
        if _settings.log_format == "json":
            _uncaught.install_prints()


logger_class = _Logger


def on_starting(server: _Any) -> None:
    if _settings.auth_mode == "none" and not _settings.listens_on_loopback:
        server.log.warning("AUTH_MODE is none: whoever reaches %s reads and writes everything.", bind)
    _metrics.share(tempfile.mkdtemp(prefix="session-api-metrics-", dir=worker_tmp_dir))


def on_reload(server: _Any) -> None:
    _reloads[0] = (_reloads[0] + 1) % 256


def post_fork(server: _Any, worker: _Any) -> None:
    _allocator.install()
    before = _reloads[0]
    # A worker that stops says that it is not ready; one that is replaced must not say so for those after it.
    worker.is_replaced = lambda: _reloads[0] != before


def post_worker_init(worker: _Any) -> None:
    application = worker.app.wsgi()
    if tend := application.extensions.get("session_api_tend"):  # bench's bare handlers have nothing to tend
        worker.every_second = tend
    if _traces:
        _tracing.start(application)


def child_exit(server: _Any, worker: _Any) -> None:
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)


def on_exit(server: _Any) -> None:
    shutil.rmtree(os.environ.pop("PROMETHEUS_MULTIPROC_DIR", ""), ignore_errors=True)

"""The connections to the service: set up from the environment, and shared by all that read and write there."""

import os
from typing import Any
from weakref import WeakSet

import requests
from requests.adapters import HTTPAdapter

from strands_session_client.settings import is_loopback

_CONNECTIONS = 128
_SERVICES = 16  # that are remembered; a process speaks to one or two


class Connections:
    """Sends prepared requests to one base URL, for any number of threads and across forks."""

    def __init__(self, proxies: Any, verify: Any) -> None:
        self._proxies = proxies
        self._verify = verify
        self._users: WeakSet[object] = WeakSet()
        # By process: a child of a fork must neither use nor close its parent's connections.
        self._adapters: dict[int, _Adapter] = {}

    def send(self, request: requests.PreparedRequest, timeout: tuple[float, float]) -> requests.Response:
        """The answer, its body still to be read. Raises requests' errors."""
        # To the adapter itself: requests.Session would double the cost of a call, keep cookies, follow redirects and
        # let a .netrc replace the key.
        return self._adapter().send(request, True, timeout, verify=self._verify, proxies=self._proxies)

    def use(self, user: object) -> None:
        """Keep the connections until this user and all others are gone or have left."""
        self._users.add(user)

    def leave(self, user: object) -> None:
        """Close this process's connections if nobody else uses them; a later request opens new ones."""
        self._users.discard(user)
        adapter = None if self._users else self._adapters.pop(os.getpid(), None)
        if adapter is not None:
            adapter.close()

    def _adapter(self) -> "_Adapter":
        process = os.getpid()
        adapter = self._adapters.get(process)
        if adapter is None:
            # setdefault, and no lock: a lock could be held by another thread at the moment of a fork.
            adapter = self._adapters.setdefault(process, _Adapter(pool_maxsize=_CONNECTIONS))
        return adapter


class _Adapter(HTTPAdapter):
    """Does once what it would do for every request, since all go to one base URL in one way.

    As it comes, it parses the URL five times a request to find the pool and the form of the URL again, looks for
    cookies and copies the headers: a quarter of a call's CPU time.
    """

    _pool: Any = None
    _before_target: int | None = None

    def get_connection_with_tls_context(self, request: requests.PreparedRequest, *how: Any, **more: Any) -> Any:
        if self._pool is None:
            self._pool = super().get_connection_with_tls_context(request, *how, **more)
        return self._pool

    def request_url(self, request: requests.PreparedRequest, proxies: Any) -> str:
        url = request.url or ""
        if self._before_target is None:
            # Proxies of plain http are sent the whole URL, everybody else what comes after the host.
            self._before_target = len(url) - len(super().request_url(request, proxies))
        return url[self._before_target :]

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        response = requests.Response()
        response.status_code, response.headers, response.raw = resp.status, resp.headers, resp
        return response


def shared(base_url: str) -> Connections:
    """The connections of this process to a base URL in the environment of now.

    An agent that is rebuilt for every request goes on with the connection of the one before it.
    """
    with requests.Session() as http:
        environment = http.merge_environment_settings(base_url, {}, True, True, None)
    # A proxy's localhost is not ours, and has no business with the key.
    proxies = {} if is_loopback(base_url) else environment["proxies"]
    verify = environment["verify"] or True
    way = (base_url, verify, *sorted(proxies.items()))
    if way not in _shared and len(_shared) >= _SERVICES:
        _shared.clear()  # those in use go on; they are only not found any more
    return _shared.get(way) or _shared.setdefault(way, Connections(proxies, verify))


_shared: dict[tuple[Any, ...], Connections] = {}

"""Read by gunicorn in this directory; the settings are in the package, where an installed copy finds them too."""

from session_api.serving import *  # noqa: F403

"""What gunicorn and `flask` start from."""

from session_api import create_app, uncaught
from session_api.errors import ConfigError

uncaught.install()
try:
    app = create_app()
except ConfigError as error:
    uncaught.end_for(error)

"""What gunicorn and `flask` start from."""

import sys

from session_api import create_app
from session_api.errors import ConfigError

try:
    app = create_app()
except ConfigError as error:
    print(error, file=sys.stderr)
    sys.exit(1)

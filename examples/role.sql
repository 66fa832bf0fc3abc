-- The limits of the service's statements (docs/reliability.md) for the role that a pooler connects with. Without a pooler,
-- the service sends them itself. Connections that are open already keep what they had.
ALTER ROLE session_api SET timezone = 'UTC';
ALTER ROLE session_api SET statement_timeout = '8s';
ALTER ROLE session_api SET lock_timeout = '2s';
ALTER ROLE session_api SET idle_in_transaction_session_timeout = '10s';
ALTER ROLE session_api SET client_connection_check_interval = '2s';

-- Roles, database and schemas of Holdfast. Run it with psql as a superuser, or as a role that may
-- CREATEDB and CREATEROLE, as managed servers give it; that one must be the same each time. It can
-- run again at any time, and then sets the passwords anew. Tables and their grants are the services'
-- migrations.
--
-- Passwords come from the environment, so that no process list shows them:
--   HOLDFAST_OWNER_PASSWORD, HOLDFAST_WORKER_PASSWORD, HOLDFAST_STATUS_PASSWORD,
--   HOLDFAST_DAPR_PASSWORD
--
-- | role            | may                                                                |
-- |-----------------|--------------------------------------------------------------------|
-- | holdfast_owner  | own and migrate the schemas work, ledger and status                |
-- | holdfast_worker | what the activity worker's migrations grant                        |
-- | holdfast_status | what the status API's and the worker's migrations grant            |
-- | holdfast_dapr   | own the schema dapr: the sidecars create their tables in it        |
\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages TO warning;

\getenv owner_password HOLDFAST_OWNER_PASSWORD
\getenv worker_password HOLDFAST_WORKER_PASSWORD
\getenv status_password HOLDFAST_STATUS_PASSWORD
\getenv dapr_password HOLDFAST_DAPR_PASSWORD

SELECT format('CREATE ROLE %I LOGIN', name)
FROM unnest(ARRAY['holdfast_owner', 'holdfast_worker', 'holdfast_status', 'holdfast_dapr']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec

ALTER ROLE holdfast_owner PASSWORD :'owner_password';
ALTER ROLE holdfast_worker PASSWORD :'worker_password';
ALTER ROLE holdfast_status PASSWORD :'status_password';
ALTER ROLE holdfast_dapr PASSWORD :'dapr_password';

SELECT 'CREATE DATABASE holdfast'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'holdfast')
\gexec

REVOKE ALL ON DATABASE holdfast FROM PUBLIC;
GRANT CONNECT ON DATABASE holdfast
  TO holdfast_owner, holdfast_worker, holdfast_status, holdfast_dapr;

\connect holdfast
SET client_min_messages TO warning;

-- Who is no superuser must be a member of a role to make it the owner of something; not for long.
SELECT 'GRANT holdfast_owner, holdfast_dapr TO CURRENT_USER'
WHERE NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
\gexec

REVOKE ALL ON SCHEMA public FROM PUBLIC;
CREATE SCHEMA IF NOT EXISTS work AUTHORIZATION holdfast_owner;
CREATE SCHEMA IF NOT EXISTS ledger AUTHORIZATION holdfast_owner;
CREATE SCHEMA IF NOT EXISTS status AUTHORIZATION holdfast_owner;
CREATE SCHEMA IF NOT EXISTS dapr AUTHORIZATION holdfast_dapr;

GRANT USAGE ON SCHEMA work TO holdfast_worker, holdfast_status;
GRANT USAGE ON SCHEMA ledger TO holdfast_worker, holdfast_status;
GRANT USAGE ON SCHEMA status TO holdfast_worker, holdfast_status;

SELECT 'REVOKE holdfast_owner, holdfast_dapr FROM CURRENT_USER'
WHERE NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
\gexec

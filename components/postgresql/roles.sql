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

-- Hazard 1 of docs/hazards.md: the engine counts an event of a run that it has not saved, and can
-- never load the run again, nor purge it. This puts an event in that place which does nothing but
-- make the engine look at the run. It is all that anybody but Dapr may do to Dapr's tables; it can
-- replace nothing, and the caller does not choose what is written (docs/adr/0006).
SET ROLE holdfast_dapr;
CREATE OR REPLACE FUNCTION dapr.holdfast_mend(app text, run text, length integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- HistoryEvent {eventRaised {name "holdfast-rearm"}}, as the engine writes it.
    nothing CONSTANT bytea := '\x8a01100a0e686f6c64666173742d726561726d';
    place text;
    mended integer;
BEGIN
    IF length NOT BETWEEN 1 AND 1000 THEN
        RAISE EXCEPTION 'an inbox of % events', length USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT left(key, -pg_catalog.length('metadata')) INTO place FROM dapr.state
    WHERE starts_with(key, app || '||dapr.internal.')
      AND right(key, 12 + pg_catalog.length(run)) = '||' || run || '||metadata'
      AND split_part(key, '||', 2) LIKE '%.workflow';
    INSERT INTO dapr.state (key, value, etag)
    SELECT place || 'inbox-' || lpad(number::text, 6, '0'), nothing, gen_random_uuid()
    FROM generate_series(0, length - 1) AS number
    WHERE place IS NOT NULL
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS mended = ROW_COUNT;
    RETURN mended;
END
$$;
REVOKE ALL ON FUNCTION dapr.holdfast_mend FROM PUBLIC;
GRANT USAGE ON SCHEMA dapr TO holdfast_status;
GRANT EXECUTE ON FUNCTION dapr.holdfast_mend TO holdfast_status;
RESET ROLE;

SELECT 'REVOKE holdfast_owner, holdfast_dapr FROM CURRENT_USER'
WHERE NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
\gexec

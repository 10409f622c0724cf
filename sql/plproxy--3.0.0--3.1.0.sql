-- What 3.1.0 changes in the SQL objects of 3.0.0.

-- What was decided to be committed on partitions and is not known to be finished there. The library writes it by the heap's own
-- routines; what counts of it is what the transaction wrote that is named in "gid". A schema of its own, as pg_catalog takes no
-- table, and as a grant on all tables of a schema is not meant for it. The upgrade from 2.12.0 has made the schema.
CREATE SCHEMA IF NOT EXISTS plproxy_internal;

CREATE TABLE plproxy_internal.prepared_transactions (
    gid text NOT NULL,
    cluster text NOT NULL,
    partition int4 NOT NULL,
    address text NOT NULL,
    server text NOT NULL,
    transaction xid8 NOT NULL,
    decided_at timestamptz NOT NULL)
USING heap;

REVOKE ALL ON SCHEMA plproxy_internal FROM PUBLIC;

REVOKE ALL ON TABLE plproxy_internal.prepared_transactions FROM PUBLIC;

-- What 3.0.0 has decided. Its table is in the schema of the extension or, where the upgrade from 2.12.0 has made it, in this one.
SELECT pg_catalog.set_config('search_path',
    pg_catalog.concat_ws(', ', 'plproxy_internal', pg_catalog.quote_ident(pg_catalog.current_schema()), 'pg_temp'), true);

INSERT INTO plproxy_internal.prepared_transactions (gid, cluster, partition, address, server, transaction, decided_at)
SELECT o.gid, o.cluster, o.partition,
    pg_catalog.concat('host=', o.host, ' port=', o.port, ' dbname=', o.dbname), '', '0', o.prepared_at
FROM ONLY plproxy_prepared_transactions o;

DROP TABLE plproxy_prepared_transactions;

-- They come again below, with more columns.
DROP VIEW plproxy_stat_partitions, plproxy_stat_functions;

SELECT pg_catalog.set_config('search_path', pg_catalog.concat_ws(', ', pg_catalog.quote_ident(n.nspname), 'pg_temp'), true)
FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) e.extnamespace
WHERE e.extname OPERATOR(pg_catalog.=) 'plproxy';

-- The same as with one argument, and what a server left of which this one is a copy, or that was this one's before it was moved.
CREATE FUNCTION plproxy_recover_prepared(
    cluster text, lost_server text, OUT partition int4, OUT gid text, OUT action text)
RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C;

REVOKE ALL ON FUNCTION plproxy_recover_prepared(text, text) FROM PUBLIC;

-- What it returns has one column more.
DROP FUNCTION plproxy_get_connections();

CREATE FUNCTION plproxy_get_connections(
    OUT cluster text, OUT partition int4, OUT host text, OUT port int4, OUT dbname text, OUT username text,
    OUT local_user text, OUT server_version text, OUT connected_at timestamptz, OUT last_used_at timestamptz,
    OUT calls int8, OUT prepared_statements int4, OUT tls text, OUT in_transaction boolean)
RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C;

REVOKE ALL ON FUNCTION plproxy_get_connections() FROM PUBLIC;

-- With more columns: quantiles and a histogram.
DROP FUNCTION plproxy_stat_partitions();
DROP FUNCTION plproxy_stat_functions();

CREATE FUNCTION plproxy_stat_partitions(
    OUT cluster text, OUT partition int4, OUT host text, OUT port int4, OUT dbname text,
    OUT calls int8, OUT rows int8, OUT errors int8, OUT connects int8, OUT connect_failures int8, OUT cancels int8,
    OUT total_time float8, OUT min_time float8, OUT max_time float8, OUT mean_time float8, OUT stddev_time float8,
    OUT stats_since timestamptz, OUT scope text, OUT p50 float8, OUT p95 float8, OUT p99 float8, OUT histogram int8[])
RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C;

CREATE FUNCTION plproxy_stat_functions(
    OUT function regprocedure,
    OUT calls int8, OUT rows int8, OUT errors int8, OUT connects int8, OUT connect_failures int8, OUT cancels int8,
    OUT total_time float8, OUT min_time float8, OUT max_time float8, OUT mean_time float8, OUT stddev_time float8,
    OUT stats_since timestamptz, OUT scope text, OUT p50 float8, OUT p95 float8, OUT p99 float8, OUT histogram int8[])
RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C;

REVOKE ALL ON FUNCTION plproxy_stat_partitions(), plproxy_stat_functions() FROM PUBLIC;

-- How transactions over several partitions have ended, those of all databases; what the view plproxy_stat_info adds to the function of
-- that name. Everybody may call it, as it tells no more than pg_stat_database does, so that what was granted for the view goes on to
-- be enough.
CREATE FUNCTION plproxy_stat_transactions(
    OUT one_phase_commits int8, OUT two_phase_commits int8, OUT rollbacks int8, OUT recovered int8)
RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C;

-- The same, and with all_sessions the connections that sessions share, too: those at rest at once, the others when they come back.
CREATE FUNCTION plproxy_disconnect(cluster text, all_sessions boolean) RETURNS boolean
AS 'MODULE_PATHNAME' LANGUAGE C;

CREATE FUNCTION plproxy_disconnect_all(all_sessions boolean) RETURNS boolean
AS 'MODULE_PATHNAME' LANGUAGE C;

-- The connections that the sessions of this server share, and who waits for one. Others' are for superusers and members of
-- pg_read_all_stats.
CREATE FUNCTION plproxy_shared_connections(
    OUT host text, OUT port int4, OUT dbname text, OUT username text, OUT local_user text, OUT state text,
    OUT server_pid int4, OUT pid int4, OUT since timestamptz, OUT connected_at timestamptz, OUT uses int8,
    OUT prepared_statements int4, OUT tls text)
RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C;

REVOKE ALL ON FUNCTION
    plproxy_disconnect(text, boolean), plproxy_disconnect_all(boolean), plproxy_shared_connections()
FROM PUBLIC;

-- Has new calls to a cluster, or to a partition of it, wait, and returns when those under way have ended; and has them go on.
CREATE FUNCTION plproxy_pause(
    cluster text, partition int4 DEFAULT NULL, timeout interval DEFAULT '10 s') RETURNS void
AS 'MODULE_PATHNAME' LANGUAGE C;

CREATE FUNCTION plproxy_resume(cluster text, partition int4 DEFAULT NULL) RETURNS boolean
AS 'MODULE_PATHNAME' LANGUAGE C;

-- What is paused on this server.
CREATE FUNCTION plproxy_paused(
    OUT database text, OUT cluster text, OUT partition int4, OUT pid int4, OUT since timestamptz, OUT until timestamptz,
    OUT waiting int4, OUT under_way int4)
RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C;

REVOKE ALL ON FUNCTION plproxy_pause(text, int4, interval), plproxy_resume(text, int4), plproxy_paused() FROM PUBLIC;

-- pg_catalog takes no views, either. This is the end: from here on unqualified names mean another schema.
SELECT pg_catalog.set_config('search_path', 'plproxy_internal, pg_temp', true)
WHERE pg_catalog.current_schema() OPERATOR(pg_catalog.=) 'pg_catalog';

CREATE VIEW plproxy_stat_partitions AS SELECT * FROM plproxy_stat_partitions();

CREATE VIEW plproxy_stat_functions AS SELECT * FROM plproxy_stat_functions();

-- With more columns at the end; what was granted on it stays.
CREATE OR REPLACE VIEW plproxy_stat_info AS
SELECT i.*, t.one_phase_commits, t.two_phase_commits, t.rollbacks, t.recovered
FROM plproxy_stat_info() i, plproxy_stat_transactions() t;

CREATE VIEW plproxy_shared_connections AS SELECT * FROM plproxy_shared_connections();

CREATE VIEW plproxy_paused AS SELECT * FROM plproxy_paused();

REVOKE ALL ON TABLE plproxy_stat_partitions, plproxy_stat_functions, plproxy_shared_connections, plproxy_paused FROM PUBLIC;

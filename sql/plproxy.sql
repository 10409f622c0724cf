-- plproxy 3.1.0: what CREATE EXTENSION plproxy makes.

CREATE FUNCTION plproxy_call_handler() RETURNS language_handler
AS 'MODULE_PATHNAME' LANGUAGE C;

CREATE FUNCTION plproxy_validator(oid) RETURNS void
AS 'MODULE_PATHNAME' LANGUAGE C STRICT;

CREATE LANGUAGE plproxy
HANDLER plproxy_call_handler VALIDATOR plproxy_validator;

CREATE FUNCTION plproxy_fdw_validator(text[], oid) RETURNS boolean
AS 'MODULE_PATHNAME' LANGUAGE C;

CREATE FOREIGN DATA WRAPPER plproxy VALIDATOR plproxy_fdw_validator;

-- The hash by which RUN ON picks a partition for a value: integers are their own hash, others go through SipHash-2-4.
CREATE FUNCTION plproxy_hash(anyelement) RETURNS int8
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

-- What a DBA needs to run clusters. What can change or reveal something is nobody's until it is granted; who uses a cluster moreover
-- needs USAGE on the cluster's server, and is on the partitions who his user mapping says.

-- This session's connections.
CREATE FUNCTION plproxy_get_connections(
    OUT cluster text, OUT partition int4, OUT host text, OUT port int4, OUT dbname text, OUT username text,
    OUT local_user text, OUT server_version text, OUT connected_at timestamptz, OUT last_used_at timestamptz,
    OUT calls int8, OUT prepared_statements int4, OUT tls text, OUT in_transaction boolean)
RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C;

CREATE FUNCTION plproxy_disconnect(cluster text) RETURNS boolean
AS 'MODULE_PATHNAME' LANGUAGE C;

CREATE FUNCTION plproxy_disconnect_all() RETURNS boolean
AS 'MODULE_PATHNAME' LANGUAGE C;

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

-- Whether the partitions can be reached.
CREATE FUNCTION plproxy_check_cluster(
    cluster text,
    OUT partition int4, OUT host text, OUT port int4, OUT dbname text, OUT username text, OUT ok boolean,
    OUT latency_ms float8, OUT server_version text, OUT in_recovery boolean, OUT error text)
RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C;

-- Whether the partitions have what proxy functions ask for.
CREATE FUNCTION plproxy_check_function(
    function regprocedure, OUT partition int4, OUT ok boolean, OUT problem text)
RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C;

CREATE FUNCTION plproxy_check_functions(
    cluster text, OUT function regprocedure, OUT partition int4, OUT ok boolean, OUT problem text)
RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C;

-- Where a call would go, and what it would send.
CREATE FUNCTION plproxy_route(
    function regprocedure, VARIADIC args text[] DEFAULT '{}',
    OUT partition int4, OUT host text, OUT port int4, OUT dbname text, OUT username text, OUT query text)
RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C;

-- SQL on all partitions: each in a transaction of its own, or all or none.
CREATE FUNCTION plproxy_run_on_all(
    cluster text, command text, atomic boolean DEFAULT false,
    OUT partition int4, OUT success boolean, OUT result text)
RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C;

-- What was decided to be committed on partitions and is not known to be finished there. The library writes it by the heap's own
-- routines; what counts of it is what the transaction wrote that is named in "gid". A schema of its own, as pg_catalog takes no
-- table, and as a grant on all tables of a schema is not meant for it.
CREATE SCHEMA plproxy_internal;

CREATE TABLE plproxy_internal.prepared_transactions (
    gid text NOT NULL,
    cluster text NOT NULL,
    partition int4 NOT NULL,
    address text NOT NULL,
    server text NOT NULL,
    transaction xid8 NOT NULL,
    decided_at timestamptz NOT NULL)
USING heap;

-- Finishes or rolls back what a lost session left prepared.
CREATE FUNCTION plproxy_recover_prepared(
    cluster text, OUT partition int4, OUT gid text, OUT action text)
RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C;

-- The same, and what a server left of which this one is a copy, or that was this one's before it was moved.
CREATE FUNCTION plproxy_recover_prepared(
    cluster text, lost_server text, OUT partition int4, OUT gid text, OUT action text)
RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C;

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

-- What was counted of calls: of all sessions where the library is in shared_preload_libraries, else of this session.
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

CREATE FUNCTION plproxy_stat_info(
    OUT scope text, OUT max_tracked int4, OUT partitions int4, OUT functions int4, OUT untracked_calls int8)
RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C;

-- How transactions over several partitions have ended, those of all databases; what the view plproxy_stat_info adds to the function of
-- that name. Everybody may call it, as it tells no more than pg_stat_database does, so that what was granted for the view goes on to
-- be enough.
CREATE FUNCTION plproxy_stat_transactions(
    OUT one_phase_commits int8, OUT two_phase_commits int8, OUT rollbacks int8, OUT recovered int8)
RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C;

CREATE FUNCTION plproxy_stat_reset() RETURNS void
AS 'MODULE_PATHNAME' LANGUAGE C;

REVOKE ALL ON FUNCTION
    plproxy_get_connections(), plproxy_disconnect(text), plproxy_disconnect_all(), plproxy_disconnect(text, boolean),
    plproxy_disconnect_all(boolean), plproxy_shared_connections(), plproxy_check_cluster(text),
    plproxy_check_function(regprocedure), plproxy_check_functions(text), plproxy_route(regprocedure, text[]),
    plproxy_run_on_all(text, text, boolean), plproxy_recover_prepared(text), plproxy_recover_prepared(text, text),
    plproxy_stat_partitions(), plproxy_stat_functions(), plproxy_stat_info(), plproxy_stat_reset(),
    plproxy_pause(text, int4, interval), plproxy_resume(text, int4), plproxy_paused()
FROM PUBLIC;

REVOKE ALL ON SCHEMA plproxy_internal FROM PUBLIC;

REVOKE ALL ON TABLE plproxy_internal.prepared_transactions FROM PUBLIC;

-- pg_catalog takes no views, either. This is the end: from here on unqualified names mean another schema.
SELECT pg_catalog.set_config('search_path', 'plproxy_internal, pg_temp', true)
WHERE pg_catalog.current_schema() OPERATOR(pg_catalog.=) 'pg_catalog';

CREATE VIEW plproxy_stat_partitions AS SELECT * FROM plproxy_stat_partitions();

CREATE VIEW plproxy_stat_functions AS SELECT * FROM plproxy_stat_functions();

CREATE VIEW plproxy_stat_info AS
SELECT i.*, t.one_phase_commits, t.two_phase_commits, t.rollbacks, t.recovered
FROM plproxy_stat_info() i, plproxy_stat_transactions() t;

CREATE VIEW plproxy_shared_connections AS SELECT * FROM plproxy_shared_connections();

CREATE VIEW plproxy_paused AS SELECT * FROM plproxy_paused();

REVOKE ALL ON TABLE
    plproxy_stat_partitions, plproxy_stat_functions, plproxy_stat_info, plproxy_shared_connections,
    plproxy_paused
FROM PUBLIC;

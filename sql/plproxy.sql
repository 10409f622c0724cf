-- plproxy 3.0.0: what CREATE EXTENSION plproxy makes.

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

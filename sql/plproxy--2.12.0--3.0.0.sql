-- The C handler's functions keep their names; what is new in 3.0.0 is added.
CREATE OR REPLACE FUNCTION plproxy_call_handler() RETURNS language_handler
AS 'MODULE_PATHNAME' LANGUAGE C;

CREATE OR REPLACE FUNCTION plproxy_validator(oid) RETURNS void
AS 'MODULE_PATHNAME' LANGUAGE C STRICT;

CREATE OR REPLACE FUNCTION plproxy_fdw_validator(text[], oid) RETURNS boolean
AS 'MODULE_PATHNAME' LANGUAGE C;

CREATE FUNCTION plproxy_hash(anyelement) RETURNS int8
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

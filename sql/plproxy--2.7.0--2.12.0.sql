-- From 2.7.0: the language may lack its validator, which came with 2.3.
CREATE OR REPLACE FUNCTION plproxy_validator(oid) RETURNS void
AS 'MODULE_PATHNAME' LANGUAGE C;

CREATE OR REPLACE LANGUAGE plproxy
HANDLER plproxy_call_handler VALIDATOR plproxy_validator;

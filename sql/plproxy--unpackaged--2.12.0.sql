-- What was made by hand, in the schema that CREATE EXTENSION was given, becomes the extension's.
ALTER EXTENSION plproxy ADD FUNCTION plproxy_call_handler();

ALTER EXTENSION plproxy ADD FUNCTION plproxy_validator(oid);

ALTER EXTENSION plproxy ADD LANGUAGE plproxy;

ALTER EXTENSION plproxy ADD FUNCTION plproxy_fdw_validator(text[], oid);

ALTER EXTENSION plproxy ADD FOREIGN DATA WRAPPER plproxy;

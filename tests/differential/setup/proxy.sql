-- A proxy server. :port is the partition server's. Each script of the corpus runs in a database of its own, made from
-- `template1`; those of the other encodings are made once.
create role d_alice login;
create role d_bob login;
create role d_carol login;
\ir near.sql
create database near_eucjp template template0 encoding 'EUC_JP' lc_collate 'C' lc_ctype 'C';
create database near_latin1 template template0 encoding 'LATIN1' lc_collate 'C' lc_ctype 'C';
create database near_ascii template template0 encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C';
\c near_eucjp
\ir near.sql
\c near_latin1
\ir near.sql
\c near_ascii
\ir near.sql
\c postgres
create database template_corpus;
\c template_corpus
\ir near.sql
\ir cluster.sql

-- A partition server: four databases of one kind, and one of each encoding. :port is this server's own.
create database part0 template template0;
create database part1 template template0;
create database part2 template template0;
create database part3 template template0;
create database far_utf8 template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C';
create database far_eucjp template template0 encoding 'EUC_JP' lc_collate 'C' lc_ctype 'C';
create database far_latin1 template template0 encoding 'LATIN1' lc_collate 'C' lc_ctype 'C';
create database far_ascii template template0 encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C';
create role d_alice login;
create role d_bob login;
create role d_carol login;
create role d_secret login password 'it''s a "good" \one';
-- its password is sesame, of 100,001 iterations
create role d_strong login password 'SCRAM-SHA-256$100001:AAECAwQFBgcICQoLDA0ODw==$sHRgMHp2VD2V8CLGVUfbBpNRDTR3PjCpAr0gRg5xbh8=:qbQSztNq93qmu2eq3uije4ob4A/lyhPy9+DoqjRlDSo=';
\c part0
\ir part.sql
\c part1
\ir part.sql
\c part2
\ir part.sql
\c part3
\ir part.sql
\c far_utf8
\ir far.sql
\c far_eucjp
\ir far.sql
\c far_latin1
\ir far.sql
\c far_ascii
\ir far.sql

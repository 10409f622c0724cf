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
-- The encodings whose codes 26-codes.sql sends.
create database far_euccn template template0 encoding 'EUC_CN' lc_collate 'C' lc_ctype 'C';
\c far_euccn
\ir far.sql
create database far_euckr template template0 encoding 'EUC_KR' lc_collate 'C' lc_ctype 'C';
\c far_euckr
\ir far.sql
create database far_euctw template template0 encoding 'EUC_TW' lc_collate 'C' lc_ctype 'C';
\c far_euctw
\ir far.sql
create database far_eucjis2004 template template0 encoding 'EUC_JIS_2004' lc_collate 'C' lc_ctype 'C';
\c far_eucjis2004
\ir far.sql
create database far_win1251 template template0 encoding 'WIN1251' lc_collate 'C' lc_ctype 'C';
\c far_win1251
\ir far.sql
create database far_win1252 template template0 encoding 'WIN1252' lc_collate 'C' lc_ctype 'C';
\c far_win1252
\ir far.sql
create database far_win1258 template template0 encoding 'WIN1258' lc_collate 'C' lc_ctype 'C';
\c far_win1258
\ir far.sql
create database far_win874 template template0 encoding 'WIN874' lc_collate 'C' lc_ctype 'C';
\c far_win874
\ir far.sql
create database far_iso88596 template template0 encoding 'ISO_8859_6' lc_collate 'C' lc_ctype 'C';
\c far_iso88596
\ir far.sql
create database far_muleinternal template template0 encoding 'MULE_INTERNAL' lc_collate 'C' lc_ctype 'C';
\c far_muleinternal
\ir far.sql

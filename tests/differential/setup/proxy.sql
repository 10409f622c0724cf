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
-- Those whose codes 26-codes.sql sends.
create database codes_eucjp template template0 encoding 'EUC_JP' lc_collate 'C' lc_ctype 'C';
\c codes_eucjp
\ir near.sql
\ir codes.sql
create database codes_euccn template template0 encoding 'EUC_CN' lc_collate 'C' lc_ctype 'C';
\c codes_euccn
\ir near.sql
\ir codes.sql
create database codes_euckr template template0 encoding 'EUC_KR' lc_collate 'C' lc_ctype 'C';
\c codes_euckr
\ir near.sql
\ir codes.sql
create database codes_euctw template template0 encoding 'EUC_TW' lc_collate 'C' lc_ctype 'C';
\c codes_euctw
\ir near.sql
\ir codes.sql
create database codes_eucjis2004 template template0 encoding 'EUC_JIS_2004' lc_collate 'C' lc_ctype 'C';
\c codes_eucjis2004
\ir near.sql
\ir codes.sql
create database codes_win1251 template template0 encoding 'WIN1251' lc_collate 'C' lc_ctype 'C';
\c codes_win1251
\ir near.sql
\ir codes.sql
create database codes_win1252 template template0 encoding 'WIN1252' lc_collate 'C' lc_ctype 'C';
\c codes_win1252
\ir near.sql
\ir codes.sql
create database codes_win1258 template template0 encoding 'WIN1258' lc_collate 'C' lc_ctype 'C';
\c codes_win1258
\ir near.sql
\ir codes.sql
create database codes_win874 template template0 encoding 'WIN874' lc_collate 'C' lc_ctype 'C';
\c codes_win874
\ir near.sql
\ir codes.sql
create database codes_iso88596 template template0 encoding 'ISO_8859_6' lc_collate 'C' lc_ctype 'C';
\c codes_iso88596
\ir near.sql
\ir codes.sql
create database codes_muleinternal template template0 encoding 'MULE_INTERNAL' lc_collate 'C' lc_ctype 'C';
\c codes_muleinternal
\ir near.sql
\ir codes.sql
create database codes_latin1 template template0 encoding 'LATIN1' lc_collate 'C' lc_ctype 'C';
\c codes_latin1
\ir near.sql
\ir codes.sql
create database codes_koi8r template template0 encoding 'KOI8R' lc_collate 'C' lc_ctype 'C';
\c codes_koi8r
\ir near.sql
\ir codes.sql
\c postgres
create database template_corpus;
\c template_corpus
\ir near.sql
\ir cluster.sql

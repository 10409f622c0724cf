-- All codes of an encoding there and back: equal encodings on both sides pass every byte, others convert what there is a
-- counterpart for, and SQL_ASCII stores what it gets. Answers are bytes and their md5.
\c codes_eucjp
set client_min_messages = warning;
select count(*) as codes, count(distinct prefix) as lines, min(length(code)), max(octet_length(code)) from codes;
select count(*), count(*) filter (where echo('eucjp', line) = line) as same, md5(string_agg(echo('eucjp', line), '' order by prefix)) from lines;
select count(*) filter (where server_bytes('eucjp', line) = encode(convert_to(line, getdatabaseencoding()), 'hex')) as same from lines;
select count(*) filter (where echoes('eucjp', codes) = codes) as same from lines;
select count(*) filter (where echo_name('eucjp', codes[1]) = codes[1]::name) as same from lines;
select count(*) filter (where written('eucjp', line) = line) as same from (select * from lines order by prefix limit 200) l;
select failure('eucjp', line) from (select * from lines order by prefix limit 20) l;
select encode(prefix, 'hex'), try('utf8', line) from lines order by prefix;
select encode(convert_to(code, getdatabaseencoding()), 'hex'), try('utf8', code), try('ascii', code) from codes
    where prefix in ('\x8e', '\xa2', '\xad', '\xf5') and number % 3 = 0 order by prefix, number;
\c codes_euccn
set client_min_messages = warning;
select count(*) as codes, count(distinct prefix) as lines, min(length(code)), max(octet_length(code)) from codes;
select count(*), count(*) filter (where echo('euccn', line) = line) as same, md5(string_agg(echo('euccn', line), '' order by prefix)) from lines;
select count(*) filter (where server_bytes('euccn', line) = encode(convert_to(line, getdatabaseencoding()), 'hex')) as same from lines;
select count(*) filter (where echoes('euccn', codes) = codes) as same from lines;
select count(*) filter (where echo_name('euccn', codes[1]) = codes[1]::name) as same from lines;
select count(*) filter (where written('euccn', line) = line) as same from (select * from lines order by prefix limit 200) l;
select failure('euccn', line) from (select * from lines order by prefix limit 20) l;
select encode(prefix, 'hex'), try('utf8', line) from lines order by prefix;
select encode(convert_to(code, getdatabaseencoding()), 'hex'), try('utf8', code), try('ascii', code) from codes
    where prefix in ('\x8e', '\xa2', '\xad', '\xf5') and number % 3 = 0 order by prefix, number;
\c codes_euckr
set client_min_messages = warning;
select count(*) as codes, count(distinct prefix) as lines, min(length(code)), max(octet_length(code)) from codes;
select count(*), count(*) filter (where echo('euckr', line) = line) as same, md5(string_agg(echo('euckr', line), '' order by prefix)) from lines;
select count(*) filter (where server_bytes('euckr', line) = encode(convert_to(line, getdatabaseencoding()), 'hex')) as same from lines;
select count(*) filter (where echoes('euckr', codes) = codes) as same from lines;
select count(*) filter (where echo_name('euckr', codes[1]) = codes[1]::name) as same from lines;
select count(*) filter (where written('euckr', line) = line) as same from (select * from lines order by prefix limit 200) l;
select failure('euckr', line) from (select * from lines order by prefix limit 20) l;
select encode(prefix, 'hex'), try('utf8', line) from lines order by prefix;
select encode(convert_to(code, getdatabaseencoding()), 'hex'), try('utf8', code), try('ascii', code) from codes
    where prefix in ('\x8e', '\xa2', '\xad', '\xf5') and number % 3 = 0 order by prefix, number;
\c codes_euctw
set client_min_messages = warning;
select count(*) as codes, count(distinct prefix) as lines, min(length(code)), max(octet_length(code)) from codes;
select count(*), count(*) filter (where echo('euctw', line) = line) as same, md5(string_agg(echo('euctw', line), '' order by prefix)) from lines;
select count(*) filter (where server_bytes('euctw', line) = encode(convert_to(line, getdatabaseencoding()), 'hex')) as same from lines;
select count(*) filter (where echoes('euctw', codes) = codes) as same from lines;
select count(*) filter (where echo_name('euctw', codes[1]) = codes[1]::name) as same from lines;
select count(*) filter (where written('euctw', line) = line) as same from (select * from lines order by prefix limit 200) l;
select failure('euctw', line) from (select * from lines order by prefix limit 20) l;
select encode(prefix, 'hex'), try('utf8', line) from lines order by prefix;
select encode(convert_to(code, getdatabaseencoding()), 'hex'), try('utf8', code), try('ascii', code) from codes
    where prefix in ('\x8e', '\xa2', '\xad', '\xf5') and number % 3 = 0 order by prefix, number;
\c codes_eucjis2004
set client_min_messages = warning;
select count(*) as codes, count(distinct prefix) as lines, min(length(code)), max(octet_length(code)) from codes;
select count(*), count(*) filter (where echo('eucjis2004', line) = line) as same, md5(string_agg(echo('eucjis2004', line), '' order by prefix)) from lines;
select count(*) filter (where server_bytes('eucjis2004', line) = encode(convert_to(line, getdatabaseencoding()), 'hex')) as same from lines;
select count(*) filter (where echoes('eucjis2004', codes) = codes) as same from lines;
select count(*) filter (where echo_name('eucjis2004', codes[1]) = codes[1]::name) as same from lines;
select count(*) filter (where written('eucjis2004', line) = line) as same from (select * from lines order by prefix limit 200) l;
select failure('eucjis2004', line) from (select * from lines order by prefix limit 20) l;
select encode(prefix, 'hex'), try('utf8', line) from lines order by prefix;
select encode(convert_to(code, getdatabaseencoding()), 'hex'), try('utf8', code), try('ascii', code) from codes
    where prefix in ('\x8e', '\xa2', '\xad', '\xf5') and number % 3 = 0 order by prefix, number;
\c codes_win1251
set client_min_messages = warning;
select count(*) as codes, count(distinct prefix) as lines, min(length(code)), max(octet_length(code)) from codes;
select count(*), count(*) filter (where echo('win1251', line) = line) as same, md5(string_agg(echo('win1251', line), '' order by prefix)) from lines;
select count(*) filter (where server_bytes('win1251', line) = encode(convert_to(line, getdatabaseencoding()), 'hex')) as same from lines;
select count(*) filter (where echoes('win1251', codes) = codes) as same from lines;
select count(*) filter (where echo_name('win1251', codes[1]) = codes[1]::name) as same from lines;
select count(*) filter (where written('win1251', line) = line) as same from (select * from lines order by prefix limit 200) l;
select failure('win1251', line) from (select * from lines order by prefix limit 20) l;
select number, try('utf8', code), try('ascii', code) from codes order by number;
\c codes_win1252
set client_min_messages = warning;
select count(*) as codes, count(distinct prefix) as lines, min(length(code)), max(octet_length(code)) from codes;
select count(*), count(*) filter (where echo('win1252', line) = line) as same, md5(string_agg(echo('win1252', line), '' order by prefix)) from lines;
select count(*) filter (where server_bytes('win1252', line) = encode(convert_to(line, getdatabaseencoding()), 'hex')) as same from lines;
select count(*) filter (where echoes('win1252', codes) = codes) as same from lines;
select count(*) filter (where echo_name('win1252', codes[1]) = codes[1]::name) as same from lines;
select count(*) filter (where written('win1252', line) = line) as same from (select * from lines order by prefix limit 200) l;
select failure('win1252', line) from (select * from lines order by prefix limit 20) l;
select number, try('utf8', code), try('ascii', code) from codes order by number;
\c codes_win1258
set client_min_messages = warning;
select count(*) as codes, count(distinct prefix) as lines, min(length(code)), max(octet_length(code)) from codes;
select count(*), count(*) filter (where echo('win1258', line) = line) as same, md5(string_agg(echo('win1258', line), '' order by prefix)) from lines;
select count(*) filter (where server_bytes('win1258', line) = encode(convert_to(line, getdatabaseencoding()), 'hex')) as same from lines;
select count(*) filter (where echoes('win1258', codes) = codes) as same from lines;
select count(*) filter (where echo_name('win1258', codes[1]) = codes[1]::name) as same from lines;
select count(*) filter (where written('win1258', line) = line) as same from (select * from lines order by prefix limit 200) l;
select failure('win1258', line) from (select * from lines order by prefix limit 20) l;
select number, try('utf8', code), try('ascii', code) from codes order by number;
\c codes_win874
set client_min_messages = warning;
select count(*) as codes, count(distinct prefix) as lines, min(length(code)), max(octet_length(code)) from codes;
select count(*), count(*) filter (where echo('win874', line) = line) as same, md5(string_agg(echo('win874', line), '' order by prefix)) from lines;
select count(*) filter (where server_bytes('win874', line) = encode(convert_to(line, getdatabaseencoding()), 'hex')) as same from lines;
select count(*) filter (where echoes('win874', codes) = codes) as same from lines;
select count(*) filter (where echo_name('win874', codes[1]) = codes[1]::name) as same from lines;
select count(*) filter (where written('win874', line) = line) as same from (select * from lines order by prefix limit 200) l;
select failure('win874', line) from (select * from lines order by prefix limit 20) l;
select number, try('utf8', code), try('ascii', code) from codes order by number;
\c codes_iso88596
set client_min_messages = warning;
select count(*) as codes, count(distinct prefix) as lines, min(length(code)), max(octet_length(code)) from codes;
select count(*), count(*) filter (where echo('iso88596', line) = line) as same, md5(string_agg(echo('iso88596', line), '' order by prefix)) from lines;
select count(*) filter (where server_bytes('iso88596', line) = encode(convert_to(line, getdatabaseencoding()), 'hex')) as same from lines;
select count(*) filter (where echoes('iso88596', codes) = codes) as same from lines;
select count(*) filter (where echo_name('iso88596', codes[1]) = codes[1]::name) as same from lines;
select count(*) filter (where written('iso88596', line) = line) as same from (select * from lines order by prefix limit 200) l;
select failure('iso88596', line) from (select * from lines order by prefix limit 20) l;
select number, try('utf8', code), try('ascii', code) from codes order by number;
\c codes_muleinternal
set client_min_messages = warning;
select count(*) as codes, count(distinct prefix) as lines, min(length(code)), max(octet_length(code)) from codes;
select count(*), count(*) filter (where echo('muleinternal', line) = line) as same, md5(string_agg(echo('muleinternal', line), '' order by prefix)) from lines;
select count(*) filter (where server_bytes('muleinternal', line) = encode(convert_to(line, getdatabaseencoding()), 'hex')) as same from lines;
select count(*) filter (where echoes('muleinternal', codes) = codes) as same from lines;
select count(*) filter (where echo_name('muleinternal', codes[1]) = codes[1]::name) as same from lines;
select count(*) filter (where written('muleinternal', line) = line) as same from (select * from lines order by prefix limit 200) l;
select failure('muleinternal', line) from (select * from lines order by prefix limit 20) l;
select try('latin1', 'plain'), try('ascii', line), try('eucjp', line) from (select * from lines order by prefix limit 30) l;
\c codes_latin1
set client_min_messages = warning;
select number, try('ascii', code), try('muleinternal', code) from codes order by number;
\c codes_koi8r
set client_min_messages = warning;
select number, try('win1251', code), try('ascii', code) from codes order by number;

# PL/Proxy in Rust. `make help` says what there is.
# Works as root and as an ordinary user; needs gcc, and apt for the rest: PostgreSQL, and Rust where the machine's is missing or
# too old (nothing is installed).

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help all build install demo playground examples test test-matrix test-checked differential bench soak fuzz \
	check docs deb tarball clean clean-ground

# Only what the user said: an empty PG_CONFIG means the private tree.
PG_CONFIG ?=
DESTDIR ?=
PG ?=
KEEP ?=
SCALE ?=
ONLY ?=
QUICK ?=
GROW ?=
RESULTS ?=
MINUTES ?=
SEED ?=
TIME ?=
export PG_CONFIG DESTDIR PG

help:
	@echo 'make demo                        a sharded cluster of real servers, from nothing (KEEP=1: leave it running)'
	@echo 'make playground                  a shell with a PostgreSQL of its own that has plproxy; gone with the shell'
	@echo 'make examples                    the other scenarios of examples/, one after the other (SCALE=small: quickly)'
	@echo 'make test                        all tests; ends with "N passed, N failed"'
	@echo 'make test PG=17                  the same with another PostgreSQL, which is made on first use: 17 and 18 are compiled'
	@echo "                                 from Debian's sources, 14 and 16 from those in the directory PLPROXY_PG_SOURCES,"
	@echo '                                 19 is of packages of a newer Debian'
	@echo 'make test-matrix                 all tests with each PostgreSQL that can be fetched'
	@echo 'make build   [PG_CONFIG=...]     the library, for that PostgreSQL (default: a private tree)'
	@echo 'make install PG_CONFIG=...       build and install into that PostgreSQL (DESTDIR=... honoured)'
	@echo 'make differential                the same SQL through the C handler and ours, and the swap from one to the other'
	@echo 'make bench                       both handlers side by side: a table, and bench/results.json (15 minutes)'
	@echo '                                 ONLY=W2: one workload; QUICK=1: only whether it runs; GROW=1: plots instead'
	@echo 'make check                       version numbers, formatting, lints, circles among files, licences'
	@echo 'make docs                        build/docs/index.html, the documents as a site with search; builds mdBook once'
	@echo 'make deb                         build/postgresql-15-plproxy3_*.deb, a Debian package; PG=17: for that PostgreSQL'
	@echo 'make tarball                     build/plproxy-*.tar.gz and .zip, the source as PGXN takes it'
	@echo 'make soak MINUTES=30 SEED=1      calls, and transfers in transactions, while partitions are killed, stopped and cut off'
	@echo '                                 ONLY=calls, ONLY=transfers: one of them; SHARED_CONNECTIONS=3: sessions share them'
	@echo 'make fuzz TIME=60                each fuzz target for that many seconds (ONLY=connstr: one of them)'
	@echo 'make test-checked                tests with a PostgreSQL that checks itself: assertions, freed memory overwritten'
	@echo 'make clean                       what the build made'
	@echo 'make clean-ground                the private PostgreSQL trees (in PLPROXY_GROUND)'
	@echo
	@echo 'PLPROXY_HANDLER=c make demo      the same with the C handler of Debian, for comparison'

# What clients of PGXN call.
all: build

build:
	@scripts/build.sh

install:
	@scripts/install.sh

# The private tree is these targets' own affair: a PG_CONFIG meant for another command must not lead them to a
# PostgreSQL in use.
demo:
	@PG_CONFIG= KEEP='$(KEEP)' SCALE='$(SCALE)' examples/rds-sharding/run.sh

playground:
	@PG_CONFIG= scripts/playground.sh
examples:
	@for example in move-partition add-partitions split-by-replica failover read-replicas pgbouncer transfer joins monitoring \
		inference-scale-out; do \
		PG_CONFIG= SCALE='$(SCALE)' examples/$$example/run.sh || exit; done

test:
	@PG_CONFIG= scripts/test.sh

test-matrix:
	@PG_CONFIG= scripts/matrix.sh

differential:
	@PG_CONFIG= scripts/test.sh differential swap

bench:
	@PG_CONFIG= ONLY='$(ONLY)' QUICK='$(QUICK)' GROW='$(GROW)' RESULTS='$(RESULTS)' bench/run.sh

soak:
	@PG_CONFIG= MINUTES='$(MINUTES)' SEED='$(SEED)' ONLY='$(ONLY)' scripts/soak.sh

fuzz:
	@PG_CONFIG= TIME='$(TIME)' scripts/fuzz.sh $(ONLY)

test-checked:
	@PG_CONFIG= PLPROXY_CHECKED=1 scripts/test.sh regress pool functions admin faults

check:
	@PG_CONFIG= scripts/check.sh

docs:
	@scripts/docs.sh

deb:
	@PG_CONFIG= scripts/deb.sh

tarball:
	@scripts/tarball.sh

clean:
	@rm -rf target fuzz/target build

clean-ground:
	@scripts/tree.sh remove

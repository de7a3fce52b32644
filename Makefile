# gilbench: `make help` lists what there is to do here. GNU make.

CFLAGS ?= -O2
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
JOBS ?= $(shell nproc)
MAKEFLAGS += -j$(JOBS)

warnings := -Wall -Wextra -Wpedantic -Wshadow -Wconversion
flags := -std=c11 $(warnings) -I. $(CPPFLAGS) $(CFLAGS) -pthread
libs := -ldl $(LDLIBS)
# Not optimised: that takes longer than the tests gain by it.
asan := -g -O0 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
tsan := -g -O0 -fno-omit-frame-pointer -fsanitize=thread

# prototypes.c is compiled by prototypes.t, which asks each build where its Python.h is; the fuzz
# targets are for make fuzz.
unit_sources := $(filter-out tests/prototypes.c tests/fuzz%,$(wildcard tests/*.c))
examples := $(patsubst examples/%.c,build/%,$(wildcard examples/*.c))
labs := $(patsubst examples/%.c,build/%,$(wildcard examples/labs/*.c))
unit_tests := $(patsubst tests/%.c,build/tests/%.t,$(unit_sources))
thread_tests := $(patsubst tests/%.c,build/tests/%.tsan.t,$(filter tests/thread%,$(unit_sources)))
compile_tests := $(patsubst tests/compile/%.c,build/tests/compile/%.o,$(wildcard tests/compile/*.c))
c_tests := $(unit_tests) $(thread_tests)
cli_tests := $(wildcard tests/*.t)
# Those that wait most are beside those that compute most.
slowest_first := $(patsubst %,tests/%.t,compare wsgi) build/tests/thread_client.t \
    build/tests/thread_client.tsan.t $(patsubst %,tests/%.t,labs workers asgi servers applications \
    tasks) build/tests/thread_server.t build/tests/thread_server.tsan.t

# $(call need,TOOL,PACKAGE)
need = @command -v $(1) >/dev/null || { echo "make: no $(1) here: apt-get install $(2)"; exit 1; }

# Some kernels spread a program's memory wider than gcc's thread sanitizer can follow; where that
# can be switched off, it is.
prove := $(shell setarch -R true 2>/dev/null && echo setarch -R) prove -j4

.PHONY: all run test test-programs pythons venvs peers calibrate mutants bundle labs interpreters
.PHONY: fuzz
.PHONY: install clean help
.DELETE_ON_ERROR:

all: build/gilbench ## build/gilbench (the default)

run: interpreters ## the default comparison; gets the interpreters first if none is found
	build/gilbench compare --json build/report.json --html build/report.html

test: interpreters test-programs ## every test, the C ones under sanitizers
	$(call need,prove,perl)
	@build/gilbench pythons --json build/pythons.json >/dev/null 2>&1; [ $$? -ne 1 ]
	GILBENCH=build/gilbench FOUND_PYTHONS=$(CURDIR)/build/pythons.json $(prove) $(slowest_first) \
	    $(filter-out $(slowest_first),$(cli_tests) $(c_tests))

test-programs: $(examples) $(c_tests) $(compile_tests)

pythons: ## build the two interpreters into the per-user cache (PGO=1: an optimised pair)
	@.make/pythons

venvs: interpreters ## a virtual environment for each build, with what apps/*.txt pin
	@.make/venvs

peers: venvs ## this server beside Granian, gunicorn, uvicorn, ...: a table of ratios
	@.make/peers

calibrate: interpreters ## how often a verdict is wrong, and how often a known 5 % is seen (hours)
	@.make/calibrate

bundle: interpreters ## one archive that runs elsewhere without network, compiler or root
	$(call need,prove,perl)
	@.make/bundle
	GILBENCH=build/gilbench $(prove) tests/bundle.t

labs: interpreters $(labs) ## build and run the labs of the workshop (examples/labs/README.md)
	@for lab in $(labs); do head -1 examples/labs/$${lab##*/}.c; $$lab; echo; done

mutants: interpreters ## which of tests/mutants' deliberate faults the tests notice (many minutes)
	@.make/mutants

# Exit status 3 is gilbench's word for "no usable interpreter". Any other failure is for the
# command that comes next to show.
interpreters: build/gilbench
	@build/gilbench pythons >/dev/null 2>&1; [ $$? -ne 3 ] || .make/pythons

# What they found interesting stays in build/corpus*, and is where the next run begins.
fuzz: build/fuzz_http build/fuzz_json ## random input to the parsers for FUZZ_SECONDS (60); needs clang
	mkdir -p build/corpus build/corpus_json
	build/fuzz_http -max_total_time=$(FUZZ_SECONDS) -max_len=1024 -artifact_prefix=build/ \
	    build/corpus
	build/fuzz_json -max_total_time=$(FUZZ_SECONDS) -max_len=16384 -artifact_prefix=build/ \
	    build/corpus_json

build/fuzz_%: tests/fuzz_%.c gilbench.h $(wildcard tests/*.h) | build
	$(call need,clang,clang libclang-rt-dev)
	clang $(flags) $(asan) -fsanitize=fuzzer $< -o $@ $(libs)

install: build/gilbench ## into PREFIX (/usr/local); DESTDIR is put in front of it
	install -D -m 755 build/gilbench $(DESTDIR)$(PREFIX)/bin/gilbench
	install -D -m 644 gilbench.h $(DESTDIR)$(PREFIX)/include/gilbench.h
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/gilbench README.md LICENSE

clean: ## remove build/ (the interpreters stay in their cache)
	rm -rf build

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build build/labs build/tests build/tests/compile:
	mkdir -p $@

# Nobody unwinds a program without symbols: the tables for it are a tenth of its size.
build/%: examples/%.c gilbench.h | build
	$(CC) $(flags) -fno-asynchronous-unwind-tables -s $(LDFLAGS) $< -o $@ $(libs)

build/labs/%: examples/labs/%.c gilbench.h | build/labs
	$(CC) -O2 -I. $< -o $@ -pthread $(libs)

build/tests/%.tsan.t: tests/%.c gilbench.h $(wildcard tests/*.h) | build/tests
	$(CC) $(flags) $(tsan) $(LDFLAGS) $< -o $@ $(libs)

build/tests/%.t: tests/%.c gilbench.h $(wildcard tests/*.h) | build/tests
	$(CC) $(flags) $(asan) $(LDFLAGS) $< -o $@ $(libs)

build/tests/compile/%.o: tests/compile/%.c gilbench.h | build/tests/compile
	$(CC) $(flags) -Werror -c $< -o $@

# ---- make check: the stricter look, which needs more tools than a compiler -------------------

sources := $(wildcard examples/*.c tests/compile/*.c)
headers_cxx := $(wildcard tests/compile/*.cpp)
strict := $(foreach cc,gcc clang,$(foreach std,c11 gnu11,strict-$(cc)-$(std)))

# Off: what dislikes the language and its idioms (memcpy without Annex K, feature macros, X-macros,
# `if (strcmp(a, b))`, a chain of else-ifs that ends in the same call twice, _exit(!ok)), what gcc's
# -Wconversion already says, and readdir, which is safe where each thread has its own directory.
tidy_checks := -* clang-analyzer-* bugprone-* misc-redundant-expression \
    -clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling \
    -bugprone-reserved-identifier -bugprone-easily-swappable-parameters \
    -bugprone-macro-parentheses -bugprone-suspicious-string-compare -bugprone-branch-clone \
    -bugprone-narrowing-conversions -bugprone-implicit-widening-of-multiplication-result
cppcheck_off := --suppress=readdirCalled --suppress=invalidFunctionArgBool
comma := ,
tidy := --quiet --warnings-as-errors='*' --header-filter='gilbench\.h' \
    --checks='$(subst $() ,$(comma),$(strip $(tidy_checks)))'

.PHONY: check $(strict) check-cxx check-tidy check-cppcheck

check: $(strict) check-cxx check-tidy check-cppcheck ## warnings and analysers (make test has sanitizers)
	@echo "check: clean"

$(strict): strict-%: $(sources) gilbench.h
	$(call need,$(firstword $(subst -, ,$*)),$(firstword $(subst -, ,$*)))
	@for source in $(sources); do \
	    set -- $(subst -, -std=,$*) $(warnings) -Werror -I. -O2 -pthread -c $$source -o /dev/null; \
	    echo "$$@"; "$$@" || exit 1; \
	done

check-cxx: gilbench.h $(headers_cxx)
	$(call need,$(CXX),g++)
	echo '#include "gilbench.h"' | $(CXX) -std=c++17 $(warnings) -Werror -I. -fsyntax-only -x c++ -
	$(if $(headers_cxx),$(CXX) -std=c++17 $(warnings) -Werror -I. -fsyntax-only $(headers_cxx))

# Its stderr counts the warnings it suppressed in system headers; that is of use only on a failure.
check-tidy: $(sources) gilbench.h | build
	$(call need,clang-tidy,clang-tidy)
	clang-tidy $(tidy) examples/gilbench.c -- -std=c11 -I. 2>build/tidy.log || \
	    { cat build/tidy.log; exit 1; }

# cppcheck reads no system headers, so it has to be told what <features.h> would say.
check-cppcheck: $(sources) gilbench.h
	$(call need,cppcheck,cppcheck)
	cppcheck --quiet --std=c11 --enable=warning,performance,portability $(cppcheck_off) \
	    --inline-suppr --error-exitcode=1 --max-configs=1 -D__linux__ -D__USE_GNU -I. \
	    examples/gilbench.c

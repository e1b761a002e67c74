# chainmail: see README.md.  Targets: all check fuzz demo bench install clean lint.
# Variables: PREFIX, DESTDIR, B (where objects go), SANITIZE=1, WERROR=-Werror.

PREFIX = /usr/local/chainmail
B = $(if $(SANITIZE),build-san,build)

CC = cc
WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wvla
HARDEN = -fstack-protector-strong -D_FORTIFY_SOURCE=2
CFLAGS = -O2 -g $(if $(SANITIZE),-fsanitize=address$(comma)undefined -fno-sanitize-recover=all \
  -fno-omit-frame-pointer,$(HARDEN))
LDFLAGS = $(if $(SANITIZE),-fsanitize=address$(comma)undefined)
# Most programs are linked statically: an idle one costs half the memory and exec is cheaper; the more so with
# constants and code in one segment, which is not writable.
STATIC = $(if $(SANITIZE),,-static -Wl$(comma)-z$(comma)noseparate-code)
comma = ,

ALL_CPPFLAGS = -D_POSIX_C_SOURCE=200809L -D_XOPEN_SOURCE=700 -D_DEFAULT_SOURCE \
  -DPREFIX='"$(PREFIX)"' -Isrc $(FOUND_CPPFLAGS) $(CPPFLAGS)
ALL_CFLAGS = -std=c11 $(WARN) $(WERROR) $(CFLAGS)

# Libraries: one directory each under src/, in the order a linker wants them.
LIBS = store maildir message imap auth x509 base
# Modules whose library is not here are left out, and `make` says so.
OPTIONAL = pam ldap pgsql mysql sqlite
HEADER_pam = security/pam_appl.h
HEADER_ldap = ldap.h
HEADER_pgsql = libpq-fe.h
HEADER_mysql = mysql.h
HEADER_sqlite = sqlite3.h
LDLIBS_pam = -lpam
LDLIBS_ldap = -lldap -llber
LDLIBS_pgsql = -lpq
LDLIBS_mysql = -lmariadb
LDLIBS_sqlite = -lsqlite3
SYSTEM_INCLUDES = $(patsubst %,-isystem %,$(wildcard /usr/include/postgresql /usr/include/mariadb))
hash := \#
probe = $(shell echo '$(hash)include <$(HEADER_$(1))>' | $(CC) $(SYSTEM_INCLUDES) $(CPPFLAGS) -E - >/dev/null 2>&1 && echo $(1))
FOUND := $(foreach m,$(OPTIONAL),$(call probe,$(m)))
LEFT_OUT := $(filter-out $(FOUND),$(OPTIONAL))
capital = $(shell echo $(1) | tr a-z A-Z)
FOUND_CPPFLAGS := $(SYSTEM_INCLUDES) $(foreach m,$(FOUND),-DWITH_$(call capital,$(m)))
# Most of what a small program costs is the start of its C library: glibc's asks the processor some 40 questions,
# which in a virtual machine cost microseconds each, musl's none (doc/performance.md).  So the programs of each
# login are linked with musl; where that cannot be done, with glibc.
archive_of = $(foreach l,$(1),$(shell $(CC) -print-file-name=lib$(l).a))
MUSL_CC := musl-gcc -idirafter src/musl -idirafter /usr/include -idirafter /usr/include/$(shell $(CC) -print-multiarch)
MUSL_LDLIBS := $(call archive_of,cdb utf8proc crypt bearssl skarnet)
MUSL := $(if $(SANITIZE),,$(shell $(MUSL_CC) $(CPPFLAGS) $(STATIC) -o /dev/null src/musl/probe.c src/musl/glibc.c \
  $(MUSL_LDLIBS) 2>/dev/null && echo musl/))
MUSL_MODULES = authuserdb authcram authscram
MUSL_PROGRAMS = imapd tlsd imaplogin $(MUSL_MODULES)
AUTH_PROGRAMS = authuserdb authpwd authshadow authcram authscram authexternal authoauth authcheckpassword authclient $(FOUND:%=auth%)
STORE_TOOLS = maildirimport maildirexport maildircheck
TOOLS = conf2env maildirmake makeuserdb userdbpw reportuser charsetd tlscheck $(STORE_TOOLS)
PROGRAMS = tlsd imaplogin imapd authd $(AUTH_PROGRAMS) $(TOOLS)

lib_sources = $(filter-out src/auth/auth%.c $(LEFT_OUT:%=src/auth/source_%.c) \
  $(if $(filter ldap,$(LEFT_OUT)),src/auth/ldap_%.c),$(wildcard src/$(1)/*.c))
objects = $(patsubst %.c,$(B)/%.o,$(1))
archives = $(patsubst %,$(B)/lib%.a,$(1))

all: $(PROGRAMS:%=$(B)/bin/%)
	@$(if $(LEFT_OUT),echo 'left out for want of their libraries: $(LEFT_OUT:%=auth%)',:)

# What each program is made of: its own objects, then our libraries, then everybody else's.
$(B)/bin/tlsd: $(patsubst %.c,$(B)/$(MUSL)%.o,$(wildcard src/tls/*.c)) $(patsubst %,$(B)/$(MUSL)lib%.a,x509 base)
$(B)/bin/tlsd: LDLIBS = -lbearssl -lskarnet
$(B)/bin/imaplogin: $(patsubst %.c,$(B)/$(MUSL)%.o,$(wildcard src/login/*.c)) $(patsubst %,$(B)/$(MUSL)lib%.a,imap base)
$(B)/bin/imapd: $(patsubst %.c,$(B)/$(MUSL)%.o,$(wildcard src/imapd/*.c)) \
  $(patsubst %,$(B)/$(MUSL)lib%.a,store maildir message imap base)
$(B)/bin/imapd: LDLIBS = -lutf8proc -lskarnet
AUTH_LDLIBS = -lcrypt -lbearssl -lskarnet
$(B)/bin/authcheckpassword: LDLIBS = $(AUTH_LDLIBS)
$(MUSL_MODULES:%=$(B)/bin/%): LDLIBS = -lcdb -lutf8proc $(AUTH_LDLIBS)
# The system's account databases (NSS) are shared objects, and so are databases' libraries.
SHARED_MODULES = pwd shadow external oauth client $(FOUND)
LDLIBS_external = -lcdb
LDLIBS_oauth = -lcdb -ljansson
$(SHARED_MODULES:%=$(B)/bin/auth%): STATIC =
$(SHARED_MODULES:%=$(B)/bin/auth%): LDLIBS = $(LDLIBS_$(@F:auth%=%)) $(AUTH_LDLIBS)
$(patsubst %,$(B)/bin/%,$(filter-out $(MUSL_MODULES),$(AUTH_PROGRAMS))): $(B)/bin/%: $(B)/src/auth/%.o $(call archives,auth base)
$(MUSL_MODULES:%=$(B)/bin/%): $(B)/bin/%: $(B)/$(MUSL)src/auth/%.o $(patsubst %,$(B)/$(MUSL)lib%.a,auth base)
ifdef MUSL
# In the place of the archive's: the compiler must not make calls of these functions out of them, nor look for
# the canary, which is not there yet when the C library calls the first of them at its start.
$(B)/musl/src/musl/%.o: ALL_CFLAGS += -fno-builtin -fno-tree-loop-distribute-patterns
$(B)/musl/src/musl/memory.o: ALL_CFLAGS += -fno-stack-protector
$(MUSL_PROGRAMS:%=$(B)/bin/%): $(patsubst %,$(B)/musl/src/musl/%.o,memory qsort)
# The others have little to allocate, and musl's malloc, which trusts nobody.
$(B)/bin/imapd: $(B)/musl/src/musl/malloc.o
$(filter-out %/imaplogin,$(MUSL_PROGRAMS:%=$(B)/bin/%)): $(B)/musl/src/musl/glibc.o
$(MUSL_PROGRAMS:%=$(B)/bin/%): CC = $(MUSL_CC)
# What musl itself writes to comes before all of ours, by -lc first with the names of what has it, so that one page
# has that and the initialised variables.  Read-only relocations would take another page, and there are next to none: by
# -fno-pie tables of addresses are constants like others (musl never makes them read-only in a static program).
$(MUSL_PROGRAMS:%=$(B)/bin/%): STATIC += -Wl,-z,norelro,-u,__stack_chk_fail,-u,setuid,-u,signal
$(MUSL_PROGRAMS:%=$(B)/bin/%): FIRST = -lc
$(MUSL_PROGRAMS:%=$(B)/bin/%): LDLIBS = $(MUSL_LDLIBS)
endif
# authd has every source in it that this build knows.
$(B)/bin/authd: $(call objects,$(wildcard src/authd/*.c)) $(call archives,auth base)
$(B)/bin/authd: STATIC =
$(B)/bin/authd: LDLIBS = -lcdb $(foreach m,$(FOUND),$(LDLIBS_$(m))) $(AUTH_LDLIBS)
# charsetd is there to load what iconv(3) needs: shared objects.
$(B)/bin/charsetd: STATIC =
$(B)/bin/conf2env: $(B)/src/tools/configuration.o
$(B)/bin/makeuserdb: LDLIBS = -lcrypt -lcdb -lbearssl -lskarnet
$(B)/bin/userdbpw: LDLIBS = -lcrypt -lcdb -lutf8proc -lbearssl -lskarnet
$(B)/bin/tlscheck: $(call archives,x509)
$(B)/bin/tlscheck: LDLIBS = -lbearssl -lskarnet
$(STORE_TOOLS:%=$(B)/bin/%): $(call archives,store maildir message imap)
$(STORE_TOOLS:%=$(B)/bin/%): LDLIBS = -lutf8proc -lskarnet
$(TOOLS:%=$(B)/bin/%): $(B)/bin/%: $(B)/src/tools/%.o $(call archives,$(filter maildir auth base,$(LIBS)))

# What of src/musl takes the place of musl's own must come before FIRST.
LDLIBS = -lskarnet
$(PROGRAMS:%=$(B)/bin/%):
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $(STATIC) -o $@ $(filter $(B)/musl/src/musl/%.o,$^) $(FIRST) \
	  $(filter-out $(B)/musl/src/musl/%.o,$(filter %.o,$^)) $(filter %.a,$^) $(LDLIBS)

# lib$(1).a, of objects below $(B)/$(2)
define archive
$(B)/$(2)lib$(1).a: $(patsubst %.c,$(B)/$(2)%.o,$(call lib_sources,$(1)))
	@rm -f $$@
	$(AR) rcs $$@ $$^
endef
$(foreach l,$(LIBS),$(eval $(call archive,$(l))))
$(if $(MUSL),$(foreach l,$(LIBS),$(eval $(call archive,$(l),$(MUSL)))))

# PREFIX is compiled in, and which libraries there are, musl too: other ones make everything anew.
$(B)/prefix: FORCE
	@mkdir -p $(@D)
	@echo '$(PREFIX) $(FOUND) $(MUSL)' | cmp -s - $@ || echo '$(PREFIX) $(FOUND) $(MUSL)' >$@
FORCE:

$(B)/%.o: %.c Makefile $(B)/prefix
	@mkdir -p $(@D)
	$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
$(B)/musl/%.o: %.c Makefile $(B)/prefix
	@mkdir -p $(@D)
	$(MUSL_CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -fno-pie -MMD -MP -c -o $@ $<
-include $(shell find $(B) -name '*.d' 2>/dev/null)

# Tests: tests/*/*.c are C programs that print TAP, tests/*/*.t are scripts that do; prove runs both.
UNIT = $(patsubst tests/%.c,$(B)/tests/%.t,$(filter-out tests/fuzz/% tests/bench/%,$(wildcard tests/*/*.c)))
SCRIPTS = $(wildcard tests/*/*.t)
# TESTS=tests/login/x.t runs just that one.
TESTS = $(UNIT) $(SCRIPTS)
JOBS = $(shell nproc 2>/dev/null || echo 1)
$(B)/tests/%.t: $(B)/tests/%.o $(call archives,$(LIBS))
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $< $(filter %.a,$^) -lcrypt -lcdb -lutf8proc -ljansson -lbearssl -lskarnet

check:
	scripts/deps check
	$(MAKE) -j$(JOBS) WERROR=-Werror lint unit-tests fuzz-replay fuzz-targets all
	CHAINMAIL_BIN=$(CURDIR)/$(B)/bin SANITIZE=$(SANITIZE) tests/run $(TESTS)

unit-tests: $(UNIT)

# Fuzzing: each tests/fuzz/NAME.c is a target.  Below $(B) they are programs that try the inputs they
# are given (replay.c); below build-fuzz, made by clang, libFuzzer's, which look for inputs.
FUZZ = $(filter-out replay,$(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c)))
FUZZ_DRIVER = $(B)/tests/fuzz/replay.o
# What of the programs is no library: their main() stays away, and so do their cages.
FUZZED = $(filter-out src/imapd/imapd.c src/imapd/confine.c,$(wildcard src/imapd/*.c)) \
  $(filter-out src/tls/tlsd.c src/tls/confine.c,$(wildcard src/tls/*.c))
$(B)/libfuzzed.a: $(call objects,$(FUZZED))
	@rm -f $@
	$(AR) rcs $@ $^
$(FUZZ:%=$(B)/fuzz/%): $(B)/fuzz/%: $(B)/tests/fuzz/%.o $(FUZZ_DRIVER) $(B)/libfuzzed.a $(call archives,$(LIBS))
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) -lcrypt -lcdb -lutf8proc -lbearssl -lskarnet
fuzz-replay: $(FUZZ:%=$(B)/fuzz/%)

# Null plus zero, which clang alone minds, is right in the next C.
FUZZ_SANITIZE = address,undefined -fno-sanitize=pointer-overflow -fno-sanitize-recover=all
# Nothing is made where there is no libFuzzer.
fuzz-targets:
	@! tests/fuzz/run -c || $(MAKE) B=build-fuzz CC=clang FUZZ_DRIVER= \
	  CFLAGS='-O1 -gline-tables-only -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,$(FUZZ_SANITIZE)' \
	  LDFLAGS='-fsanitize=fuzzer,$(FUZZ_SANITIZE)' fuzz-replay

# T=600 seconds for each, JOBS=2 of them at once, ONLY='mime words'.
fuzz: fuzz-targets
	tests/fuzz/run -t $(or $(T),60) -j $(JOBS) $(or $(ONLY),$(FUZZ))

SOURCES = $(wildcard src/*/*.[ch] tests/*.h tests/*/*.[ch])
SHELL_SOURCES = $(shell grep -lE '^\#!/bin/sh' .ci/run tests/run tests/fuzz/run $(wildcard scripts/* service/*/run service/*/log/run tests/*/*.t))
lint:
	clang-format --dry-run -Werror $(SOURCES)
	clang-tidy --quiet $(wildcard src/*/*.c) -- -std=c11 $(ALL_CPPFLAGS) 2>/dev/null
	shellcheck -s sh -S warning $(SHELL_SOURCES)

demo:
	scripts/demo

$(B)/bench-client: $(B)/tests/bench/client.o
	$(CC) $(LDFLAGS) -o $@ $< -lssl -lcrypto

# The same commands to this server and to Dovecot, side by side: N=100000 messages, RUNS=3, ONLY=regex.
bench:
	scripts/deps bench
	$(MAKE) all $(B)/bench-client
	CHAINMAIL_BIN=$(CURDIR)/$(B)/bin CLIENT=$(CURDIR)/$(B)/bench-client N="$(or $(N),100000)" RUNS="$(or $(RUNS),3)" ONLY="$(or $(ONLY),.)" tests/bench/bench

# The pages of scripts/ stay with them.
PAGES = $(filter-out doc/demo.8 doc/deps.8 doc/samplemail.1,$(wildcard doc/*.[1578]))
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/conf $(DESTDIR)$(PREFIX)/service \
	  $(foreach s,1 5 7 8,$(DESTDIR)$(PREFIX)/share/man/man$(s))
	install -m 755 $(PROGRAMS:%=$(B)/bin/%) scripts/mkimapdcert $(DESTDIR)$(PREFIX)/bin
	@$(foreach p,$(PAGES),sed 's|/usr/local/chainmail|$(PREFIX)|g' $(p) | install -m 644 /dev/stdin \
	  $(DESTDIR)$(PREFIX)/share/man/man$(subst .,,$(suffix $(p)))/$(notdir $(p)) &&) :
	scripts/install-conf "$(DESTDIR)" "$(PREFIX)"

clean:
	rm -rf build build-san build-fuzz

.PHONY: all check unit-tests fuzz-replay fuzz-targets fuzz lint demo bench install clean FORCE
.DELETE_ON_ERROR:
.SECONDARY:

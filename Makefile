# SPDX-License-Identifier: GPL-2.0-or-later
# Builds, tests and installs dmclogd. One file, not recursive but for asan and
# cov, which are this file once more with another BUILD. A new .c file in a
# room is found by wildcard and needs no edit here. `make help` lists targets.

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
SHELL := /bin/sh

BUILD ?= build
OBJ := $(BUILD)/obj
FUZZ_SECONDS ?= 60
FUZZ_CC ?= clang
CLANG_FORMAT ?= clang-format
SUITES ?=
SIM_ARGS ?=
SIM_SECONDS ?= 60
SIM_NODES ?= 1
# Where pkg-config's pkg.m4 lies.
ACLOCAL_DIR ?= /usr/share/aclocal

# --- what is needed ---------------------------------------------------------
# Debian packages, checked once for each version of the list; DEPS=no leaves
# that out (a packager's build). The stamps outlive BUILD=build-asan.
NO_CONFIG_GOALS := clean distclean help dist deb format check-format
GOALS := $(or $(MAKECMDGOALS),all)
NEED_CONFIG := $(filter-out $(NO_CONFIG_GOALS),$(GOALS))

ifneq ($(DEPS),no)
DEPS_SUM := $(firstword $(shell cksum <tests/install-deps))
BUILD_DEPS := build/.deps-build-$(DEPS_SUM)
TEST_DEPS := build/.deps-test-$(DEPS_SUM)
COV_DEPS := build/.deps-cov-$(DEPS_SUM)
DEB_DEPS := build/.deps-deb-$(DEPS_SUM)
endif

build/.deps-%: tests/install-deps
	@mkdir -p $(@D)
	@tests/install-deps $(firstword $(subst -, ,$*))
	@touch $@

ifneq ($(NEED_CONFIG),)
include config.mk
endif

configure: configure.ac | $(BUILD_DEPS)
	autoconf -I $(ACLOCAL_DIR)
config.mk: configure config.mk.in config.h.in | $(BUILD_DEPS)
	./configure -q $(CONFIGURE_ARGS)
	@touch config.h $@
config.h: config.mk ;

# --- flags ------------------------------------------------------------------
WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
ifeq ($(WERROR),1)
WARN += -Werror
endif
ifneq ($(SAN),)
HARDEN := -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer
LDHARDEN := -fsanitize=$(SAN)
OPT := -O1 -g
else ifneq ($(COV),)
HARDEN := --coverage
LDHARDEN := --coverage
OPT := -O0 -g
else
HARDEN := -D_FORTIFY_SOURCE=2 -fstack-protector-strong
LDHARDEN := -Wl,-z,relro,-z,now
OPT := -O2 -g
endif
CFLAGS ?= $(OPT)
ALL_CFLAGS = -std=gnu11 $(WARN) $(CFLAGS) $(HARDEN) -fPIE -Iinclude -I. \
	     $(NL_CFLAGS) $(DM_CFLAGS) $(SYSTEMD_CFLAGS) $(COROSYNC_CFLAGS) $(JSON_CFLAGS) \
	     $(SMARTCOLS_CFLAGS) $(CPPFLAGS)
ALL_LDFLAGS = -pie $(LDHARDEN) -Wl,--as-needed $(LDFLAGS)
LIBS = $(NL_LIBS) $(DM_LIBS) $(SYSTEMD_LIBS) $(COROSYNC_LIBS) $(JSON_LIBS) $(AIO_LIBS) -pthread
# Found at configure, or, where check came with the test packages, now.
CHECK_CFLAGS = $(or $(CONF_CHECK_CFLAGS),$(shell pkg-config --cflags check))
CHECK_LIBS = $(or $(CONF_CHECK_LIBS),$(shell pkg-config --libs check))

# --- rooms ------------------------------------------------------------------
PURE_SRC := $(wildcard daemon/core/*.c kernel-interface/request_codec.c \
	      kernel-interface/constructor.c cluster/message_codec.c cluster/words_codec.c \
	      cluster/group_views.c)
SHELL_SRC := $(filter-out $(PURE_SRC),$(wildcard daemon/*.c kernel-interface/*.c cluster/*.c))
TOOL_SRC := $(wildcard tools/*.c)
CHECK_SRC := $(wildcard tests/check_*.c)
TESTLIB_SRC := $(filter-out $(CHECK_SRC),$(wildcard tests/*.c))
SIM_SRC := $(wildcard tests/sim/*.c)
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
BENCH_SRC := $(wildcard tests/bench/*.c)
# Short lines, or whole commands with V=1.
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-6s %s\n' $(1) $@)
obj = $(patsubst %.c,$(OBJ)/%.o,$(1))

CORE_LIB := $(BUILD)/libdmclogcore.a
# Everything of the shell but main(), for tests that want more than one object; and of the tool.
SHELL_LIB := $(BUILD)/libdmclogshell.a
TOOL_LIB := $(BUILD)/libdmclogtool.a
TEST_LIB := $(BUILD)/libdmclogtest.a
DAEMON := $(if $(wildcard daemon/main.c),$(BUILD)/dmclogd)
TOOL := $(if $(TOOL_SRC),$(BUILD)/dmclog)
SIM := $(if $(shell grep -ls '^int main' /dev/null $(SIM_SRC)),$(BUILD)/dmclog-sim)
CHECKS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(CHECK_SRC))
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(FUZZ_SRC))
BENCHES := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(BENCH_SRC))
UML_INIT := $(if $(wildcard tests/uml/init.c),$(BUILD)/uml/init $(BUILD)/uml/wide_xstate.so)
UML_TOOLS := $(patsubst tests/uml/%.c,$(BUILD)/uml/%, \
	       $(filter-out tests/uml/init.c tests/uml/wide_xstate.c tests/uml/planted.c,$(wildcard tests/uml/*.c)))
# dmclogd with one of the simulator's planted bugs, as $DMCLOGD_PLANT says.
PLANTED_DAEMON := $(BUILD)/planted/dmclogd

.PHONY: all check unit demo demo-single chaos bench bench-cluster sim sim-build harness fuzz asan cov cov-sim install uninstall dist deb \
	clean distclean format check-format help
.SECONDARY:

all: $(DAEMON) $(TOOL) $(CORE_LIB)

$(OBJ)/%.o: %.c config.mk | $(BUILD_DEPS)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(ALL_CFLAGS) $(EXTRA_CFLAGS) -MMD -MP -c -o $@ $<
# The simulator has a core of its own, with the bugs that it must find.
$(OBJ)/planted/%.o: %.c config.mk | $(BUILD_DEPS)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(ALL_CFLAGS) $(if $(COV),,-DDMCLOGD_PLANT) -MMD -MP -c -o $@ $<

$(OBJ)/tests/%.o: private EXTRA_CFLAGS = -Itests
$(OBJ)/tests/sim/%.o $(OBJ)/tests/uml/planted.o: private EXTRA_CFLAGS = -DDMCLOGD_PLANT
$(OBJ)/tests/check_%.o: private EXTRA_CFLAGS = -Itests $(CHECK_CFLAGS)
$(call obj,$(CHECK_SRC) $(TESTLIB_SRC)): | $(TEST_DEPS)

# The archives hold exactly today's files: a stale member of a file that went
# away would still link. The list is written to a file when it changes.
$(CORE_LIB): private MEMBERS = $(call obj,$(PURE_SRC))
$(CORE_LIB): $(call obj,$(PURE_SRC))
$(SHELL_LIB): private MEMBERS = $(call obj,$(filter-out daemon/main.c,$(SHELL_SRC)))
$(SHELL_LIB): $(call obj,$(filter-out daemon/main.c,$(SHELL_SRC)))
$(TOOL_LIB): private MEMBERS = $(call obj,$(filter-out tools/dmclog.c,$(TOOL_SRC)))
$(TOOL_LIB): $(call obj,$(filter-out tools/dmclog.c,$(TOOL_SRC)))
$(TEST_LIB): private MEMBERS = $(call obj,$(TESTLIB_SRC))
$(TEST_LIB): $(call obj,$(TESTLIB_SRC))
$(CORE_LIB) $(SHELL_LIB) $(TOOL_LIB) $(TEST_LIB): $(BUILD)/%.a: $(BUILD)/%.members
	$(call say,AR)
	@rm -f $@
	$(Q)$(AR) rcs $@ $(MEMBERS)
$(BUILD)/libdmclogcore.members: private LIST = $(PURE_SRC)
$(BUILD)/libdmclogshell.members: private LIST = $(SHELL_SRC)
$(BUILD)/libdmclogtool.members: private LIST = $(TOOL_SRC)
$(BUILD)/libdmclogtest.members: private LIST = $(TESTLIB_SRC)
$(BUILD)/%.members: FORCE
	@mkdir -p $(@D); echo "$(LIST)" | cmp -s - $@ || echo "$(LIST)" >$@
FORCE:
.PHONY: FORCE

$(BUILD)/dmclogd: $(call obj,$(SHELL_SRC)) $(CORE_LIB)
	$(call say,LINK)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)
$(PLANTED_DAEMON): $(call obj,$(SHELL_SRC)) $(OBJ)/tests/uml/planted.o $(PURE_SRC:%.c=$(OBJ)/planted/%.o)
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)
$(BUILD)/dmclog: $(call obj,$(TOOL_SRC)) $(SHELL_LIB) $(CORE_LIB)
	$(call say,LINK)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) $(SMARTCOLS_LIBS)
$(BUILD)/dmclog-sim: $(call obj,$(SIM_SRC)) $(PURE_SRC:%.c=$(OBJ)/planted/%.o)
	$(call say,LINK)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^

# check_M links the core, and where M is a file of the shell that object too.
# More by a line in tests/tests.mk: check_M_EXTRA := daemon/x.o, or $(SHELL_LIB).
-include tests/tests.mk
extra_of = $(addprefix $(OBJ)/,$(filter-out $(BUILD)/%,$($(1)_EXTRA))) \
	   $(filter $(BUILD)/%,$($(1)_EXTRA)) \
	   $(call obj,$(filter %/$(patsubst check_%,%,$(1)).c,$(SHELL_SRC) $(TOOL_SRC)))
define check_rule
$(BUILD)/tests/$(1): $(OBJ)/tests/$(1).o $$(call extra_of,$(1)) $(TEST_LIB) $(CORE_LIB)
	@mkdir -p $$(@D)
	$$(call say,LINK)
	$$(Q)$$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ $$(CHECK_LIBS) $$(LIBS) $$(SMARTCOLS_LIBS)
endef
$(foreach c,$(notdir $(CHECKS)),$(eval $(call check_rule,$(c))))

$(BUILD)/bench/%: $(OBJ)/tests/bench/%.o
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# Pid 1 of a test node runs before anything is mounted: static, no sanitizer.
$(BUILD)/uml/init: tests/uml/init.c config.mk | $(BUILD_DEPS)
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(CC) -std=gnu11 $(WARN) -O2 -static -MMD -MP -MF $@.d -o $@ $<

# Goes into the user-mode kernel, never into what is tested: no sanitizer.
$(BUILD)/uml/%.so: tests/uml/%.c config.mk | $(BUILD_DEPS)
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(CC) -std=gnu11 $(WARN) -O2 -shared -fPIC -MMD -MP -MF $@.d -o $@ $< -ldl

# Programs of the host that read what nodes left behind.
$(BUILD)/uml/%: $(OBJ)/tests/uml/%.o $(CORE_LIB)
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# Fuzzers are built from source in one go, with clang's coverage in all of it.
$(BUILD)/fuzz/%: tests/fuzz/%.c $(PURE_SRC) $(wildcard include/*.h tests/fuzz/*.h) config.mk | $(TEST_DEPS)
	@mkdir -p $(@D)
	$(call say,FUZZ)
	$(Q)$(FUZZ_CC) -std=gnu11 -g -O1 -Iinclude -I. -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=all -o $@ $< $(PURE_SRC)

# All test programs, built only.
$(BUILD)/.checks: $(CHECKS) $(BENCHES)
	@touch $@

# --- tests ------------------------------------------------------------------
sim-build: $(SIM)
harness: $(UML_INIT) $(UML_TOOLS) $(PLANTED_DAEMON) $(BENCHES)

check: all $(CHECKS) sim-build harness $(TEST_DEPS)
	@BUILD=$(BUILD) tests/run $(SUITES)
unit: $(CHECKS) $(TEST_DEPS)
	@BUILD=$(BUILD) tests/run --unit $(SUITES)
# Fresh seeds for SIM_SECONDS, or what SIM_ARGS says.
sim: sim-build
	@seed=$$(date +%s)000; echo "seeds from $$seed, commit $$(git rev-parse --short HEAD)"; \
	$(SIM) $(or $(SIM_ARGS),--nodes $(SIM_NODES) --seed $$seed --seeds 1000000000 \
		--seconds $(SIM_SECONDS))
demo: all harness $(TEST_DEPS)
	@BUILD=$(BUILD) tests/demo
demo-single: all harness $(TEST_DEPS)
	@BUILD=$(BUILD) tests/demo-single
# Fresh seed unless SEED says which; TIME seconds, NODES nodes; PLANT: of the simulator's bugs, and it must fail.
chaos: all harness $(TEST_DEPS)
	@BUILD=$(BUILD) CHAOS_SEEDS="$(or $(SEED),$$(date +%s))" CHAOS_TIME=$(or $(TIME),600) NODES=$(or $(NODES),3) PLANT=$(PLANT) \
		tests/uml/suites/chaos.sh
bench: all harness $(TEST_DEPS)
	@BUILD=$(BUILD) tests/bench/run $(BENCH_ARGS)
bench-cluster: all harness $(TEST_DEPS)
	@BUILD=$(BUILD) tests/bench/run-cluster

fuzz: $(FUZZERS)
	@set -e; for f in $(FUZZERS); do n=$${f##*/}; mkdir -p $$f.corpus; \
		echo "$$n: $(FUZZ_SECONDS) s"; \
		seeds=tests/fuzz/corpus/$${n#fuzz_}; [ -d $$seeds ] || seeds=; \
		$$f -max_total_time=$(FUZZ_SECONDS) -timeout=10 -print_final_stats=1 \
			-artifact_prefix=$$f- $$f.corpus $$seeds >$$f.log 2>&1 || \
			{ tail -40 $$f.log; exit 1; }; \
		grep -E 'number_of_executed|Done' $$f.log; \
	done

SUBMAKE = +$(MAKE) --no-print-directory
asan:
	$(SUBMAKE) BUILD=build-asan SAN=address,undefined all unit sim

cov: $(COV_DEPS)
	$(SUBMAKE) BUILD=build-cov COV=1 all unit sim
	lcov -q -c -d build-cov/obj -o build-cov/all.info
	lcov -q -e build-cov/all.info '$(CURDIR)/daemon/*' '$(CURDIR)/kernel-interface/*' \
		'$(CURDIR)/cluster/*' -o build-cov/dmclogd.info
	genhtml -q build-cov/dmclogd.info -o build-cov/html
	@lcov --summary build-cov/dmclogd.info
	@echo "see build-cov/html/index.html"

# Branches of the core that the simulator alone takes; COV_SIM_SEEDS: of each kind of run.
COV_SIM_SEEDS ?= 400
cov-sim:
	$(SUBMAKE) BUILD=build-cov-sim COV=1 sim-build
	tests/sim/coverage build-cov-sim $(COV_SIM_SEEDS)

# --- install ----------------------------------------------------------------
UNITS := $(wildcard systemd/*.service systemd/*.service.in)
MANS := $(wildcard man/*.[1-9])
DEFAULTS := $(wildcard systemd/dmclogd.default)
COMPLETIONS := $(wildcard tools/*.bash-completion)
ZSH_COMPLETIONS := $(wildcard tools/_*)
zshdir = $(datadir)/zsh/site-functions
ALERTS := $(wildcard tools/*-alert)
GENERATORS := $(wildcard systemd/*-generator.in)
CATALOGS := $(wildcard systemd/*.catalog)
systemdgeneratordir = $(systemdunitdir)-generators
# Where journalctl looks, under /usr and /usr/local alike.
catalogdir = $(prefix)/lib/systemd/catalog
INSTALL ?= install

install: all
	$(if $(DAEMON),$(INSTALL) -D -m 755 $(DAEMON) $(DESTDIR)$(sbindir)/dmclogd)
	$(if $(TOOL),$(INSTALL) -D -m 755 $(TOOL) $(DESTDIR)$(sbindir)/dmclog)
	@set -e; for u in $(UNITS); do n=$${u##*/}; n=$${n%.in}; \
		sed -e 's|@sbindir@|$(sbindir)|g' -e 's|@sysconfdir@|$(sysconfdir)|g' $$u \
			>$(BUILD)/$$n; \
		$(INSTALL) -D -m 644 $(BUILD)/$$n $(DESTDIR)$(systemdunitdir)/$$n; done
	@set -e; for g in $(GENERATORS); do n=$${g##*/}; n=$${n%.in}; \
		sed -e 's|@systemdunitdir@|$(systemdunitdir)|g' $$g >$(BUILD)/$$n; \
		$(INSTALL) -D -m 755 $(BUILD)/$$n $(DESTDIR)$(systemdgeneratordir)/$$n; done
	@set -e; for c in $(CATALOGS); do \
		$(INSTALL) -D -m 644 $$c $(DESTDIR)$(catalogdir)/$${c##*/}; done
	@set -e; for m in $(MANS); do \
		$(INSTALL) -D -m 644 $$m $(DESTDIR)$(mandir)/man$${m##*.}/$${m##*/}; done
	$(if $(DEFAULTS),@[ -e $(DESTDIR)/etc/default/dmclogd ] || \
		$(INSTALL) -D -m 644 $(DEFAULTS) $(DESTDIR)/etc/default/dmclogd)
	@set -e; for c in $(COMPLETIONS); do n=$${c##*/}; $(INSTALL) -D -m 644 $$c \
		$(DESTDIR)$(datadir)/bash-completion/completions/$${n%.bash-completion}; done
	@set -e; for z in $(ZSH_COMPLETIONS); do \
		$(INSTALL) -D -m 644 $$z $(DESTDIR)$(zshdir)/$${z##*/}; done
	@set -e; for a in $(ALERTS); do \
		$(INSTALL) -D -m 755 $$a $(DESTDIR)$(datadir)/dmclogd/$${a##*/}; done

uninstall:
	rm -f $(DESTDIR)$(sbindir)/dmclogd $(DESTDIR)$(sbindir)/dmclog \
		$(addprefix $(DESTDIR)$(systemdunitdir)/,$(notdir $(UNITS:.in=))) \
		$(addprefix $(DESTDIR)$(systemdgeneratordir)/,$(notdir $(GENERATORS:.in=))) \
		$(addprefix $(DESTDIR)$(catalogdir)/,$(notdir $(CATALOGS))) \
		$(foreach m,$(MANS),$(DESTDIR)$(mandir)/man$(subst .,,$(suffix $(m)))/$(notdir $(m))) \
		$(addprefix $(DESTDIR)$(datadir)/bash-completion/completions/,$(notdir \
			$(COMPLETIONS:.bash-completion=))) \
		$(addprefix $(DESTDIR)$(zshdir)/,$(notdir $(ZSH_COMPLETIONS))) \
		$(addprefix $(DESTDIR)$(datadir)/dmclogd/,$(notdir $(ALERTS)))
	$(if $(DEFAULTS),@! cmp -s $(DEFAULTS) $(DESTDIR)/etc/default/dmclogd || \
		rm -f $(DESTDIR)/etc/default/dmclogd)

# What git knows, plus configure, so that a user of the tarball needs no autoconf.
dist: configure
	@mkdir -p build
	@v=$$(sed -n 's/^AC_INIT(\[dmclogd\], \[\(.*\)\])/\1/p' configure.ac); d=dmclogd-$$v; \
	git archive --prefix=$$d/ -o build/$$d.tar HEAD && \
	tar -rf build/$$d.tar --transform="s|^|$$d/|" --owner=0 --group=0 configure && \
	gzip -9nf build/$$d.tar && echo "build/$$d.tar.gz"

# Debian packages, from the files that git knows as they are now. The unit tests run when DEB_BUILD_OPTIONS says so.
DEB_BUILD_OPTIONS ?= nocheck
VERSION_NOW = $(shell sed -n 's/^AC_INIT(\[dmclogd\], \[\(.*\)\])/\1/p' configure.ac)
deb: private TREE = build/deb/dmclogd-$(VERSION_NOW)
deb: | $(DEB_DEPS)
	@rm -rf build/deb; mkdir -p $(TREE)
	@git ls-files -z | xargs -0 sh -c \
		'for f; do [ ! -e "$$f" ] || echo "$$f"; done' - | tar -cf - -T - | tar -xf - -C $(TREE)
	@cd $(TREE) && env -u BUILD -u MAKEFLAGS -u MFLAGS -u MAKELEVEL DEB_BUILD_OPTIONS='$(DEB_BUILD_OPTIONS) parallel='$$(nproc) \
		dpkg-buildpackage -us -uc -b >../build.log 2>&1 || { tail -n 30 ../build.log >&2; exit 1; }
	@ls build/deb/*.deb

# --- housekeeping -----------------------------------------------------------
FORMAT_SRC = $(wildcard include/*.h $(addsuffix /*.[ch],daemon daemon/core kernel-interface \
	       cluster tools tests tests/sim tests/fuzz tests/uml tests/bench))
format:
	$(CLANG_FORMAT) -i $(FORMAT_SRC)
check-format:
	$(CLANG_FORMAT) --dry-run -Werror $(FORMAT_SRC)

clean:
	rm -rf build build-asan build-cov build-cov-sim
distclean: clean
	rm -rf configure config.mk config.h config.log config.status autom4te.cache

help:
	@echo "all        build/dmclogd (and build/dmclog)"; \
	echo "check      every test; SUITES=\"check_x uml-y\" runs only these"; \
	echo "unit       the check_* binaries only"; \
	echo "demo       one mirror on three real kernels with corosync; two of them lose their power"; \
	echo "demo-single  on one of them: a file system, and the hand-over to the kernel's own log"; \
	echo "chaos      random faults on three real kernels for TIME seconds (600); SEED=, NODES="; \
	echo "bench      figures against the kernel's own logs and a minimal responder"; \
	echo "bench-cluster  figures of a mirror on three nodes against one on a single node"; \
	echo "sim        the simulator, fresh seeds for SIM_SECONDS (60); SIM_NODES=0, SIM_ARGS=..."; \
	echo "fuzz       each fuzzer for FUZZ_SECONDS (60)"; \
	echo "asan       unit tests and simulator under ASan and UBSan, in build-asan/"; \
	echo "cov-sim    branches of the core that the simulator takes, in build-cov-sim/"; \
	echo "cov        line coverage of unit tests and simulator, in build-cov/html"; \
	echo "install    DESTDIR, prefix (CONFIGURE_ARGS=--prefix=/usr at the first make)"; \
	echo "deb        a Debian package, in build/deb"; \
	echo "uninstall, dist, clean, distclean, format, check-format"; \
	echo "variables: WERROR=1, CC, CFLAGS, V=1, DEPS=no (never install packages)"

-include $(shell [ -d $(BUILD) ] && find $(BUILD) -name '*.d')

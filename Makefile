# SPDX-License-Identifier: BSD-3-Clause
#
# libjournal.  GNU make, no configure step.
#
#   make [TARGET]... [OPTION=VALUE]...          `make help` lists the targets
#
# Options, with their defaults:
#   BUILD=build          where everything goes that is made
#   CC=cc AR OBJCOPY     compiler (CC=clang works too) and binary tools
#   OPT="-O2 -g"         optimisation and debug information
#   CFLAGS= CPPFLAGS=    yours, added after ours
#   LDFLAGS= LDLIBS=     the same for linking
#   HARDEN="..."         hardening that does not touch the commit path; see below
#   WERROR=              1: warnings are errors (.ci/run sets it)
#   V=                   1: show every command
#   DEPS=                no: never install packages; print the apt line and stop
#   TESTS=all            for check: quick, all, or name patterns ("unit/* *mbox*")
#   JOBS=2               compilers, and tests, that run at the same time
#   PREFIX=/usr/local    where install puts things; BINDIR LIBDIR INCLUDEDIR
#                        MANDIR PKGCONFIGDIR COMPLETIONDIR UNITDIR follow from it
#   DESTDIR=             put in front of every installed path
#
# A change of any option that touches the code rebuilds it.

BUILD ?= build
OBJCOPY ?= objcopy
OPT ?= -O2 -g
HARDEN ?= -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong
WERROR ?=
V ?=
DEPS ?=
TESTS ?= all
JOBS ?= 2

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
PKGCONFIGDIR ?= $(LIBDIR)/pkgconfig
COMPLETIONDIR ?= $(PREFIX)/share/bash-completion/completions
UNITDIR ?= $(PREFIX)/lib/systemd/system

.DEFAULT_GOAL := all
.SUFFIXES:
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

# ---- how to compile ------------------------------------------------------

# SANITIZE, COVERAGE and WRAP are set by the targets of that name.
SANITIZE :=
COVERAGE :=
WRAP :=

# -fno-strict-aliasing: bytes of a medium are looked at through structs.
# -fPIC once for both libraries; calls inside the library stay inside it
# (-fno-semantic-interposition, -Bsymbolic-functions), so it costs next to nothing.
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
override ALL_CPPFLAGS = -D_GNU_SOURCE -Ilibjournal -Ilibjournal/include $(CPPFLAGS)
override ALL_CFLAGS = -std=gnu11 $(OPT) $(WARNINGS) $(if $(WERROR),-Werror) -pthread \
	-fPIC -fvisibility=hidden -fno-semantic-interposition -fno-strict-aliasing \
	$(if $(SANITIZE)$(COVERAGE)$(filter -O0,$(OPT) $(CFLAGS)),,$(HARDEN)) \
	$(SANITIZE) $(CFLAGS)
# -z now: no lazy binding in the middle of a first commit
override ALL_LDFLAGS = -pthread -Wl,--as-needed -Wl,-z,relro,-z,now \
	$(SANITIZE) $(COVERAGE) $(LDFLAGS)

# One preprocessor run says which optional headers are there.
OPTIONAL := liburing.h isa-l.h libpmem.h libnvme.h sqlite3.h lmdb.h rocksdb/c.h \
	libpmemlog.h libpmemobj.h systemd/sd-daemon.h nbdkit-plugin.h
HASH := \#
COMMA := ,
HAVE := $(shell { for h in $(OPTIONAL); do \
	echo "$(HASH)if __has_include(<$$h>)"; echo "HAVE $$h"; echo "$(HASH)endif"; done; } | \
	$(CC) $(CPPFLAGS) -E -P -x c - 2>/dev/null | sed -n 's/^HAVE //p' | tr -d ' ')
have = $(if $(filter $(1),$(HAVE)),$(2))

LIB_LDLIBS := $(call have,liburing.h,-luring) $(call have,isa-l.h,-lisal) -ldl
# only in the command: the library depends on neither it nor its like
TOOL_LDLIBS := -ljson-c
BENCH_LDLIBS := $(call have,sqlite3.h,-lsqlite3) $(call have,lmdb.h,-llmdb) \
	$(call have,rocksdb/c.h,-lrocksdb) $(call have,libpmemlog.h,-lpmemlog) \
	$(call have,libpmemobj.h,-lpmemobj) $(call have,libpmem.h,-lpmem) -ljson-c

ARCH := $(firstword $(subst -, ,$(shell $(CC) $(CFLAGS) -dumpmachine 2>/dev/null)))
ARCH := $(if $(filter x86_64 i%86,$(ARCH)),x86,$(if $(filter aarch64,$(ARCH)),arm64,$(ARCH)))

# ---- sources: by directory, chosen by file name, never by #ifdef -----------
#
#   x_none.c     stands in for x.c where a header that x.c needs is missing
#   x_x86.c, x_arm64.c, else x_generic.c: by the target architecture

preprocesses = $(shell $(CC) $(ALL_CPPFLAGS) -w -M $(1) >/dev/null 2>&1 && echo yes)
none_of = $(filter %_none.c,$(1))
# of each pair x.c, x_none.c: the one that is not to be built
not_built = $(foreach n,$(call none_of,$(1)),$(if $(call \
	preprocesses,$(n:%_none.c=%.c)),$(n),$(n:%_none.c=%.c)))
choose = $(filter-out $(call not_built,$(1)),$(1))

# libjournal-x.so of x.c, linked with libx and loaded on demand
MODULE_SOURCES := libjournal/marker/pmem.c libjournal/store/nvme.c
LIB_DIRS := util format store marker log txn
LIB_ALL := $(sort $(foreach d,$(LIB_DIRS),$(wildcard libjournal/$(d)/*.c)) \
	$(wildcard libjournal/backends.c))
other_arch = $(filter-out %_$(ARCH).c,$(filter %_x86.c %_arm64.c,$(1))) \
	$(patsubst %_$(ARCH).c,%_generic.c,$(filter %_$(ARCH).c,$(1)))
LIB_SOURCES := $(call choose,$(filter-out $(MODULE_SOURCES) $(call other_arch,$(LIB_ALL)),$(LIB_ALL)))
TOOL_SOURCES := $(call choose,$(sort $(wildcard libjournal/tools/*.c)))
BENCH_SOURCES := $(call choose,$(sort $(wildcard bench/*.c)))
BENCH_MAINS := $(if $(BENCH_SOURCES),$(shell grep -l '^int main\b' $(BENCH_SOURCES)))
TEST_DIRS := unit conformance layout integration
TEST_SOURCES := $(sort $(foreach d,$(TEST_DIRS),$(wildcard tests/$(d)/test_*.c)))
TESTLIB_ALL := $(sort $(wildcard tests/lib/*.c))
TESTLIB_SOURCES := $(filter-out $(call other_arch,$(TESTLIB_ALL)),$(TESTLIB_ALL))
# ThreadSanitizer's runtime cannot be stepped through: its tests are skipped, and say so
ifneq ($(filter -fsanitize=thread,$(SANITIZE)),)
TESTLIB_SOURCES := $(patsubst %/step_x86.c,%/step_generic.c, \
	$(patsubst %/nth_calls_x86.c,%/nth_calls_generic.c,$(TESTLIB_SOURCES)))
# nor called by a malloc() before it has begun
$(addprefix $(BUILD)/obj/tests/,unit/test_faults.o lib/nth_memory.o lib/nth.o): \
	override SANITIZE :=
endif

objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
LIB_OBJECTS := $(call objects,$(LIB_SOURCES))
TOOL_OBJECTS := $(call objects,$(TOOL_SOURCES))
TEST_PROGRAMS := $(patsubst %.c,$(BUILD)/%,$(TEST_SOURCES))
# what tests of the shell and the demonstration run: programs as a user writes them
HELPER_SOURCES := $(filter-out $(TEST_SOURCES),$(wildcard tests/integration/*.c)) \
	$(wildcard tests/rig/load.c tests/rig/forgetful.c)
HELPERS := $(patsubst %.c,$(BUILD)/%,$(HELPER_SOURCES))

EXPLORE_SOURCES := $(wildcard tests/crash/*.c)
EXPLORE := $(if $(EXPLORE_SOURCES),$(BUILD)/tests/crash/explore)

# the rig's disk: nbdkit loads it
VOLATILE_OBJECTS := $(patsubst %,$(BUILD)/obj/tests/rig/%.o,plugin control disk disk_cut)
VOLATILE := $(if $(wildcard tests/rig/plugin.c),$(call have,nbdkit-plugin.h, \
	$(BUILD)/nbdkit-volatile-plugin.so))

VERSION := $(shell sed -n 's/^$(HASH)define JOURNAL_VERSION_\(MAJOR\|MINOR\) *//p' \
	libjournal/include/journal.h | tr '\n' '.')0
SOVERSION := 0
SONAME := libjournal.so.$(SOVERSION)

# a module needs its library; without it there is none, and a line says so
module_names = $(basename $(notdir $(wildcard $(MODULE_SOURCES))))
MODULES := $(foreach m,$(module_names),$(call have,lib$(m).h,$(BUILD)/libjournal-$(m).so))
MODULES_MISSING := $(foreach m,$(module_names),$(if $(call have,lib$(m).h,yes),,$(m)))

# ---- quiet -----------------------------------------------------------------

Q := $(if $(V),,@)
SILENT := $(findstring s,$(filter-out --%,$(firstword -$(MAKEFLAGS))))
say = $(if $(V)$(SILENT),,@printf '  %-5s %s\n' '$(1)' '$(2)')

# a second make, with jobs of its own unless -j was given
AGAIN = $(MAKE) --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j$(JOBS))

# ---- build -----------------------------------------------------------------

all: $(BUILD)/libjournal.a $(BUILD)/libjournal.so $(MODULES) $(VOLATILE) \
	$(if $(TOOL_SOURCES),$(BUILD)/jnl)
	$(foreach m,$(MODULES_MISSING),@echo \
		"libjournal-$(m).so is not built: lib$(m).h is missing (lib$(m)-dev)"$(NEWLINE))

# Stamps, touched only when what they hold changes: what the objects are made
# with, and from which sources (one that goes away relinks).
quoted = '$(subst ','\'',$(strip $(1)))'
define stamp
	@mkdir -p $(@D)
	@echo $(call quoted,$(1)) | cmp -s - $@ || echo $(call quoted,$(1)) > $@
endef

$(BUILD)/flags: FORCE
	$(call stamp,$(CC) $(AR) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(LDLIBS) $(HAVE))
$(BUILD)/sources: FORCE
	$(call stamp,$(LIB_SOURCES) $(TOOL_SOURCES) $(TESTLIB_SOURCES) $(BENCH_SOURCES))
$(BUILD)/libdir: FORCE
	$(call stamp,$(LIBDIR))
FORCE:

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(EXTRA_CPPFLAGS) $(ALL_CFLAGS) \
		$(if $(filter libjournal/%,$<),$(COVERAGE)) -MMD -MP -c -o $@ $<

# where an installed library looks for its modules
$(BUILD)/obj/libjournal/util/module.o $(BUILD)/obj/tests/unit/test_marker_pmem.o: $(BUILD)/libdir
$(BUILD)/obj/libjournal/util/module.o: EXTRA_CPPFLAGS = -DJOURNAL_LIBDIR='"$(LIBDIR)"'
$(BUILD)/obj/tests/unit/test_marker_pmem.o: EXTRA_CPPFLAGS += -DJOURNAL_LIBDIR='"$(LIBDIR)"'

$(BUILD)/obj/tests/%.o $(BUILD)/obj/bench/%.o: EXTRA_CPPFLAGS = -Itests -Itests/lib -Ibench

define archive
	$(call say,AR,$@)
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)$(AR) rcs $@ $(filter %.o,$^)
endef

# for the tools, tests and benchmark, which are linked with internals
INTERNAL := $(BUILD)/obj/libinternal.a
$(INTERNAL): $(LIB_OBJECTS) $(BUILD)/sources
	$(archive)

# One object whose hidden symbols are made local: no internal name of ours can
# clash with one of the program's.
$(BUILD)/libjournal.a: $(LIB_OBJECTS) $(BUILD)/sources
	$(call say,AR,$@)
	@rm -f $@
	$(Q)$(CC) -r -nostdlib $(if $(findstring -flto,$(CFLAGS)),$(CFLAGS) -flinker-output=nolto-rel) \
		-o $(BUILD)/obj/libjournal.o $(LIB_OBJECTS)
	$(Q)$(OBJCOPY) --localize-hidden $(BUILD)/obj/libjournal.o
	$(Q)$(AR) rcs $@ $(BUILD)/obj/libjournal.o

$(BUILD)/libjournal.so: $(LIB_OBJECTS) libjournal/libjournal.map $(BUILD)/sources
	$(call say,LD,$@)
	$(Q)$(CC) -shared -Wl,-soname,$(SONAME) -Wl,--version-script,libjournal/libjournal.map \
		-Wl,-Bsymbolic-functions $(if $(SANITIZE),,-Wl,-z,defs) $(ALL_LDFLAGS) \
		-o $@ $(LIB_OBJECTS) $(LIB_LDLIBS) $(LDLIBS)
	@ln -sf $(@F) $(BUILD)/$(SONAME)

# a module carries its own copy of the few internals that it calls
$(BUILD)/libjournal-pmem.so: $(BUILD)/obj/libjournal/marker/pmem.o
$(BUILD)/libjournal-nvme.so: $(BUILD)/obj/libjournal/store/nvme.o
$(BUILD)/libjournal-pmem.so $(BUILD)/libjournal-nvme.so: $(BUILD)/libjournal-%.so: $(INTERNAL) \
		libjournal/libjournal.map
	$(call say,LD,$@)
	$(Q)$(CC) -shared -Wl,-soname,$(@F) -Wl,--version-script,libjournal/libjournal.map \
		-Wl,-Bsymbolic-functions -Wl,--exclude-libs,ALL $(ALL_LDFLAGS) -o $@ \
		$(filter %.o,$^) $(INTERNAL) -l$* $(LIB_LDLIBS) $(LDLIBS)

$(BUILD)/jnl: $(TOOL_OBJECTS) $(INTERNAL) $(BUILD)/sources
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(TOOL_OBJECTS) $(INTERNAL) \
		$(TOOL_LDLIBS) $(LIB_LDLIBS) $(LDLIBS)

# ---- tests -----------------------------------------------------------------
# Every test is linked with all of tests/lib, the tools without their main, and
# the static library, whose internals it may see.  The rpath leads to the module
# (not a runpath: that one the sanitizers' dlopen does not follow).

TESTLIB := $(BUILD)/tests/libtest.a
TOOLLIB := $(BUILD)/tests/libtools.a
tests: $(TEST_PROGRAMS) $(HELPERS) $(EXPLORE) bench-programs

$(TESTLIB): $(call objects,$(TESTLIB_SOURCES)) $(BUILD)/sources
	$(archive)

$(TOOLLIB): $(filter-out %/main.o,$(TOOL_OBJECTS)) $(BUILD)/sources
	$(archive)

# A crash test gets every store of its journals from tests/lib/crash_world.h:
# the two functions that open them, and the two sources of chance, are replaced
# at link time; the library's objects are those of every other test.
CRASH_LDFLAGS := $(addprefix -Wl$(COMMA)--wrap=,backend_open_marker backend_open_log \
	sched_getcpu getrandom seconds_put)
$(BUILD)/tests/integration/test_crash_% $(BUILD)/tests/unit/test_crash_%: TEST_LDFLAGS = $(CRASH_LDFLAGS)
# ... and one of two threads goes by single steps (tests/lib/step.h)
STEP_LDFLAGS := $(addprefix -Wl$(COMMA)--wrap=,sched_yield pthread_mutex_lock \
	pthread_cond_wait syscall)
$(BUILD)/tests/unit/test_interleave_%: TEST_LDFLAGS = $(CRASH_LDFLAGS) $(STEP_LDFLAGS)
$(BUILD)/tests/unit/test_interleave $(BUILD)/tests/unit/test_interleave_clean: \
	TEST_LDFLAGS = $(CRASH_LDFLAGS) $(STEP_LDFLAGS) -Wl,--wrap=stream_wait
$(BUILD)/tests/unit/test_interleave_moves: TEST_LDFLAGS = $(CRASH_LDFLAGS) $(STEP_LDFLAGS) \
	-Wl,--wrap=stream_wait -Wl,--wrap=stream_append
$(BUILD)/tests/unit/test_interleave_late: TEST_LDFLAGS = $(CRASH_LDFLAGS) $(STEP_LDFLAGS) \
	-Wl,--wrap=health_unstage -Wl,--wrap=stand_in_enforce
$(BUILD)/tests/unit/test_resize_digests: TEST_LDFLAGS = $(STEP_LDFLAGS)
# who sleeps, and is woken
$(BUILD)/tests/unit/test_log_flush: TEST_LDFLAGS = -Wl,--wrap=syscall
# barriers on all processors are seen
$(BUILD)/tests/unit/test_crash_barrier: TEST_LDFLAGS = $(CRASH_LDFLAGS) -Wl,--wrap=syscall
# the first NVRAM of a journal that is on a file
$(BUILD)/tests/unit/test_crash_moving: TEST_LDFLAGS = $(CRASH_LDFLAGS) \
	-Wl,--wrap=backend_join_marker
# what is synced is recorded
$(BUILD)/tests/unit/test_syncs: TEST_LDFLAGS = $(addprefix -Wl$(COMMA)--wrap=,fsync fdatasync \
	renameat pwrite)
# ... or stops somebody between two of them
$(BUILD)/tests/unit/test_marker_slots $(BUILD)/tests/integration/test_stopped: \
	TEST_LDFLAGS = $(addprefix -Wl$(COMMA)--wrap=,fdatasync pwrite)
# an NVMe controller that is a script: libnvme finds the program's ioctl()
$(BUILD)/tests/unit/test_evidence_nvme: TEST_LDFLAGS = -Wl,--wrap=nvme_device_open \
	-Wl,--wrap=module_load -Wl,--export-dynamic-symbol=ioctl
# each operation of the stores, and each allocation, may fail once
$(addprefix $(BUILD)/tests/unit/,test_io_errors test_async_errors test_logs): \
	TEST_LDFLAGS = $(addprefix -Wl$(COMMA)--wrap=,backend_open_marker backend_open_log)
# how long writers are slowed
$(BUILD)/tests/unit/test_slow_down: TEST_LDFLAGS = -Wl,--wrap=nanosleep
# writes of the log are looked at, or meet
$(addprefix $(BUILD)/tests/unit/,test_batch_end test_extent_end test_streams \
	test_destage_writes): \
	TEST_LDFLAGS = -Wl,--wrap=logs_write
$(BUILD)/tests/unit/test_wakes: TEST_LDFLAGS = -Wl,--wrap=logs_write,--wrap=syscall
$(BUILD)/tests/unit/test_seconds: TEST_LDFLAGS = -Wl,--wrap=logs_write,--wrap=seconds_wait
$(BUILD)/tests/unit/test_gather: TEST_LDFLAGS = -Wl,--wrap=logs_write,--wrap=pthread_cond_timedwait
$(BUILD)/tests/unit/test_format_run: TEST_LDFLAGS = -Wl,--wrap=calloc
$(BUILD)/tests/unit/test_evidence_mount: TEST_LDFLAGS = $(addprefix -Wl$(COMMA)--wrap=, \
	evidence_mount_read evidence_walk_device evidence_walk_btrfs fstatfs stat)
$(BUILD)/tests/unit/test_store_errors: TEST_LDFLAGS = $(addprefix -Wl$(COMMA)--wrap=,calloc \
	reallocarray posix_memalign mmap mprotect pthread_key_create pthread_mutex_init \
	pthread_setspecific)
$(BUILD)/tests/unit/test_mirror_memory: TEST_LDFLAGS = -Wl,--wrap=calloc,--wrap=strdup
$(BUILD)/tests/unit/test_unseen: TEST_LDFLAGS = $(addprefix -Wl$(COMMA)--wrap=,marker_store_show \
	health_raise txn_direct_settle fsync)
# another journal comes to the place of one that is opened, or in use
$(BUILD)/tests/unit/test_replaced: TEST_LDFLAGS = $(addprefix -Wl$(COMMA)--wrap=,entry_come \
	entry_exclusive shared_sweep shared_file_announce shared_file_remove stand_in_first \
	conf_rewrite conf_enforce)
# the power goes in the middle of a write
$(addprefix $(BUILD)/tests/unit/,test_upgrade test_mirror_double): \
	TEST_LDFLAGS = -Wl,--wrap=backend_open_log
# a buffer that the kernel does not take back
$(BUILD)/tests/unit/test_log_buffers: TEST_LDFLAGS = -Wl,--wrap=munmap
# calls that fail in opening
$(BUILD)/tests/unit/test_calls_fail: TEST_LDFLAGS = $(addprefix -Wl$(COMMA)--wrap=,fcntl fstat \
	open unlinkat pwritev2)
# ... and everything, in all of them
$(BUILD)/tests/unit/test_faults: TEST_LDFLAGS = $(addprefix -Wl$(COMMA)--wrap=, \
	backend_open_marker backend_join_marker backend_open_log backend_join_log)
$(BUILD)/tests/integration/test_memory: TEST_LDFLAGS = $(addprefix -Wl$(COMMA)--wrap=,malloc \
	calloc realloc posix_memalign strdup)

# every crash of every short run, with the time that it takes to ask for it
$(BUILD)/tests/crash/explore: $(call objects,$(EXPLORE_SOURCES)) $(TESTLIB) $(TOOLLIB) $(INTERNAL)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) $(CRASH_LDFLAGS) $(addprefix -Wl$(COMMA)--wrap=,clock_gettime \
		backend_extend_log backend_trim_log \
		pthread_mutex_lock pthread_cond_wait sched_yield syscall) -o $@ \
		$(call objects,$(EXPLORE_SOURCES)) $(TESTLIB) $(TOOLLIB) $(INTERNAL) \
		-lcmocka -lm $(TOOL_LDLIBS) $(LIB_LDLIBS) $(LDLIBS)

# nbdkit is not built with sanitizers, and gives the plugin its functions
$(BUILD)/nbdkit-volatile-plugin.so $(VOLATILE_OBJECTS): override SANITIZE :=
$(BUILD)/nbdkit-volatile-plugin.so: override COVERAGE :=
$(BUILD)/nbdkit-volatile-plugin.so: $(VOLATILE_OBJECTS)
	$(call say,LD,$@)
	$(Q)$(CC) -shared $(ALL_LDFLAGS) -o $@ $(VOLATILE_OBJECTS) $(LDLIBS)

.SECONDARY:
$(TEST_PROGRAMS): $(BUILD)/tests/%: $(BUILD)/obj/tests/%.o $(TESTLIB) $(TOOLLIB) \
		$(INTERNAL)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) $(TEST_LDFLAGS) \
		-Wl,--disable-new-dtags,-rpath,'$$ORIGIN/../..' \
		-o $@ $< $(TESTLIB) $(TOOLLIB) $(INTERNAL) \
		-lcmocka -lm $(TOOL_LDLIBS) $(LIB_LDLIBS) $(LDLIBS)

$(HELPERS): $(BUILD)/tests/%: $(BUILD)/obj/tests/%.o $(BUILD)/libjournal.so
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -Wl,--disable-new-dtags,-rpath,'$$ORIGIN/../..' \
		-o $@ $< -L$(BUILD) -ljournal $(LDLIBS)

# Set-up first, then a second make that sees what was installed.  A test that
# does not compile is reported as failed; the others still run.
RUN = CC="$(CC)" SANITIZE="$(SANITIZE) $(COVERAGE)" JOBS="$(JOBS)" tests/run -b $(BUILD) $(addprefix -w ,$(WRAP))
check: need-test
	+$(Q)$(AGAIN) run-check

quick: need-test
	+$(Q)$(AGAIN) run-check TESTS=quick $(call share,10)

run-check: all
	-+$(Q)$(AGAIN) -k tests
	$(Q)$(RUN) $(TESTS)

# every single operation fails, once and for ever: check does one in so many
check-faults: need-test
	+$(Q)$(AGAIN) all $(BUILD)/tests/unit/test_faults
	$(Q)STRIDE=1 LD_LIBRARY_PATH=$(BUILD) $(BUILD)/tests/unit/test_faults

# every crash of every short run; also a part of check.  The long one goes on where it was
CRASH_DIR ?= $(BUILD)/crash-long
check-crash: need-test
	+$(Q)$(AGAIN) $(EXPLORE)
	$(Q)$(EXPLORE) --check --jobs=$(JOBS)
check-crash-long: need-test
	+$(Q)$(AGAIN) $(EXPLORE)
	$(Q)$(EXPLORE) --long --jobs=$(JOBS) --resume=$(CRASH_DIR) --progress

# guests whose power is cut; check has the shortest of it.  RIG_CUTS of each medium and
# file system: all are the same for the same SEED
RIG_CUTS ?= 25
RIG_MEDIA ?= file fsdax devdax
RIG_FS ?= ext4 xfs btrfs
check-rig: need-test
	+$(Q)$(AGAIN) -k all tests
	$(Q)CHECK_RIG=1 HANG_S=3600 $(RUN) 'rig/*'
check-rig-long: need-test
	+$(Q)$(AGAIN) -k all tests
	$(Q)status=0; for m in $(RIG_MEDIA); do for f in $(RIG_FS); do \
		echo "== $$m, $$f"; LD_LIBRARY_PATH=$(BUILD) BUILD=$(BUILD) \
		JOURNAL_RIG_CACHE=$${JOURNAL_RIG_CACHE:-$(BUILD)/rig-cache} \
			tests/rig/journal $$m --fs $$f --cuts $(RIG_CUTS) --seed $(SEED) \
			--lines 1-3000 || status=1; \
	done; done; exit $$status

# the protocols alone, with spin; also a part of check
model: need-model
	$(Q)CC="$(CC)" JOBS="$(JOBS)" tests/model/run

# the integration tests on each file system, over an image in $(BUILD)
FS ?= ext4,xfs,btrfs,tmpfs
check-fs: need-test
	+$(Q)$(AGAIN) -k all tests
	$(Q)HANG_S=3600 $(RUN) -f $(FS) $(if $(filter all,$(TESTS)),disk,$(TESTS))

# as delivered: with release flags, installed, and the tests see nothing else
check-installed: need-test
	+$(Q)$(AGAIN) all BUILD=$(BUILD)/release OPT=-O2 CPPFLAGS="-DNDEBUG $(CPPFLAGS)"
	$(Q)CC="$(CC)" JOBS="$(JOBS)" tests/installed -b $(BUILD)/release $(TESTS)

deps: need-test

need-%:
	$(Q)CC="$(CC)" DEPS="$(DEPS)" tests/deps build $*

# ---- checked builds, each in its own folder ----------------------------------

# Under a tool that makes everything long the longest tests (tests/README.md) do one
# part in so many; TEST_SHARE=1 does all.
share = TEST_SHARE=$(or $(TEST_SHARE),$(1))
san = $(AGAIN) run-check BUILD=$(BUILD)/$(1) OPT="-O1 -g" SANITIZE="$(2)" HANG_S=3600
asan: need-test
	+$(Q)$(call san,asan,-fsanitize=address -fno-omit-frame-pointer) $(call share,4)
ubsan: need-test
	+$(Q)$(call san,ubsan,-fsanitize=undefined -fno-sanitize-recover=all)
tsan: need-test
	+$(Q)$(call san,tsan,-fsanitize=thread) $(call share,10) \
		CPPFLAGS="$(call have,liburing.h,-Itests/lib/tsan) $(CPPFLAGS)"
valgrind: need-valgrind
	+$(Q)$(AGAIN) run-check BUILD=$(BUILD)/valgrind OPT="-O1 -g" \
		CPPFLAGS="-Itests/lib/valgrind $(CPPFLAGS)" \
		WRAP=valgrind HANG_S=7200 $(call share,20)
# each target as long as told, under each sanitizer, with another seed every time it is called
SECONDS ?= 60
SEED ?= $(shell date +%s)
SANITIZERS ?= address memory
TARGETS ?=
fuzz: need-test
	$(Q)status=0; for s in $(SANITIZERS); do \
		JOBS=$(JOBS) tests/fuzz/run -b $(BUILD) -m $$s -s $(SECONDS) -S $(SEED) $(TARGETS) || \
			status=1; \
	done; exit $$status
# the tests with chance in them, for long: each so many seconds for each kind of marker
SOAK_SECONDS ?= 200
SOAK_TIMES ?= 100
soak: need-test
	+$(Q)$(AGAIN) all tests
	$(Q)KILL_SECONDS=$(SOAK_SECONDS) KILLS=1000 STOP_SECONDS=$(SOAK_SECONDS) STRIDE=1 \
		AGING_TIMES=$(SOAK_TIMES) HANG_S=7200 \
		$(RUN) "integration/test_processes*" integration/test_aging
# one flush, fence or check of the library taken away at a time: a test has to fail
MUTANTS ?=
check-mutants: need-test
	$(Q)BUILD=$(BUILD) JOBS="$(JOBS)" MAKEARGS='CC="$(CC)"' tests/mutants/run $(MUTANTS)
# branches of what is at -O0, as they are written; of some tests there is no floor
coverage: need-coverage
	$(Q)find $(BUILD)/coverage -name '*.gcda' -delete 2>/dev/null || true
	+$(Q)status=0; $(AGAIN) run-check BUILD=$(BUILD)/coverage OPT="-O0 -g" \
		HANG_S=3600 CPPFLAGS="-Itests/lib/coverage $(CPPFLAGS)" \
		COVERAGE="--coverage -fprofile-update=prefer-atomic" || status=1; \
	CC="$(CC)" tests/coverage $(if $(filter all,$(TESTS)),-f tests/coverage.floor) \
		$(BUILD)/coverage || status=1; exit $$status

# ---- demo, bench -------------------------------------------------------------

demo: need-demo
	+$(Q)$(AGAIN) run-demo
run-demo: all $(HELPERS)
	$(Q)BUILD=$(abspath $(BUILD)) tests/integration/demo.sh

bench: need-bench
	+$(Q)$(AGAIN) run-bench
run-bench: all bench-programs
	$(Q)BUILD=$(BUILD) bench/run

# a program for each bench/x.c with a main; all the others are linked with each
BENCH_PROGRAMS := $(BENCH_MAINS:%.c=$(BUILD)/%)
bench-programs: $(BENCH_PROGRAMS)
# disks are imitated
$(BUILD)/bench/logs: BENCH_LDFLAGS = -Wl,--wrap=backend_open_log
$(BENCH_PROGRAMS): $(BUILD)/bench/%: $(BUILD)/obj/bench/%.o $(INTERNAL) $(BUILD)/sources \
		$(call objects,$(filter-out $(BENCH_MAINS),$(BENCH_SOURCES)))
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) $(BENCH_LDFLAGS) -o $@ $(filter %.o,$^) $(INTERNAL) \
		$(BENCH_LDLIBS) $(LIB_LDLIBS) -lm $(LDLIBS)

# ---- install -------------------------------------------------------------------

MAN_PAGES := $(sort $(wildcard docs/man/*.[1-8]))
COMPLETION := $(wildcard libjournal/tools/jnl.bash-completion)
UNITS := $(sort $(wildcard libjournal/tools/*.service.in))
RIG := $(wildcard tests/rig/rig)
RIGDIR = $(LIBDIR)/journal-rig
unit_path = $(UNITDIR)/$(notdir $(basename $(1)))
man_path = $(MANDIR)/man$(subst .,,$(suffix $(1)))/$(notdir $(1))

HEADERS := $(sort $(wildcard libjournal/include/*.h))
INSTALLED = $(addprefix $(INCLUDEDIR)/,$(notdir $(HEADERS))) $(LIBDIR)/libjournal.a $(LIBDIR)/libjournal.so.$(VERSION) \
	$(LIBDIR)/$(SONAME) $(LIBDIR)/libjournal.so $(PKGCONFIGDIR)/libjournal.pc \
	$(if $(TOOL_SOURCES),$(BINDIR)/jnl) $(addprefix $(LIBDIR)/,$(notdir $(MODULES))) \
	$(if $(RIG),$(BINDIR)/journal-rig $(RIGDIR)/init) \
	$(if $(VOLATILE),$(RIGDIR)/$(notdir $(VOLATILE))) \
	$(if $(COMPLETION),$(COMPLETIONDIR)/jnl) $(foreach m,$(MAN_PAGES),$(call man_path,$(m))) \
	$(foreach u,$(UNITS),$(call unit_path,$(u)))

install: all
	$(Q)install -d $(sort $(dir $(addprefix $(DESTDIR),$(INSTALLED))))
	$(Q)install -m 644 $(HEADERS) $(DESTDIR)$(INCLUDEDIR)/
	$(Q)install -m 644 $(BUILD)/libjournal.a $(DESTDIR)$(LIBDIR)/libjournal.a
	$(Q)install -m 755 $(BUILD)/libjournal.so $(DESTDIR)$(LIBDIR)/libjournal.so.$(VERSION)
	$(Q)ln -sf libjournal.so.$(VERSION) $(DESTDIR)$(LIBDIR)/$(SONAME)
	$(Q)ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libjournal.so
	$(Q)sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' \
		-e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' -e 's|@VERSION@|$(VERSION)|' \
		-e 's|@LIBS@|$(strip $(LIB_LDLIBS))|' libjournal/libjournal.pc.in \
		> $(DESTDIR)$(PKGCONFIGDIR)/libjournal.pc
	$(Q)chmod 644 $(DESTDIR)$(PKGCONFIGDIR)/libjournal.pc
	$(if $(MODULES),$(Q)install -m 755 $(MODULES) $(DESTDIR)$(LIBDIR)/)
	$(if $(TOOL_SOURCES),$(Q)install -m 755 $(BUILD)/jnl $(DESTDIR)$(BINDIR)/jnl)
	$(if $(RIG),$(Q)sed -e "s|'@SHARE@'|'$(RIGDIR)'|" $(RIG) > $(DESTDIR)$(BINDIR)/journal-rig && \
		chmod 755 $(DESTDIR)$(BINDIR)/journal-rig && \
		install -m 755 tests/rig/init $(VOLATILE) $(DESTDIR)$(RIGDIR)/)
	$(if $(COMPLETION),$(Q)install -m 644 $(COMPLETION) $(DESTDIR)$(COMPLETIONDIR)/jnl)
	$(foreach m,$(MAN_PAGES),$(Q)install -m 644 $(m) $(DESTDIR)$(call man_path,$(m))$(NEWLINE))
	$(foreach u,$(UNITS),$(Q)sed -e 's|@BINDIR@|$(BINDIR)|' \
		-e 's|@TYPE@|$(or $(call have,systemd/sd-daemon.h,notify),exec)|' $(u) \
		> $(DESTDIR)$(call unit_path,$(u))$(NEWLINE))
	$(if $(UNITS),$(Q)chmod 644 $(addprefix $(DESTDIR),$(foreach u,$(UNITS),$(call unit_path,$(u)))))
	$(if $(DESTDIR),,$(Q)ldconfig 2>/dev/null || true)

uninstall:
	$(Q)rm -f $(addprefix $(DESTDIR),$(INSTALLED))
	$(if $(DESTDIR),,$(Q)ldconfig 2>/dev/null || true)

clean:
	$(Q)rm -rf $(BUILD)

help:
	@echo 'make [TARGET]... [OPTION=VALUE]...'
	@echo
	@echo 'Targets:'
	@echo '  all        build/jnl and the libraries (the default)'
	@echo '  demo       installs what is missing, builds, shows what it is for'
	@echo '  check      installs what is missing, builds, runs every test'
	@echo '  quick      the same without the slow tests'
	@echo '  check-crash'
	@echo '             every crash of every two operations, recovered and judged'
	@echo '  check-crash-long'
	@echo '             of every three; what was done is kept in CRASH_DIR=build/crash-long'
	@echo '  check-rig  programs in a guest whose power is cut, disks that lose what they may'
	@echo '  check-rig-long'
	@echo '             RIG_CUTS=25 for each of RIG_MEDIA="file fsdax devdax" and'
	@echo '             RIG_FS="ext4 xfs btrfs", with SEED=the clock'
	@echo '  check-fs   the integration tests on ext4, xfs, btrfs and tmpfs, each a new one over'
	@echo '             an image; FS=xfs,ext4: on these.  As root'
	@echo '  check-faults'
	@echo '             each allocation, system call, completion and store operation fails,'
	@echo '             one after the other; check does one in so many'
	@echo '  check-installed'
	@echo '             the integration tests against what a release build installs'
	@echo '  model      only checks the models of the protocols, with spin'
	@echo '  deps       only installs what is missing, or says so'
	@echo '  bench      commit latency here, against fsync and databases: build/bench.json'
	@echo '  asan ubsan tsan valgrind'
	@echo '             the tests under that tool, built apart in build/asan, ...'
	@echo '  fuzz       each fuzz target for SECONDS=60, with SEED=the clock, under each of'
	@echo '             SANITIZERS="address memory"; TARGETS="put log": these alone'
	@echo '  soak       processes killed and stopped at random, SOAK_SECONDS=200 of each (SEED=);'
	@echo '             SOAK_TIMES=100 times its size through a log that is nine tenths full'
	@echo '  check-mutants'
	@echo '             the library without one of its flushes, fences, checks at a time:'
	@echo '             a test notices each (MUTANTS="p7-*"; tests/mutants/README.md)'
	@echo '  coverage   what the tests reach, built apart in build/coverage: lines and branches,'
	@echo '             and whether it has become less'
	@echo '  install uninstall'
	@echo '             under $$(DESTDIR)$$(PREFIX)'
	@echo '  clean      removes build/'
	@echo
	@sed -n '/^# Options/,/^$$/s/^#  \{0,1\}//p' Makefile

.PHONY: all tests deps model check check-crash check-crash-long check-rig check-rig-long check-fs check-faults check-mutants quick run-check asan ubsan tsan \
	check-installed valgrind fuzz soak coverage demo run-demo bench run-bench bench-programs install uninstall \
	clean help FORCE

define NEWLINE


endef

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

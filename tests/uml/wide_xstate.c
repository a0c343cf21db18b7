/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lets user-mode Linux 6.1 boot on processors whose register state is larger than it knows (AMX): preloaded into
 * linux.uml, see lib.sh.
 *
 * It saves and restores its processes' registers by ptrace with a buffer of 2696 bytes.  The host's kernel refuses
 * PTRACE_SETREGSET with less than the processor's whole state (xstateregs_set()), and the node dies as it
 * starts init.  What is beyond the buffer is here set to its initial state; a process that never asked the host for AMX
 * (arch_prctl) has nothing else there.  On processors with a small state nothing changes.
 */
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#define STATE_BYTES_MAX 65536
/* Intel SDM volume 1, 13.4.2: the header's first word says which components are not in their initial state; components
 * 17 and up (AMX) have no place in a buffer of that size. */
#define XSTATE_BV_OFFSET_BYTES 512
#define SMALL_COMPONENTS UINT64_C(0x1ffff)

static long (*real_ptrace)(int request, ...);
static size_t state_bytes; /* of the processor; 0: not asked yet */
static uint8_t state[STATE_BYTES_MAX];

__attribute__((constructor)) static void find_real(void)
{
	real_ptrace = (long (*)(int, ...))dlsym(RTLD_NEXT, "ptrace");
}

static long set_whole(pid_t pid, void *set, const struct iovec *small)
{
	struct iovec whole = { .iov_base = state, .iov_len = sizeof(state) };
	uint64_t components;

	if (state_bytes == 0) {
		if (real_ptrace(PTRACE_GETREGSET, pid, set, &whole) < 0)
			return -1;
		state_bytes = whole.iov_len;
		memset(state, 0, sizeof(state));
	}
	if (small->iov_len >= state_bytes)
		return real_ptrace(PTRACE_SETREGSET, pid, set, small);
	memcpy(state, small->iov_base, small->iov_len);
	memcpy(&components, state + XSTATE_BV_OFFSET_BYTES, sizeof(components));
	components &= SMALL_COMPONENTS;
	memcpy(state + XSTATE_BV_OFFSET_BYTES, &components, sizeof(components));
	whole.iov_len = state_bytes;
	return real_ptrace(PTRACE_SETREGSET, pid, set, &whole);
}

/* The prototype of <sys/ptrace.h>. */
long ptrace(enum __ptrace_request request, ...)
{
	va_list list;
	pid_t pid;
	void *address, *data;

	va_start(list, request);
	pid = va_arg(list, pid_t);
	address = va_arg(list, void *);
	data = va_arg(list, void *);
	va_end(list);
	if (request == PTRACE_SETREGSET && address == (void *)NT_X86_XSTATE)
		return set_whole(pid, address, data);
	return real_ptrace((int)request, pid, address, data);
}

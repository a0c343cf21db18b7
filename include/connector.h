/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The connector socket: where the kernel's dm-log-userspace asks, and where it is answered.
 *
 * Opening needs CAP_NET_ADMIN (joining the multicast group, forcing the buffer; kernels from 6.6 on
 * let anybody join this group, by the way in which cn_bind reads its argument) and the initial
 * network namespace (the kernel's connector lives in no other).  Answering needs CAP_SYS_ADMIN:
 * without it the kernel drops the answers and says nothing (cn_ulog_callback).
 *
 * Requests are multicast: every listener of a node gets every request, and two that answer break
 * mirrors.  Netlink cannot refuse a second listener; the caller must, before it opens.
 *
 * Owned by the shell; one thread.  Nothing is allocated after connector_open, and nothing is
 * logged.  Obeys: drivers/connector/connector.c, drivers/md/dm-log-userspace-transfer.c,
 * netlink(7).
 */
#ifndef DMCLOGD_CONNECTOR_H
#define DMCLOGD_CONNECTOR_H

#include <stdint.h>

#include "request.h"

/* Receive buffer asked for.  A waiting request takes about 1 KiB of it, so it holds some thousands:
 * each waiting kernel thread has one request under way, and a lost one costs it 15 s. */
#define CONNECTOR_RECEIVE_BUFFER_BYTES (8 * 1024 * 1024)

struct connector;

/* What has happened since connector_open.  Each datagram counts once in received, ignored, foreign,
 * malformed or unsupported. */
struct connector_counters {
	uint64_t received;      /* requests given to the caller */
	uint64_t ignored;       /* from the kernel, but not for us (-ENOMSG) */
	uint64_t foreign;       /* sent by a process: forged, or astray (-EPERM) */
	uint64_t malformed;     /* from the kernel, but not a request (-EMSGSIZE, -EBADMSG) */
	uint64_t unsupported;   /* a version or type that we do not know */
	uint64_t overruns;      /* times the kernel reported lost requests (-ENOBUFS) */
	uint64_t sent;          /* answers given to the kernel */
	uint64_t send_failures; /* answers that were not */
};

/*
 * Opens the socket, non-blocking and close-on-exec, joins the group of device-mapper, and asks for
 * CONNECTOR_RECEIVE_BUFFER_BYTES: by SO_RCVBUFFORCE, else (without CAP_NET_ADMIN in the initial
 * user namespace) by SO_RCVBUF, which net.core.rmem_max limits.  What was granted is told by
 * connector_receive_buffer_bytes: less than asked for deserves a warning.
 * Requests queue from here on, so the caller must read: they wait 15 s for their answers.
 *
 * Returns 0 and *ret_connector, which connector_close frees, or
 *   -EPERM         no CAP_NET_ADMIN
 *   -EPROTONOSUPPORT  this kernel has no netlink connector (CONFIG_CONNECTOR)
 *   -ECONNREFUSED  the connector does not live in this network namespace
 *   -ENOMEM
 *   -EIO           libnl failed in another way
 * or another negative errno of socket(2), setsockopt(2) or sendmsg(2).
 */
int connector_open(struct connector **ret_connector);

/*
 * The same with a socket that a predecessor has opened, and that was kept for its successor: requests wait in it.
 * Takes `fd` on success only.  Returns 0 and *ret_connector; -EPROTOTYPE: it is no connector socket that has joined the group of
 * device-mapper; -EBADF, -ENOTSOCK; or as connector_open().
 */
int connector_adopt(struct connector **ret_connector, int fd);

/* Leaves the group and frees; NULL is fine.  From now on the kernel finds no listener, or the next
 * one. */
void connector_close(struct connector *connector);

/* The file descriptor, for an event loop: readable means connector_receive.  Stays ours. */
int connector_fd(const struct connector *connector);

/* The socket's netlink port, as /proc/net/netlink shows it. */
uint32_t connector_port(const struct connector *connector);

/* The receive buffer that the kernel has granted, in the units of CONNECTOR_RECEIVE_BUFFER_BYTES
 * (half of what SO_RCVBUF reads, see socket(7)). */
uint32_t connector_receive_buffer_bytes(const struct connector *connector);

/*
 * Takes one datagram off the socket.  Only what the kernel itself sent is accepted: source address
 * and nlmsg_pid are both 0.  A process can write any nlmsg_pid, but its datagrams bear its own
 * address (netlink(7): nl_pid 0 is the kernel).  Call it until it returns 0, or, to be fair to other
 * event sources, some times.
 *
 * Returns 1 and *ret_request; 0 when nothing more is there; or
 *   -ENOBUFS          the buffer was full and requests were lost: seq has a gap; what is still
 *                     there can be received
 *   -EPROTONOSUPPORT, -ENOTSUP  see request_decode: *ret_request holds seq and luid, and the caller
 *                     should answer this error
 *   -EPERM, -ENOMSG, -EMSGSIZE, -EBADMSG  a datagram was dropped and counted; go on
 *   another negative errno of recvmsg(2): the socket is broken
 */
int connector_receive(struct connector *connector, struct request *ret_request);

/*
 * Sends one answer to the kernel, which takes it before this returns (the connector calls
 * cn_ulog_callback from within sendmsg): there is no queue that could lose it.
 *
 * Returns 0, or a negative errno of sendmsg(2), counted: -EAGAIN or -ENOBUFS (no memory for it now:
 * send it again, or let the kernel ask again after 15 s), -ECONNREFUSED (the kernel's connector is
 * gone), -EIO (cut short).  That nobody waits for this seq any more is no error.
 */
int connector_send(struct connector *connector, const struct answer *answer);

/* Lives as long as the connector. */
const struct connector_counters *connector_counters(const struct connector *connector);

#endif

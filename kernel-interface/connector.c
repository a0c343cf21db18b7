/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The connector socket, through libnl.
 *
 * Invariant: what leaves connector_receive as a request was sent by the kernel and has been
 * checked by request_decode.  Owned by the shell, used by one thread.  libnl opens and configures
 * the socket; datagrams go past it, since it would allocate for each.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/connector.h>
#include <linux/netlink.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include "connector.h"

struct connector {
	struct nl_sock *sock;
	uint32_t receive_buffer_bytes;
	struct connector_counters counters;
	/* A byte more than the longest request: a longer datagram is seen to be longer. */
	uint8_t datagram[REQUEST_DATAGRAM_MAX_BYTES + 1];
};

/* libnl has its own numbers, into which several errnos fall. */
static int errno_of_libnl(int error)
{
	switch (error < 0 ? -error : error) {
	case NLE_PERM:
		return -EPERM;
	case NLE_NOACCESS:
		return -EACCES;
	case NLE_NOMEM:
		return -ENOMEM;
	case NLE_AF_NOSUPPORT:
	case NLE_PROTO_MISMATCH:
		return -EPROTONOSUPPORT;
	case NLE_EXIST:
		return -EADDRINUSE;
	case NLE_AGAIN:
		return -EAGAIN;
	default:
		return -EIO;
	}
}

static int receive_buffer_grow(int fd, uint32_t *ret_granted_bytes)
{
	const int asked_bytes = CONNECTOR_RECEIVE_BUFFER_BYTES;
	int doubled_bytes = 0;
	socklen_t size_bytes = sizeof(doubled_bytes);

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &asked_bytes, sizeof(asked_bytes)) < 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &asked_bytes, sizeof(asked_bytes)) < 0)
		return -errno;
	if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &doubled_bytes, &size_bytes) < 0)
		return -errno;
	*ret_granted_bytes = (uint32_t)doubled_bytes / 2;
	return 0;
}

static int send_to_kernel(int fd, const void *bytes, size_t length_bytes)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	ssize_t sent_bytes;

	do
		sent_bytes = sendto(fd, bytes, length_bytes, MSG_DONTWAIT | MSG_NOSIGNAL,
				    (const struct sockaddr *)&kernel, sizeof(kernel));
	while (sent_bytes < 0 && errno == EINTR);
	if (sent_bytes < 0)
		return -errno;
	return (size_t)sent_bytes == length_bytes ? 0 : -EIO;
}

/*
 * Is the kernel's connector at the other end?  In another network namespace opening and joining
 * succeed, and then nothing ever comes; only sending tells.  The message is a netlink header
 * alone: cn_rx_skb drops what is shorter than a cn_msg.
 */
static int kernel_probe(int fd)
{
	const struct nlmsghdr nothing = { .nlmsg_len = NLMSG_HDRLEN, .nlmsg_type = NLMSG_NOOP };

	return send_to_kernel(fd, &nothing, sizeof(nothing));
}

/* `kept` is a predecessor's socket, which has joined already, or negative. */
static int socket_open(struct connector *connector, int kept)
{
	int r;

	connector->sock = nl_socket_alloc();
	if (!connector->sock)
		return -ENOMEM;
	/* The seq of a request counts for its answer alone, and the connector acknowledges none. */
	nl_socket_disable_seq_check(connector->sock);
	nl_socket_disable_auto_ack(connector->sock);
	r = kept < 0 ? nl_connect(connector->sock, NETLINK_CONNECTOR) :
		       nl_socket_set_fd(connector->sock, NETLINK_CONNECTOR, kept);
	if (r < 0)
		return errno_of_libnl(r);
	r = nl_socket_set_nonblocking(connector->sock);
	if (r < 0)
		return errno_of_libnl(r);
	/* Before joining: the first request may come at once. */
	r = receive_buffer_grow(nl_socket_get_fd(connector->sock),
				&connector->receive_buffer_bytes);
	if (r < 0)
		return r;
	r = kernel_probe(nl_socket_get_fd(connector->sock));
	if (r < 0 || kept >= 0)
		return r;
	r = nl_socket_add_membership(connector->sock, CN_IDX_DM);
	return r < 0 ? errno_of_libnl(r) : 0;
}

static int open_with(struct connector **ret_connector, int kept)
{
	struct connector *connector = calloc(1, sizeof(*connector));
	int r;

	if (!connector)
		return -ENOMEM;
	r = socket_open(connector, kept);
	if (r < 0) {
		connector_close(connector);
		return r;
	}
	*ret_connector = connector;
	return 0;
}

int connector_open(struct connector **ret_connector)
{
	return open_with(ret_connector, -1);
}

/* A negative answer of getsockopt(2) says why. */
static int is_ours(int fd)
{
	uint32_t groups = 0;
	int domain = 0, protocol = 0;
	socklen_t domain_bytes = sizeof(domain), protocol_bytes = sizeof(protocol);
	socklen_t groups_bytes = sizeof(groups);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &domain_bytes) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &protocol_bytes) < 0)
		return -errno;
	if (domain != AF_NETLINK || protocol != NETLINK_CONNECTOR)
		return -EPROTOTYPE;
	if (getsockopt(fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, &groups, &groups_bytes) < 0)
		return -errno;
	return (groups & (1u << (CN_IDX_DM - 1))) != 0 ? 0 : -EPROTOTYPE;
}

int connector_adopt(struct connector **ret_connector, int fd)
{
	int copy, r = is_ours(fd);

	if (r < 0)
		return r;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0)
		return -errno;
	r = open_with(ret_connector, copy);
	if (r == 0)
		(void)close(fd);
	return r;
}

void connector_close(struct connector *connector)
{
	if (!connector)
		return;
	nl_socket_free(connector->sock);
	free(connector);
}

int connector_fd(const struct connector *connector)
{
	return nl_socket_get_fd(connector->sock);
}

uint32_t connector_port(const struct connector *connector)
{
	return nl_socket_get_local_port(connector->sock);
}

uint32_t connector_receive_buffer_bytes(const struct connector *connector)
{
	return connector->receive_buffer_bytes;
}

/* Did the kernel send it?  The source address cannot be forged, nlmsg_pid can: both must say so. */
static bool sent_by_kernel(const struct msghdr *message, const struct sockaddr_nl *source,
			   const uint8_t *datagram, size_t length_bytes)
{
	struct nlmsghdr header;

	if (message->msg_namelen != sizeof(*source) || source->nl_family != AF_NETLINK ||
	    source->nl_pid != 0)
		return false;
	if (length_bytes < sizeof(header))
		return true;
	memcpy(&header, datagram, sizeof(header));
	return header.nlmsg_pid == 0;
}

int connector_receive(struct connector *connector, struct request *ret_request)
{
	struct sockaddr_nl source = { .nl_family = AF_UNSPEC };
	struct iovec buffer = { .iov_base = connector->datagram,
				.iov_len = sizeof(connector->datagram) };
	struct msghdr message = { .msg_name = &source,
				  .msg_namelen = sizeof(source),
				  .msg_iov = &buffer,
				  .msg_iovlen = 1 };
	ssize_t received_bytes;
	int r;

	do
		received_bytes = recvmsg(connector_fd(connector), &message, MSG_DONTWAIT);
	while (received_bytes < 0 && errno == EINTR);
	if (received_bytes < 0) {
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return 0;
		if (errno == ENOBUFS)
			connector->counters.overruns++;
		return -errno;
	}

	if (!sent_by_kernel(&message, &source, connector->datagram, (size_t)received_bytes)) {
		connector->counters.foreign++;
		return -EPERM;
	}
	/* A datagram that was cut is longer than any request. */
	r = request_decode(connector->datagram, (size_t)received_bytes, ret_request);
	switch (r) {
	case 0:
		connector->counters.received++;
		return 1;
	case -ENOMSG:
		connector->counters.ignored++;
		break;
	case -EPROTONOSUPPORT:
	case -ENOTSUP:
		connector->counters.unsupported++;
		break;
	default:
		connector->counters.malformed++;
		break;
	}
	return r;
}

int connector_send(struct connector *connector, const struct answer *answer)
{
	uint8_t datagram[REQUEST_ANSWER_MAX_BYTES];
	int r = answer_encode(answer, datagram, sizeof(datagram));

	if (r >= 0)
		r = send_to_kernel(connector_fd(connector), datagram, (size_t)r);
	if (r < 0)
		connector->counters.send_failures++;
	else
		connector->counters.sent++;
	return r;
}

const struct connector_counters *connector_counters(const struct connector *connector)
{
	return &connector->counters;
}

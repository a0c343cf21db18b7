/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The smallest possible userspace log: answers each request of the kernel at
 * once, everything in sync, remembers nothing but the geometry of each table.
 *
 * The yardstick of `make bench` (no daemon can be faster) and the tool that
 * captures golden files from a real kernel. Keeps no data safe: never use it
 * for anything else. Limits: TABLES_MAX tables; one netlink message at a time.
 *
 * usage: responder [--resync] [--capture DIR]
 *   --resync   nothing is in sync at first: the kernel recovers region by region
 *   --capture  write the first SAMPLES_MAX requests of each type and payload
 *              length, and their answers, to DIR/<n>-<type>-{request,answer}.bin
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/connector.h>
#include <linux/dm-ioctl.h>
#include <linux/dm-log-userspace.h>
#include <linux/netlink.h>

#define TABLES_MAX 64
#define SAMPLES_MAX 4
#define PACKET_BYTES 1024

/* A datagram: nlmsghdr, cn_msg, dm_ulog_request, payload, flat since the luid lies unaligned. */
struct packet {
	struct nlmsghdr netlink;
	struct cb_id id;
	uint32_t connector_seq;
	uint32_t ack;
	uint16_t connector_len;
	uint16_t connector_flags;
	uint64_t luid;
	char uuid[DM_UUID_LEN];
	char padding[3];
	uint32_t version;
	int32_t error;
	uint32_t seq;
	uint32_t request_type;
	uint32_t data_size;
	unsigned char payload[PACKET_BYTES];
} __attribute__((packed));

#define HEAD_BYTES offsetof(struct packet, payload)
_Static_assert(HEAD_BYTES == sizeof(struct nlmsghdr) + sizeof(struct cn_msg) +
				     sizeof(struct dm_ulog_request),
	       "struct packet is the kernel's layout");

struct table {
	uint64_t luid;
	uint64_t region_sectors;
	uint64_t region_count;
	uint64_t synced; /* the regions before this one are in sync */
	char status[64];
};

static struct table tables[TABLES_MAX];
static bool resync;
static const char *capture_dir;

static const char *const type_names[] = {
	"none",
	"ctr",
	"dtr",
	"presuspend",
	"postsuspend",
	"resume",
	"get_region_size",
	"is_clean",
	"in_sync",
	"flush",
	"mark_region",
	"clear_region",
	"get_resync_work",
	"set_region_sync",
	"get_sync_count",
	"status_info",
	"status_table",
	"is_remote_recovering",
};

static struct table *table_find(uint64_t luid)
{
	int i;

	for (i = 0; i < TABLES_MAX; i++)
		if (tables[i].luid == luid)
			return &tables[i];
	return NULL;
}

/* "SECTORS clustered-disk MAJOR:MINOR REGION ..." or "SECTORS clustered-core REGION ..." */
static int table_construct(struct packet *p, struct table *table, uint32_t *ret_bytes)
{
	const char *text = (const char *)p->payload;
	unsigned long long sectors, region_sectors;
	char type[32], device[32];

	if (sscanf(text, "%llu %31s %31s", &sectors, type, device) != 3)
		return -EINVAL;
	if (!strchr(device, ':'))
		region_sectors = strtoull(device, NULL, 10);
	else if (sscanf(text, "%*u %*s %*s %llu", &region_sectors) != 1)
		return -EINVAL;
	if (!region_sectors)
		return -EINVAL;
	table->luid = p->luid;
	table->region_sectors = region_sectors;
	table->region_count = (sectors + region_sectors - 1) / region_sectors;
	table->synced = resync && !strstr(text, " nosync") ? 0 : table->region_count;
	if (!strchr(device, ':')) {
		snprintf(table->status, sizeof(table->status), "1 clustered-core");
		return 0;
	}
	snprintf(table->status, sizeof(table->status), "3 clustered-disk %s A", device);
	*ret_bytes = (uint32_t)strlen(device) + 1;
	memcpy(p->payload, device, *ret_bytes);
	return 0;
}

static uint32_t answer_u64(struct packet *p, uint64_t first)
{
	memcpy(p->payload, &first, sizeof(first));
	return sizeof(first);
}

static uint32_t answer_pair(struct packet *p, int64_t first, uint64_t second)
{
	memcpy(p->payload, &first, sizeof(first));
	memcpy(p->payload + sizeof(first), &second, sizeof(second));
	return sizeof(first) + sizeof(second);
}

/* Turns a request into its answer in place; the bytes of the payload are returned. */
static uint32_t request_serve(struct packet *p, struct table *table)
{
	uint64_t region;
	int64_t in_sync;

	memcpy(&region, p->payload, sizeof(region));
	switch (DM_ULOG_REQUEST_TYPE(p->request_type)) {
	case DM_ULOG_DTR:
		table->luid = 0;
		return 0;
	case DM_ULOG_GET_REGION_SIZE:
		return answer_u64(p, table->region_sectors);
	case DM_ULOG_IS_CLEAN:
	case DM_ULOG_IN_SYNC:
		return answer_u64(p, region < table->synced);
	case DM_ULOG_GET_RESYNC_WORK:
		return answer_pair(p, table->synced < table->region_count, table->synced);
	case DM_ULOG_SET_REGION_SYNC:
		memcpy(&in_sync, p->payload + 8, sizeof(in_sync));
		if (in_sync && region == table->synced)
			table->synced++;
		return 0;
	case DM_ULOG_GET_SYNC_COUNT:
		return answer_u64(p, table->synced);
	case DM_ULOG_STATUS_INFO:
	case DM_ULOG_STATUS_TABLE:
		memcpy(p->payload, table->status, sizeof(table->status));
		return (uint32_t)strlen(table->status) + 1;
	case DM_ULOG_IS_REMOTE_RECOVERING:
		return answer_pair(p, 0, table->synced);
	default:
		return 0;
	}
}

static void answer_make(struct packet *p)
{
	struct table *table = table_find(p->luid);
	uint32_t bytes = 0;

	p->error = 0;
	if (p->request_type == DM_ULOG_CTR) {
		if (!table)
			table = table_find(0);
		p->error = table ? table_construct(p, table, &bytes) : -ENOMEM;
	} else if (table) {
		bytes = request_serve(p, table);
	} else {
		p->error = -ESRCH;
	}
	p->data_size = bytes;
	p->ack = 0;
	p->connector_flags = 0;
	p->connector_len = (uint16_t)(sizeof(struct dm_ulog_request) + bytes);
	p->netlink.nlmsg_len = (uint32_t)(HEAD_BYTES + bytes);
	p->netlink.nlmsg_type = NLMSG_DONE;
	p->netlink.nlmsg_flags = 0;
	p->netlink.nlmsg_seq = 0;
	p->netlink.nlmsg_pid = (uint32_t)getpid();
}

static void sample_write(unsigned int number, uint32_t type, const char *what, const void *bytes,
			 size_t count)
{
	char path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%04u-%s-%s.bin", capture_dir, number, type_names[type],
		 what);
	file = fopen(path, "w");
	if (!file || fwrite(bytes, 1, count, file) != count || fclose(file) != 0) {
		perror(path);
		exit(1);
	}
}

/* Is this request one of the first few of its type and length? Then it has a number. */
static unsigned int sample_number(uint32_t type, uint32_t payload_bytes)
{
	static unsigned char seen[sizeof(type_names) / sizeof(type_names[0])][PACKET_BYTES];
	static unsigned int last;

	if (!capture_dir || type >= sizeof(type_names) / sizeof(type_names[0]) ||
	    payload_bytes >= PACKET_BYTES || seen[type][payload_bytes] >= SAMPLES_MAX)
		return 0;
	seen[type][payload_bytes]++;
	return ++last;
}

static int packet_receive(int fd, struct packet *p, size_t *ret_bytes)
{
	struct sockaddr_nl from;
	socklen_t from_bytes = sizeof(from);
	ssize_t count = recvfrom(fd, p, sizeof(*p), 0, (struct sockaddr *)&from, &from_bytes);

	if (count < 0)
		return errno == ENOBUFS || errno == EINTR ? -EAGAIN : -errno;
	if ((size_t)count < HEAD_BYTES || from.nl_pid != 0 || p->id.idx != CN_IDX_DM ||
	    p->id.val != CN_VAL_DM_USERSPACE_LOG || p->data_size > (size_t)count - HEAD_BYTES)
		return -EAGAIN;
	*ret_bytes = (size_t)count;
	return 0;
}

static int serve(int fd)
{
	static struct packet p;

	for (;;) {
		struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
		unsigned int number;
		size_t bytes = 0;
		uint32_t type;
		int r = packet_receive(fd, &p, &bytes);

		if (r == -EAGAIN)
			continue;
		if (r < 0)
			return r;
		type = DM_ULOG_REQUEST_TYPE(p.request_type);
		number = sample_number(type, p.data_size);
		if (number)
			sample_write(number, type, "request", &p, bytes);
		memset((char *)&p + bytes, 0, sizeof(p) - bytes);
		answer_make(&p);
		if (number)
			sample_write(number, type, "answer", &p, p.netlink.nlmsg_len);
		if (sendto(fd, &p, p.netlink.nlmsg_len, 0, (struct sockaddr *)&kernel,
			   sizeof(kernel)) < 0)
			return -errno;
	}
}

static int socket_open(void)
{
	struct sockaddr_nl local = { .nl_family = AF_NETLINK };
	int group = CN_IDX_DM, bytes = 8 << 20;
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_CONNECTOR);

	if (fd < 0 || bind(fd, (struct sockaddr *)&local, sizeof(local)) < 0 ||
	    setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	return fd;
}

int main(int argc, char **argv)
{
	int i, fd, r;

	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--resync") == 0) {
			resync = true;
		} else if (strcmp(argv[i], "--capture") == 0 && i + 1 < argc) {
			capture_dir = argv[++i];
		} else {
			fprintf(stderr, "usage: %s [--resync] [--capture DIR]\n", argv[0]);
			return 2;
		}
	}
	fd = socket_open();
	if (fd < 0) {
		fprintf(stderr, "responder: no connector: %s\n", strerror(-fd));
		return 1;
	}
	puts("ready");
	fflush(stdout);
	r = serve(fd);
	fprintf(stderr, "responder: %s\n", strerror(-r));
	return 1;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What people are told of the node and its daemon, as enum core_event is of logs; daemon/report.c has how loud each is. */
#ifndef DMCLOGD_NEWS_H
#define DMCLOGD_NEWS_H

enum news {
	NEWS_CANNOT_SERVE, /* the daemon ends */
	NEWS_NO_CONTROL,   /* it serves, but dmclog does not reach it */
	NEWS_APART,        /* it is not in the group: corosync is not there, or not ready */
	NEWS_NO_QUORUM,
	NEWS_QUORUM,
	NEWS_GROUP,         /* who is in it, and who has left */
	NEWS_RING,          /* of corosync, for debugging */
	NEWS_STRANGER,      /* a message that is not understood */
	NEWS_NOT_ENDING,    /* daemon or corosync were told to, and mirrors are in use */
	NEWS_REQUESTS_LOST, /* of the kernel */
};

#endif

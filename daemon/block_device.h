/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opens block devices by number, as the kernel names log devices and legs.
 */
#ifndef DMCLOGD_BLOCK_DEVICE_H
#define DMCLOGD_BLOCK_DEVICE_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/machine_port.h"

/*
 * Opens major:minor for direct reading and writing.  Looks for its node in /dev/block, by the kernel's name in /dev, by
 * the device-mapper name in /dev/mapper, and last makes one in /run/dmclogd, removed again at once.
 * May block as long as the device does: for helper threads.
 * Returns 0; -ENODEV: no such device, or no node and none can be made; -EROFS: read-only; -EINVAL: a
 * logical block size outside 512 to 4096 or no power of two; other negative errno of open() or ioctl().
 * The caller closes ret_device->fd.
 */
int block_device_open(uint32_t major, uint32_t minor, struct block_device *ret_device);

/*
 * Copies the kernel's name of a device out of the text of its uevent file ("...\nDEVNAME=sda\n...").
 * Returns 0, or -ENODATA when there is none or it would lead out of /dev.  Pure.
 */
int block_device_name(const char *uevent, char *ret_name, size_t name_bytes);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* What the service manager is told: sd_notify(3), docs/decisions/0011-serve.md. */
#ifndef TOOLS_SERVE_NOTIFY_H
#define TOOLS_SERVE_NOTIFY_H

/**
 * serve_notify() - tell the service manager, if there is one
 * @state: as for sd_notify(3), "READY=1"
 * Return: 0, nobody listens included, or a negative errno.
 */
int serve_notify(const char *state);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* valgrind does not see that a ring fills buffers: under it there are no rings.
 * A header that does not preprocess makes the Makefile take log_uring_none.c. */
#error "no io_uring under valgrind"

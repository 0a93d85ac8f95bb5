/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/leg.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "format/super.h"

void leg_super_encode(const struct leg_meta *meta, struct leg_super *super)
{
	memset(super, 0, sizeof(*super));
	memcpy(super->magic, LEG_MAGIC, sizeof(super->magic));
	super->version = put_le32(FORMAT_VERSION);
	memcpy(super->uuid, meta->uuid, sizeof(super->uuid));
	super->pair = put_le64(meta->pair);
	super->bytes = put_le64(meta->bytes);
	super->events = put_le64(meta->events);
	super->left_ns = put_le64(meta->left_ns);
	super->leg = put_le32(meta->leg);
	super->good = put_le32(meta->good);
	super->crc = put_le32(super_crc(super, offsetof(struct leg_super, crc)));
}

static void leg_super_read(const struct leg_super *super, struct leg_meta *meta)
{
	memcpy(meta->uuid, super->uuid, sizeof(meta->uuid));
	meta->pair = get_le64(super->pair);
	meta->bytes = get_le64(super->bytes);
	meta->events = get_le64(super->events);
	meta->left_ns = get_le64(super->left_ns);
	meta->leg = get_le32(super->leg);
	meta->good = get_le32(super->good);
}

int leg_super_decode(const struct leg_super *super, uint64_t medium_bytes, bool read_only,
		     struct leg_meta *meta, const char **why)
{
	struct super_common common = {
		.magic_wanted = LEG_MAGIC,
		.magic = super->magic,
		.version = super->version,
		.crc = super->crc,
		.crc_expected = super_crc(super, offsetof(struct leg_super, crc)),
		.ro_compat = super->ro_compat,
		.incompat = super->incompat,
		.incompat_known = LEG_INCOMPAT_KNOWN,
	};
	int error = super_validate(&common, read_only, why);

	if (error) {
		if (error == -ENODATA)
			*why = "no leg of a mirrored log there";
		return error;
	}
	leg_super_read(super, meta);
	if (meta->leg >= LEGS || !meta->good || meta->good & ~LEGS_ALL || meta->bytes % 4096 ||
	    !meta->bytes || meta->bytes > 1ull << 50) {
		*why = "what the leg's superblock says makes no sense";
		return -EUCLEAN;
	}
	/* what is wanted of it by now is for the log's own superblocks, or journal.conf */
	if (medium_bytes <= LEG_HEAD_BYTES) {
		*why = "the medium is too short for a leg";
		return -EUCLEAN;
	}
	return 0;
}

int leg_supers_decode(const struct leg_super super[LEG_SUPERS], uint64_t medium_bytes,
		      bool read_only, struct leg_meta *meta, const char **why)
{
	struct leg_meta found[LEG_SUPERS];
	const char *reason[LEG_SUPERS] = { NULL };
	int error[LEG_SUPERS];
	unsigned int i, best;

	for (i = 0; i < LEG_SUPERS; i++)
		error[i] = leg_super_decode(&super[i], medium_bytes, read_only, &found[i],
					    &reason[i]);
	if (!error[0] && (error[1] || found[0].events >= found[1].events))
		best = 0;
	else
		/* of two that are bad, the one that was a superblock once says more */
		best = !error[1] || error[0] == -ENODATA;
	*meta = found[best];
	*why = reason[best];
	return error[best];
}

unsigned int leg_supers_bad(const struct leg_super super[LEG_SUPERS])
{
	struct leg_meta meta;
	unsigned int i, bad = 0;
	const char *why;
	int error;

	for (i = 0; i < LEG_SUPERS; i++) {
		error = leg_super_decode(&super[i], UINT64_MAX, true, &meta, &why);
		/* whole, and of a newer library: that is no damage */
		if (error == -EPROTO && get_le32(super[i].crc) ==
					super_crc(&super[i], offsetof(struct leg_super, crc)))
			error = 0;
		bad |= (unsigned int)!!error << i;
	}
	return bad;
}

uint32_t legs_judge(const struct leg_meta meta[LEGS])
{
	uint32_t i, out = 0;

	for (i = 0; i < LEGS; i++)
		/* what a leg that is out itself says of the other one is old */
		if (!(meta[i].good >> i & 1) ||
		    (meta[!i].good >> !i & 1 && !(meta[!i].good >> i & 1)))
			out |= 1u << i;
	return out;
}

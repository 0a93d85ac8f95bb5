/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * NVRAM behind caches, for all models.
 *
 * A word has what the processors see (v) and what a power cut leaves (d). A
 * store changes v; the cache may write it back at once, later, or never, which
 * is decided at the store: only a power cut ever looks at d, and it finds there
 * the last fenced value or any that was stored since, each word for itself, so
 * an earlier or later moment of writing back would show nothing else. A fence
 * names the words that were flushed before it; what they hold then is durable.
 *
 * A killed process leaves all v as they are: its stores are in the caches. Its
 * own variables are gone (`unless` in the models).
 */
typedef word {
	byte v;
	byte d
};

inline nv_store(w, x)
{
	atomic {
		w.v = x;
		if
		:: true
		:: w.d = w.v
		fi
	}
}

inline nv_fence(w)
{
	w.d = w.v
}

inline nv_fence2(w1, w2)
{
	d_step { w1.d = w1.v; w2.d = w2.v }
}

#define IMPLIES(a, b) (!(a) || (b))

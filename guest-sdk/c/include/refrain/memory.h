/*
 * Memory of a run, and texts made in it.
 *
 * An instance has one run, and when that waits for long or has ended, the instance goes, and all its memory at once. So
 * the SDK takes memory and never gives any back, and what it gives you stays where it is until the run's end: nothing
 * needs to be freed, nothing dangles. How much that comes to is bounded by the run's journal, which is bounded itself.
 * What computes much between two calls of the host can use `malloc` and `free` for it as ever.
 *
 * What a query's handler looks at must outlive the workflow's function, since a run that has ended is asked, too. So
 * take it from here, with `refrain_new`, and not from the stack.
 */
#ifndef REFRAIN_MEMORY_H
#define REFRAIN_MEMORY_H

#include <stdarg.h>
#include <stddef.h>

#if defined(__GNUC__) || defined(__clang__)
#define REFRAIN_PRINTF(text, first) __attribute__((__format__(__printf__, text, first)))
#define REFRAIN_NORETURN __attribute__((__noreturn__))
#else
#define REFRAIN_PRINTF(text, first)
#define REFRAIN_NORETURN
#endif

/* That many bytes, all zero, aligned for anything. */
void *refrain_alloc(size_t size);

/* `count` times `size` bytes, all zero; a product that is too large is a bug. */
void *refrain_alloc_array(size_t count, size_t size);

/* One `T`, all zero. */
#define refrain_new(T) ((T *)refrain_alloc(sizeof(T)))

/* So many of `T`, all zero. */
#define refrain_new_array(T, count) ((T *)refrain_alloc_array((count), sizeof(T)))

/*
 * A text, put together as by `printf`: of its conversions d i u c s g and %, with the flags 0 and -, a width, a
 * precision of s, and the lengths l, ll, z, j and h. `%g` writes the shortest number that reads back as the same.
 * Others are a bug.
 */
char *refrain_text(const char *format, ...) REFRAIN_PRINTF(1, 2);

char *refrain_text_v(const char *format, va_list arguments);

/* A copy of `len` bytes with a zero behind it. */
char *refrain_copy(const char *data, size_t len);

#endif

/*
 * JSON, as values that are read, put together, and written always in the same way.
 *
 * A replay compares bytes, so a value must be written alike each time: without spaces, members in the order in which
 * they were set, integers as integers, other numbers by the fewest digits that read back as the same (`1.0`, `1e-7`),
 * and no more escapes than JSON asks for. That is what the SDKs of other languages write, too.
 *
 * A null pointer stands for `null` wherever a value is taken. Values are shared, not copied: do not change one that you
 * have handed on.
 */
#ifndef REFRAIN_JSON_H
#define REFRAIN_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memory.h"

typedef struct refrain_json refrain_json;

typedef enum {
    REFRAIN_JSON_NULL,
    REFRAIN_JSON_BOOL,
    REFRAIN_JSON_INTEGER, /* from the least int64_t to the greatest uint64_t */
    REFRAIN_JSON_NUMBER,  /* any other number */
    REFRAIN_JSON_STRING,
    REFRAIN_JSON_ARRAY,
    REFRAIN_JSON_OBJECT
} refrain_json_kind;

refrain_json_kind refrain_kind(const refrain_json *value);

/* Making */

refrain_json *refrain_null(void);
refrain_json *refrain_bool(bool value);
refrain_json *refrain_int(int64_t value);
refrain_json *refrain_uint(uint64_t value);

/* What is no number in JSON (NaN, infinity) is `null`. */
refrain_json *refrain_number(double value);

/* A copy of a text in UTF-8; `null` for a null pointer. */
refrain_json *refrain_string(const char *text);
refrain_json *refrain_string_n(const char *text, size_t len);

refrain_json *refrain_array(void);

/* Adds to an array at its end, and gives the array. */
refrain_json *refrain_push(refrain_json *array, const refrain_json *value);

refrain_json *refrain_object(void);

/* Sets a member of an object, in place of the one of that key if there is one, and gives the object. */
refrain_json *refrain_set(refrain_json *object, const char *key, const refrain_json *value);

/*
 * A value by example: JSON in which conversions of `printf` stand for values, whose types the compiler checks. For
 * easier reading in C, texts may be in single quotes:
 *
 *     refrain_jsonf("{'path': %s, 'size': %llu, 'tags': %p}", path, size, (void *)tags)
 *
 * %d %i %u with lengths are integers, %s a string (not only its inside; a null pointer is null), %g a number, %p a
 * `refrain_json *`. An example that is no JSON is a bug.
 */
refrain_json *refrain_jsonf(const char *format, ...) REFRAIN_PRINTF(1, 2);

/* Reading. What is asked of a value of another kind is zero, an empty text or null: look at the kind first where it
 * may be another, or let a type do it (type.h), which tells what does not fit. */

bool refrain_as_bool(const refrain_json *value);

/* The integer, also one that is larger than its type has room for, then the nearest that it has. */
int64_t refrain_as_int(const refrain_json *value);
uint64_t refrain_as_uint(const refrain_json *value);

/* The number, integers as well. */
double refrain_as_number(const refrain_json *value);

/* The text, with a zero behind it. */
const char *refrain_as_string(const refrain_json *value);

/* How many bytes a text has, how many values an array, how many members an object. */
size_t refrain_count(const refrain_json *value);

/* The value of an array at that place; null where there is none. */
const refrain_json *refrain_at(const refrain_json *array, size_t place);

/* The member of an object of that key; null where there is none. */
const refrain_json *refrain_get(const refrain_json *object, const char *key);

/* Key and value of the member at that place, by the order of the text. */
const char *refrain_key_at(const refrain_json *object, size_t place);
const refrain_json *refrain_value_at(const refrain_json *object, size_t place);

/* Texts */

/* Reads a text of `len` bytes. Gives a null pointer and says in `*why` what is wrong with it where it is no JSON. */
refrain_json *refrain_parse(const char *text, size_t len, const char **why);

/* The text of a value, with a zero behind it that `*len` does not count; `len` may be null. */
const char *refrain_write(const refrain_json *value, size_t *len);

#endif

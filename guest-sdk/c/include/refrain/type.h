/*
 * Types: how C values are read from JSON and written as JSON, and what is told of them to others.
 *
 * A type is a table. From it come the reading of inputs, with words for what does not fit, the writing of results, and
 * the JSON Schemas that the host shows:
 *
 *     typedef struct {
 *         const char *path;
 *         uint64_t size;
 *     } file;
 *
 *     static const refrain_field FILE_FIELDS[] = {
 *         REFRAIN_FIELD(file, path, &refrain_type_string, "Where it is."),
 *         REFRAIN_FIELD(file, size, &refrain_type_uint64, "In bytes."),
 *     };
 *     static const refrain_type FILE_TYPE = REFRAIN_STRUCT("File", file, FILE_FIELDS);
 */
#ifndef REFRAIN_TYPE_H
#define REFRAIN_TYPE_H

#include "failure.h"

typedef enum {
    REFRAIN_SHAPE_ANY,    /* const refrain_json * */
    REFRAIN_SHAPE_NULL,   /* nothing */
    REFRAIN_SHAPE_BOOL,   /* bool */
    REFRAIN_SHAPE_INT64,  /* int64_t */
    REFRAIN_SHAPE_UINT64, /* uint64_t */
    REFRAIN_SHAPE_UINT32, /* uint32_t */
    REFRAIN_SHAPE_NUMBER, /* double */
    REFRAIN_SHAPE_STRING, /* const char * */
    REFRAIN_SHAPE_STRUCT, /* a struct of the fields */
    REFRAIN_SHAPE_LIST,   /* REFRAIN_LIST(T) */
    REFRAIN_SHAPE_OPTION  /* const T *, null for none */
} refrain_shape;

typedef struct refrain_type refrain_type;

typedef struct {
    const char *name;
    const refrain_type *type;
    size_t offset;
    const char *doc;      /* for people who start the workflow; may be null */
    const char *fallback; /* JSON that stands for it where it is not given; null: it must be given */
    bool unless_null;     /* is not written where it is null */
} refrain_field;

struct refrain_type {
    refrain_shape shape;
    size_t size;                 /* of the C type */
    const char *title;           /* null for none */
    const char *schema;          /* JSON Schema in place of the derived one; null: derived */
    const refrain_type *element; /* of a list or an option */
    const refrain_field *fields; /* of a struct */
    size_t field_count;
    bool strict; /* a struct's member that no field is of is a failure; else it is ignored */
};

extern const refrain_type refrain_type_any;
extern const refrain_type refrain_type_null;
extern const refrain_type refrain_type_bool;
extern const refrain_type refrain_type_int64;
extern const refrain_type refrain_type_uint64;
extern const refrain_type refrain_type_uint32;
extern const refrain_type refrain_type_number;
extern const refrain_type refrain_type_string;

#define REFRAIN_COUNT_(array) (sizeof(array) / sizeof((array)[0]))

/* A field that must be there. */
#define REFRAIN_FIELD(T, member, of, text) {.name = #member, .type = (of), .offset = offsetof(T, member), .doc = (text)}

/* A field for which JSON stands where it is not given. */
#define REFRAIN_FIELD_OR(T, member, of, json, text) \
    {.name = #member, .type = (of), .offset = offsetof(T, member), .doc = (text), .fallback = (json)}

/* A struct, and one that refuses members that it does not know. */
#define REFRAIN_STRUCT(name, T, table) \
    {.shape = REFRAIN_SHAPE_STRUCT,    \
     .size = sizeof(T),                \
     .title = (name),                  \
     .fields = (table),                \
     .field_count = REFRAIN_COUNT_(table)}
#define REFRAIN_STRICT_STRUCT(name, T, table) \
    {.shape = REFRAIN_SHAPE_STRUCT,           \
     .size = sizeof(T),                       \
     .title = (name),                         \
     .fields = (table),                       \
     .field_count = REFRAIN_COUNT_(table),    \
     .strict = true}

/* The C type of a list, and its description by that of its items. */
#define REFRAIN_LIST(T) \
    struct {            \
        const T *items; \
        size_t count;   \
    }
#define REFRAIN_LIST_OF(of) {.shape = REFRAIN_SHAPE_LIST, .size = sizeof(REFRAIN_LIST(void)), .element = (of)}

/* What may be null: a pointer. Strings need it too. */
#define REFRAIN_OPTION_OF(of) {.shape = REFRAIN_SHAPE_OPTION, .size = sizeof(void *), .element = (of)}

/* JSON of any form, with a schema of your own. */
#define REFRAIN_ANY_WITH_SCHEMA(json) {.shape = REFRAIN_SHAPE_ANY, .size = sizeof(void *), .schema = (json)}

/* Reads a value into `out`, which has the C type of `type`. Null, or what does not fit, with its field (`bad-json`). */
const refrain_failure *refrain_decode(const refrain_type *type, const refrain_json *value, void *out);

/* Writes the value at `from`, which has the C type of `type`. */
refrain_json *refrain_encode(const refrain_type *type, const void *from);

/* The JSON Schema (2020-12) of a type. */
const char *refrain_schema(const refrain_type *type);

#endif

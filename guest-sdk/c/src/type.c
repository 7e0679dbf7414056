/*
 * C values from JSON and back, as their types say.
 */
#include "internal.h"

#include <string.h>

#define SCALAR(name, of, T) const refrain_type refrain_type_##name = {.shape = of, .size = sizeof(T), .title = #name}

const refrain_type refrain_type_any = {.shape = REFRAIN_SHAPE_ANY, .size = sizeof(const refrain_json *)};
const refrain_type refrain_type_null = {.shape = REFRAIN_SHAPE_NULL, .title = "null"};
SCALAR(bool, REFRAIN_SHAPE_BOOL, bool);
SCALAR(int64, REFRAIN_SHAPE_INT64, int64_t);
SCALAR(uint64, REFRAIN_SHAPE_UINT64, uint64_t);
SCALAR(uint32, REFRAIN_SHAPE_UINT32, uint32_t);
SCALAR(number, REFRAIN_SHAPE_NUMBER, double);
SCALAR(string, REFRAIN_SHAPE_STRING, const char *);

/* Where in a value something does not fit: a list that the calls of `decode` are on, from the inside out. */
typedef struct place {
    const struct place *outer;
    const char *field; /* null: an item of a list */
    size_t item;
} place;

static void put_place(buffer *to, const place *at)
{
    if (at->outer) put_place(to, at->outer);
    if (at->field) {
        if (to->len) refrain__put_char(to, '.');
        refrain__put_text(to, at->field);
    } else {
        refrain__put_char(to, '[');
        refrain__put_uint(to, at->item);
        refrain__put_char(to, ']');
    }
}

static const refrain_failure *bad(const place *at, const char *why)
{
    if (!at) return refrain_fail("bad-json", "%s", why);
    buffer path = {0};
    put_place(&path, at);
    return refrain_fail("bad-json", "field `%s`: %s", refrain__take_text(&path, NULL), why);
}

/* A value in the words of people who sent another. */
static const char *shown(const refrain_json *value)
{
    const char *text = refrain_write(value, NULL);
    switch (refrain_kind(value)) {
    case REFRAIN_JSON_NULL: return "null";
    case REFRAIN_JSON_BOOL: return refrain_text("boolean `%s`", text);
    case REFRAIN_JSON_INTEGER: return refrain_text("integer `%s`", text);
    case REFRAIN_JSON_NUMBER: return refrain_text("floating point `%s`", text);
    case REFRAIN_JSON_STRING: return refrain_text("string %s", text);
    case REFRAIN_JSON_ARRAY: return "sequence";
    case REFRAIN_JSON_OBJECT: return "map";
    }
    return "";
}

static const refrain_failure *unexpected(const place *at, const refrain_json *value, const char *expected)
{
    return bad(at, refrain_text("invalid type: %s, expected %s", shown(value), expected));
}

static const refrain_failure *out_of_range(const place *at, const refrain_json *value, const char *expected)
{
    return bad(at, refrain_text("invalid value: %s, expected %s", shown(value), expected));
}

static const refrain_failure *decode(const refrain_type *type, const refrain_json *value, char *out, const place *at);

static const refrain_failure *decode_integer(const refrain_type *type, const refrain_json *value, char *out,
                                             const place *at)
{
    const char *expected = type->shape == REFRAIN_SHAPE_INT64    ? "i64"
                           : type->shape == REFRAIN_SHAPE_UINT64 ? "u64"
                                                                 : "u32";
    if (refrain_kind(value) != REFRAIN_JSON_INTEGER) return unexpected(at, value, expected);
    uint64_t magnitude = value->u.magnitude;
    if (type->shape == REFRAIN_SHAPE_INT64) {
        if (!value->negative && magnitude > INT64_MAX) return out_of_range(at, value, expected);
        *(int64_t *)out = refrain_as_int(value);
        return NULL;
    }
    bool small = type->shape == REFRAIN_SHAPE_UINT32;
    if (value->negative || (small && magnitude > UINT32_MAX)) return out_of_range(at, value, expected);
    if (small) *(uint32_t *)out = (uint32_t)magnitude;
    else *(uint64_t *)out = magnitude;
    return NULL;
}

static const refrain_failure *decode_list(const refrain_type *type, const refrain_json *value, char *out,
                                          const place *at)
{
    if (refrain_kind(value) != REFRAIN_JSON_ARRAY) return unexpected(at, value, "a sequence");
    REFRAIN_LIST(void) list = {refrain_alloc_array(value->count, type->element->size), value->count};
    for (size_t i = 0; i < value->count; i++) {
        place inner = {at, NULL, i};
        char *item = (char *)list.items + i * type->element->size;
        const refrain_failure *why = decode(type->element, value->u.items[i], item, &inner);
        if (why) return why;
    }
    memcpy(out, &list, sizeof list);
    return NULL;
}

static const refrain_field *find_field(const refrain_type *type, const char *name, size_t *index)
{
    for (*index = 0; *index < type->field_count; ++*index)
        if (strcmp(type->fields[*index].name, name) == 0) return &type->fields[*index];
    return NULL;
}

static const char *field_names(const refrain_type *type)
{
    buffer names = {0};
    for (size_t i = 0; i < type->field_count; i++) {
        if (i) refrain__put_text(&names, ", ");
        refrain__put_char(&names, '`');
        refrain__put_text(&names, type->fields[i].name);
        refrain__put_char(&names, '`');
    }
    return refrain__take_text(&names, NULL);
}

static const refrain_failure *decode_missing(const refrain_field *field, char *out, const place *at)
{
    const char *fallback = field->fallback;
    if (!fallback) {
        if (field->type->shape != REFRAIN_SHAPE_OPTION) return bad(at, refrain_text("missing field `%s`", field->name));
        fallback = "null";
    }
    const char *wrong = NULL;
    const refrain_json *value = refrain_parse(fallback, strlen(fallback), &wrong);
    const refrain_failure *why = value ? decode(field->type, value, out, at) : NULL;
    if (wrong) REFRAIN_BUG("the fallback of field `%s` is no JSON: %s", field->name, wrong);
    if (why) REFRAIN_BUG("the fallback of field `%s` does not fit: %s", field->name, refrain_failure_text(why));
    return NULL;
}

static const refrain_failure *decode_struct(const refrain_type *type, const refrain_json *value, char *out,
                                            const place *at)
{
    if (refrain_kind(value) != REFRAIN_JSON_OBJECT)
        return unexpected(at, value, type->title ? refrain_text("struct %s", type->title) : "a map");
    bool *seen = refrain_alloc(type->field_count);
    for (size_t i = 0; i < value->count; i++) {
        const member *each = &value->u.members[i];
        size_t index;
        const refrain_field *field = find_field(type, each->key, &index);
        if (!field) {
            if (!type->strict) continue;
            place inner = {at, each->key, 0};
            return bad(&inner, refrain_text("unknown field `%s`, expected one of %s", each->key, field_names(type)));
        }
        if (seen[index]) return bad(at, refrain_text("duplicate field `%s`", each->key));
        seen[index] = true;
        place inner = {at, each->key, 0};
        const refrain_failure *why = decode(field->type, each->value, out + field->offset, &inner);
        if (why) return why;
    }
    for (size_t i = 0; i < type->field_count; i++) {
        if (seen[i]) continue;
        const refrain_failure *why = decode_missing(&type->fields[i], out + type->fields[i].offset, at);
        if (why) return why;
    }
    return NULL;
}

static const refrain_failure *decode(const refrain_type *type, const refrain_json *value, char *out, const place *at)
{
    refrain_json_kind kind = refrain_kind(value);
    switch (type->shape) {
    case REFRAIN_SHAPE_ANY: *(const refrain_json **)out = value; return NULL;
    case REFRAIN_SHAPE_NULL: return kind == REFRAIN_JSON_NULL ? NULL : unexpected(at, value, "unit");
    case REFRAIN_SHAPE_BOOL:
        if (kind != REFRAIN_JSON_BOOL) return unexpected(at, value, "a boolean");
        *(bool *)out = value->u.truth;
        return NULL;
    case REFRAIN_SHAPE_INT64:
    case REFRAIN_SHAPE_UINT64:
    case REFRAIN_SHAPE_UINT32: return decode_integer(type, value, out, at);
    case REFRAIN_SHAPE_NUMBER:
        if (kind != REFRAIN_JSON_INTEGER && kind != REFRAIN_JSON_NUMBER) return unexpected(at, value, "f64");
        *(double *)out = refrain_as_number(value);
        return NULL;
    case REFRAIN_SHAPE_STRING:
        if (kind != REFRAIN_JSON_STRING) return unexpected(at, value, "a string");
        /* A text of C ends with its first zero: rather no text than half of it. */
        if (memchr(value->u.text, 0, value->count)) return out_of_range(at, value, "a string without a zero byte");
        *(const char **)out = value->u.text;
        return NULL;
    case REFRAIN_SHAPE_STRUCT: return decode_struct(type, value, out, at);
    case REFRAIN_SHAPE_LIST: return decode_list(type, value, out, at);
    case REFRAIN_SHAPE_OPTION: {
        if (kind == REFRAIN_JSON_NULL) {
            *(void **)out = NULL;
            return NULL;
        }
        char *inner = refrain_alloc(type->element->size);
        *(char **)out = inner;
        return decode(type->element, value, inner, at);
    }
    }
    REFRAIN_BUG("a type has the shape %d", type->shape);
}

const refrain_failure *refrain_decode(const refrain_type *type, const refrain_json *value, void *out)
{
    return decode(type, value, out, NULL);
}

refrain_json *refrain_encode(const refrain_type *type, const void *from)
{
    switch (type->shape) {
    case REFRAIN_SHAPE_ANY: {
        union { /* it is handed on, and not changed here */
            const refrain_json *given;
            refrain_json *value;
        } any = {*(const refrain_json *const *)from};
        return any.value ? any.value : refrain_null();
    }
    case REFRAIN_SHAPE_NULL: return refrain_null();
    case REFRAIN_SHAPE_BOOL: return refrain_bool(*(const bool *)from);
    case REFRAIN_SHAPE_INT64: return refrain_int(*(const int64_t *)from);
    case REFRAIN_SHAPE_UINT64: return refrain_uint(*(const uint64_t *)from);
    case REFRAIN_SHAPE_UINT32: return refrain_uint(*(const uint32_t *)from);
    case REFRAIN_SHAPE_NUMBER: return refrain_number(*(const double *)from);
    case REFRAIN_SHAPE_STRING: return refrain_string(*(const char *const *)from);
    case REFRAIN_SHAPE_STRUCT: {
        refrain_json *object = refrain_object();
        for (size_t i = 0; i < type->field_count; i++) {
            const refrain_field *field = &type->fields[i];
            refrain_json *value = refrain_encode(field->type, (const char *)from + field->offset);
            if (field->unless_null && refrain_kind(value) == REFRAIN_JSON_NULL) continue;
            refrain__add(object, field->name, strlen(field->name), value);
        }
        return object;
    }
    case REFRAIN_SHAPE_LIST: {
        const REFRAIN_LIST(void) *list = from;
        refrain_json *array = refrain_array();
        for (size_t i = 0; i < list->count; i++)
            refrain_push(array, refrain_encode(type->element, (const char *)list->items + i * type->element->size));
        return array;
    }
    case REFRAIN_SHAPE_OPTION: {
        const void *inner = *(const void *const *)from;
        return inner ? refrain_encode(type->element, inner) : refrain_null();
    }
    }
    REFRAIN_BUG("a type has the shape %d", type->shape);
}

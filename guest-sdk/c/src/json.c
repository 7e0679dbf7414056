/*
 * JSON values: making them, and looking at them.
 */
#include "internal.h"

#include <string.h>

static refrain_json *make(refrain_json_kind kind)
{
    refrain_json *value = refrain_new(refrain_json);
    value->kind = kind;
    return value;
}

refrain_json_kind refrain_kind(const refrain_json *value)
{
    return value ? value->kind : REFRAIN_JSON_NULL;
}

refrain_json *refrain_null(void)
{
    return make(REFRAIN_JSON_NULL);
}

refrain_json *refrain_bool(bool truth)
{
    refrain_json *value = make(REFRAIN_JSON_BOOL);
    value->u.truth = truth;
    return value;
}

refrain_json *refrain__integer(bool negative, uint64_t magnitude)
{
    refrain_json *value = make(REFRAIN_JSON_INTEGER);
    value->negative = negative && magnitude;
    value->u.magnitude = magnitude;
    return value;
}

refrain_json *refrain_int(int64_t n)
{
    return refrain__integer(n < 0, n < 0 ? 0 - (uint64_t)n : (uint64_t)n);
}

refrain_json *refrain_uint(uint64_t n)
{
    return refrain__integer(false, n);
}

refrain_json *refrain_number(double n)
{
    if (n - n != 0) return refrain_null();
    refrain_json *value = make(REFRAIN_JSON_NUMBER);
    value->u.number = n;
    return value;
}

refrain_json *refrain__string_of(const char *text, size_t len)
{
    refrain_json *value = make(REFRAIN_JSON_STRING);
    value->u.text = text;
    value->count = len;
    return value;
}

refrain_json *refrain_string_n(const char *text, size_t len)
{
    return text ? refrain__string_of(refrain_copy(text, len), len) : refrain_null();
}

refrain_json *refrain_string(const char *text)
{
    return text ? refrain_string_n(text, strlen(text)) : refrain_null();
}

refrain_json *refrain_array(void)
{
    return make(REFRAIN_JSON_ARRAY);
}

refrain_json *refrain_push(refrain_json *array, const refrain_json *value)
{
    if (refrain_kind(array) != REFRAIN_JSON_ARRAY) REFRAIN_BUG("refrain_push wants an array");
    array->u.items = refrain__grown(array->u.items, array->count, &array->capacity, sizeof *array->u.items);
    array->u.items[array->count++] = value;
    return array;
}

refrain_json *refrain_object(void)
{
    return make(REFRAIN_JSON_OBJECT);
}

void refrain__add(refrain_json *object, const char *key, size_t len, const refrain_json *value)
{
    object->u.members = refrain__grown(object->u.members, object->count, &object->capacity, sizeof *object->u.members);
    object->u.members[object->count++] = (member){key, len, value};
}

refrain_json *refrain_set(refrain_json *object, const char *key, const refrain_json *value)
{
    if (refrain_kind(object) != REFRAIN_JSON_OBJECT) REFRAIN_BUG("refrain_set wants an object");
    for (size_t i = 0; i < object->count; i++)
        if (strcmp(object->u.members[i].key, key) == 0) {
            object->u.members[i].value = value;
            return object;
        }
    refrain__add(object, refrain__copy_text(key), strlen(key), value);
    return object;
}

bool refrain_as_bool(const refrain_json *value)
{
    return refrain_kind(value) == REFRAIN_JSON_BOOL && value->u.truth;
}

int64_t refrain_as_int(const refrain_json *value)
{
    if (refrain_kind(value) != REFRAIN_JSON_INTEGER) return 0;
    if (value->negative) return (int64_t)(0 - value->u.magnitude);
    return value->u.magnitude > INT64_MAX ? INT64_MAX : (int64_t)value->u.magnitude;
}

uint64_t refrain_as_uint(const refrain_json *value)
{
    return refrain_kind(value) == REFRAIN_JSON_INTEGER && !value->negative ? value->u.magnitude : 0;
}

double refrain_as_number(const refrain_json *value)
{
    if (refrain_kind(value) == REFRAIN_JSON_NUMBER) return value->u.number;
    if (refrain_kind(value) != REFRAIN_JSON_INTEGER) return 0;
    double n = (double)value->u.magnitude;
    return value->negative ? -n : n;
}

const char *refrain_as_string(const refrain_json *value)
{
    return refrain_kind(value) == REFRAIN_JSON_STRING ? value->u.text : "";
}

size_t refrain_count(const refrain_json *value)
{
    return value ? value->count : 0;
}

const refrain_json *refrain_at(const refrain_json *array, size_t place)
{
    if (refrain_kind(array) != REFRAIN_JSON_ARRAY || place >= array->count) return NULL;
    return array->u.items[place];
}

const refrain_json *refrain_get(const refrain_json *object, const char *key)
{
    if (refrain_kind(object) != REFRAIN_JSON_OBJECT) return NULL;
    for (size_t i = 0; i < object->count; i++)
        if (strcmp(object->u.members[i].key, key) == 0) return object->u.members[i].value;
    return NULL;
}

const char *refrain_key_at(const refrain_json *object, size_t place)
{
    if (refrain_kind(object) != REFRAIN_JSON_OBJECT || place >= object->count) return "";
    return object->u.members[place].key;
}

const refrain_json *refrain_value_at(const refrain_json *object, size_t place)
{
    if (refrain_kind(object) != REFRAIN_JSON_OBJECT || place >= object->count) return NULL;
    return object->u.members[place].value;
}

/*
 * JSON Schemas of types, for people and programs that start workflows and send messages.
 */
#include "internal.h"

#include <string.h>

static refrain_json *integer_schema(const char *format, bool is_signed)
{
    refrain_json *schema = refrain_jsonf("{'type': 'integer', 'format': %s}", format);
    return is_signed ? schema : refrain_set(schema, "minimum", refrain_int(0));
}

static refrain_json *schema_of(const refrain_type *type);

/* What a field's type says, and the field's own words. */
static refrain_json *field_schema(const refrain_field *field)
{
    refrain_json *inner = schema_of(field->type);
    if (refrain_kind(inner) != REFRAIN_JSON_OBJECT || (!field->doc && !field->fallback)) return inner;
    refrain_json *schema = refrain_object();
    if (field->doc) refrain_set(schema, "description", refrain_string(field->doc));
    for (size_t i = 0; i < inner->count; i++) refrain_set(schema, inner->u.members[i].key, inner->u.members[i].value);
    if (field->fallback) refrain_set(schema, "default", refrain_parse(field->fallback, strlen(field->fallback), NULL));
    return schema;
}

static refrain_json *struct_schema(const refrain_type *type)
{
    refrain_json *properties = refrain_object(), *required = refrain_array();
    for (size_t i = 0; i < type->field_count; i++) {
        const refrain_field *field = &type->fields[i];
        refrain_set(properties, field->name, field_schema(field));
        if (!field->fallback && field->type->shape != REFRAIN_SHAPE_OPTION)
            refrain_push(required, refrain_string(field->name));
    }
    refrain_json *schema = refrain_object();
    if (type->title) refrain_set(schema, "title", refrain_string(type->title));
    refrain_set(schema, "type", refrain_string("object"));
    refrain_set(schema, "properties", properties);
    if (type->strict) refrain_set(schema, "additionalProperties", refrain_bool(false));
    if (required->count) refrain_set(schema, "required", required);
    return schema;
}

static refrain_json *schema_of(const refrain_type *type)
{
    if (type->schema) {
        const char *why = NULL;
        refrain_json *schema = refrain_parse(type->schema, strlen(type->schema), &why);
        if (!schema) REFRAIN_BUG("a type's schema is no JSON: %s", why);
        return schema;
    }
    switch (type->shape) {
    case REFRAIN_SHAPE_ANY: return refrain_bool(true);
    case REFRAIN_SHAPE_NULL: return refrain_jsonf("{'type': 'null'}");
    case REFRAIN_SHAPE_BOOL: return refrain_jsonf("{'type': 'boolean'}");
    case REFRAIN_SHAPE_INT64: return integer_schema("int64", true);
    case REFRAIN_SHAPE_UINT64: return integer_schema("uint64", false);
    case REFRAIN_SHAPE_UINT32: return integer_schema("uint32", false);
    case REFRAIN_SHAPE_NUMBER: return refrain_jsonf("{'type': 'number', 'format': 'double'}");
    case REFRAIN_SHAPE_STRING: return refrain_jsonf("{'type': 'string'}");
    case REFRAIN_SHAPE_STRUCT: return struct_schema(type);
    case REFRAIN_SHAPE_LIST: return refrain_jsonf("{'type': 'array', 'items': %p}", (void *)schema_of(type->element));
    case REFRAIN_SHAPE_OPTION:
        return refrain_jsonf("{'anyOf': [%p, {'type': 'null'}]}", (void *)schema_of(type->element));
    }
    REFRAIN_BUG("a type has the shape %d", type->shape);
}

const char *refrain_schema(const refrain_type *type)
{
    refrain_json *inner = schema_of(type);
    if (refrain_kind(inner) != REFRAIN_JSON_OBJECT) return refrain_write(inner, NULL);
    refrain_json *schema = refrain_jsonf("{'$schema': 'https://json-schema.org/draft/2020-12/schema'}");
    if (type->title) refrain_set(schema, "title", refrain_string(type->title));
    for (size_t i = 0; i < inner->count; i++) refrain_set(schema, inner->u.members[i].key, inner->u.members[i].value);
    return refrain_write(schema, NULL);
}

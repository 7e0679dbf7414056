/*
 * Types: values that fit, words for what does not, and schemas.
 */
#include <string.h>

#include "check.h"

typedef struct {
    const char *name;
    uint32_t age;
} person;

typedef struct {
    int64_t id;
    bool open;
    double weight;
    REFRAIN_LIST(person) people;
    const char *const *note;
    uint64_t limit;
    const refrain_json *more;
} order;

static const refrain_field PERSON_FIELDS[] = {
    REFRAIN_FIELD(person, name, &refrain_type_string, "As in the passport."),
    REFRAIN_FIELD(person, age, &refrain_type_uint32, NULL),
};
static const refrain_type PERSON = REFRAIN_STRICT_STRUCT("Person", person, PERSON_FIELDS);
static const refrain_type PEOPLE = REFRAIN_LIST_OF(&PERSON);
static const refrain_type NOTE = REFRAIN_OPTION_OF(&refrain_type_string);
static const refrain_field ORDER_FIELDS[] = {
    REFRAIN_FIELD(order, id, &refrain_type_int64, NULL),
    REFRAIN_FIELD(order, open, &refrain_type_bool, NULL),
    REFRAIN_FIELD(order, weight, &refrain_type_number, NULL),
    REFRAIN_FIELD(order, people, &PEOPLE, NULL),
    {.name = "note", .type = &NOTE, .offset = offsetof(order, note), .unless_null = true},
    REFRAIN_FIELD_OR(order, limit, &refrain_type_uint64, "10", "At most."),
    REFRAIN_FIELD(order, more, &refrain_type_any, NULL),
};
static const refrain_type ORDER = REFRAIN_STRUCT("Order", order, ORDER_FIELDS);

static const refrain_json *parse(const char *text)
{
    return refrain_parse(text, strlen(text), NULL);
}

static void values_that_fit_are_read_and_written_alike(void)
{
    order *order = refrain_alloc(sizeof *order);
    const refrain_json *given =
        parse("{\"more\":[1],\"people\":[{\"name\":\"Ada\",\"age\":36}],\"weight\":2,\"open\":true,\"id\":-1,\"x\":0}");
    CHECK(refrain_decode(&ORDER, given, order) == NULL);
    CHECK_TEXT(order->people.items[0].name, "Ada");
    CHECK_NUMBER(order->people.count, 1);
    CHECK_NUMBER(order->limit, 10);
    CHECK(order->note == NULL);
    CHECK_TEXT(refrain_write(refrain_encode(&ORDER, order), NULL),
               "{\"id\":-1,\"open\":true,\"weight\":2.0,\"people\":[{\"name\":\"Ada\",\"age\":36}],\"limit\":10,"
               "\"more\":[1]}");
    const char *note = "soon";
    order->note = &note;
    CHECK(strstr(refrain_write(refrain_encode(&ORDER, order), NULL), "\"note\":\"soon\",\"limit\"") != NULL);
}

static void what_does_not_fit_is_told_with_its_field(void)
{
    static const char *const CASES[][2] = {
        {"[]", "invalid type: sequence, expected struct Order"},
        {"{\"id\":1.5}", "field `id`: invalid type: floating point `1.5`, expected i64"},
        {"{\"id\":9223372036854775808}", "field `id`: invalid value: integer `9223372036854775808`, expected i64"},
        {"{\"id\":null}", "field `id`: invalid type: null, expected i64"},
        {"{\"open\":\"yes\"}", "field `open`: invalid type: string \"yes\", expected a boolean"},
        {"{\"people\":[{\"name\":\"a\",\"age\":1},{\"name\":\"b\",\"age\":-1}]}",
         "field `people[1].age`: invalid value: integer `-1`, expected u32"},
        {"{\"people\":[{\"name\":\"a\",\"nick\":1}]}",
         "field `people[0].nick`: unknown field `nick`, expected one of `name`, `age`"},
        {"{\"people\":[{\"name\":\"a\"}]}", "field `people[0]`: missing field `age`"},
        {"{\"people\":[{\"name\":\"a\\u0000b\",\"age\":1}]}",
         "field `people[0].name`: invalid value: string \"a\\u0000b\", expected a string without a zero byte"},
        {"{\"limit\":true}", "field `limit`: invalid type: boolean `true`, expected u64"},
        {"{\"id\":1,\"id\":2}", "duplicate field `id`"},
        {"{\"id\":1,\"open\":true,\"weight\":\"\"}", "field `weight`: invalid type: string \"\", expected f64"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        order read = {0};
        const refrain_failure *why = refrain_decode(&ORDER, parse(CASES[i][0]), &read);
        CHECK_TEXT(why ? refrain_failure_text(why) : "", CASES[i][1]);
        CHECK_TEXT(why ? why->type : "", "bad-json");
    }
}

static void schemas_tell_types_docs_defaults_and_what_is_required(void)
{
    CHECK_TEXT(refrain_schema(&ORDER),
               "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"title\":\"Order\",\"type\":\"object\","
               "\"properties\":{\"id\":{\"type\":\"integer\",\"format\":\"int64\"},\"open\":{\"type\":\"boolean\"},"
               "\"weight\":{\"type\":\"number\",\"format\":\"double\"},\"people\":{\"type\":\"array\",\"items\":"
               "{\"title\":\"Person\",\"type\":\"object\",\"properties\":{\"name\":{\"description\":"
               "\"As in the passport.\",\"type\":\"string\"},\"age\":{\"type\":\"integer\",\"format\":\"uint32\","
               "\"minimum\":0}},\"additionalProperties\":false,\"required\":[\"name\",\"age\"]}},\"note\":{\"anyOf\":"
               "[{\"type\":\"string\"},{\"type\":\"null\"}]},\"limit\":{\"description\":\"At most.\",\"type\":"
               "\"integer\",\"format\":\"uint64\",\"minimum\":0,\"default\":10},\"more\":true},\"required\":[\"id\","
               "\"open\",\"weight\",\"people\",\"more\"]}");
    CHECK_TEXT(refrain_schema(&refrain_type_any), "true");
    CHECK_TEXT(refrain_schema(&refrain_type_null),
               "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"title\":\"null\",\"type\":\"null\"}");
    static const refrain_type OWN = REFRAIN_ANY_WITH_SCHEMA("{\"enum\": [\"a\"]}");
    CHECK_TEXT(refrain_schema(&OWN), "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"enum\":[\"a\"]}");
}

const check_test TYPE_TESTS[] = {
    TEST(values_that_fit_are_read_and_written_alike),
    TEST(what_does_not_fit_is_told_with_its_field),
    TEST(schemas_tell_types_docs_defaults_and_what_is_required),
    {0},
};

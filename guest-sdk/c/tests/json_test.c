/*
 * JSON: what is written, what is read, and what is refused.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

/* A text, and what is written of it once it was read; or `!` and why it was not. */
static const char *const TEXTS[][2] = {
    {"null", "null"},
    {" [ 1 , 2 , { \"a\" : true , \"b\" : false } ] ", "[1,2,{\"a\":true,\"b\":false}]"},
    {"[]", "[]"},
    {"{}", "{}"},
    {"-9223372036854775808", "-9223372036854775808"},
    {"18446744073709551615", "18446744073709551615"},
    {"18446744073709551616", "1.8446744073709552e+19"},
    {"-9223372036854775809", "-9.223372036854776e+18"},
    {"-0", "-0.0"},
    {"0", "0"},
    {"1.0", "1.0"},
    {"1e2", "100.0"},
    {"1E+2", "100.0"},
    {"\"\\u00e9\\ud83d\\ude00 \\u0000\\u001f\\u007f\\/\"", "\"\xc3\xa9\xf0\x9f\x98\x80 \\u0000\\u001f\x7f/\""},
    {"\"\\b\\f\\n\\r\\t\\\"\\\\\"", "\"\\b\\f\\n\\r\\t\\\"\\\\\""},
    {"{\"a\":1,\"a\":2}", "{\"a\":1,\"a\":2}"},
    {"", "!EOF while parsing a value at line 1 column 1"},
    {"[1,]", "!expected value at line 1 column 4"},
    {"[1\n2]", "!expected `,` or `]` at line 2 column 1"},
    {"{\"a\" 1}", "!expected `:` at line 1 column 6"},
    {"{a:1}", "!key must be a string at line 1 column 2"},
    {"{'a':1}", "!key must be a string at line 1 column 2"},
    {"01", "!invalid number at line 1 column 3"},
    {"1.", "!invalid number at line 1 column 3"},
    {"1e", "!invalid number at line 1 column 3"},
    {"-", "!invalid number at line 1 column 2"},
    {"1e400", "!number out of range at line 1 column 6"},
    {"\"a", "!EOF while parsing a string at line 1 column 3"},
    {"\"\t\"", "!control character found while parsing a string at line 1 column 2"},
    {"\"\\x\"", "!invalid escape at line 1 column 3"},
    {"\"\\ud800\"", "!lone leading surrogate in hex escape at line 1 column 8"},
    {"\"\\udc00\"", "!lone leading surrogate in hex escape at line 1 column 8"},
    {"\"\xff\"", "!invalid unicode code point at line 1 column 2"},
    {"\"\xc0\x80\"", "!invalid unicode code point at line 1 column 2"},
    {"\"\xed\xa0\x80\"", "!invalid unicode code point at line 1 column 2"},
    {"\"\xf4\x90\x80\x80\"", "!invalid unicode code point at line 1 column 2"},
    {"\"\xe2\x82", "!invalid unicode code point at line 1 column 2"},
    {"nul", "!expected ident at line 1 column 1"},
    {"true false", "!trailing characters at line 1 column 6"},
    {"%d", "!expected value at line 1 column 1"},
};

static void texts_are_written_in_one_way_or_refused(void)
{
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        /* Nothing is behind it that could be read by mistake. */
        size_t len = strlen(TEXTS[i][0]);
        char *exact = malloc(len ? len : 1);
        memcpy(exact, TEXTS[i][0], len);
        const char *why = NULL;
        const refrain_json *value = refrain_parse(exact, len, &why);
        free(exact);
        CHECK_TEXT(value ? refrain_write(value, NULL) : refrain_text("!%s", why), TEXTS[i][1]);
    }
}

static void what_is_too_deep_is_refused(void)
{
    char text[400];
    memset(text, '[', 200);
    memset(text + 200, ']', 200);
    const char *why = NULL;
    CHECK(!refrain_parse(text, sizeof text, &why));
    CHECK_TEXT(why, "recursion limit exceeded at line 1 column 129");
    CHECK(refrain_parse(text + 200 - 128, 256, &why) != NULL);
}

/* A number, and how it is written: by as few digits as read back as the same. */
static const struct {
    double number;
    const char *text;
} NUMBERS[] = {
    {0.1, "0.1"},
    {0.1 + 0.2, "0.30000000000000004"},
    {1.0 / 3, "0.3333333333333333"},
    {100, "100.0"},
    {1e15, "1000000000000000.0"},
    {1e16, "1e+16"},
    {123456789012345680, "1.2345678901234568e+17"},
    {1e-4, "0.0001"},
    {1e-5, "0.00001"},
    {1.5e-5, "0.000015"},
    {1e-6, "1e-6"},
    {1.5e-7, "1.5e-7"},
    {5e-324, "5e-324"},
    {2.2250738585072014e-308, "2.2250738585072014e-308"},
    {1.7976931348623157e308, "1.7976931348623157e+308"},
    {9007199254740993, "9007199254740992.0"},
    {5.684341886080802e-14, "5.684341886080802e-14"},
    {-2.5, "-2.5"},
};

static void numbers_are_written_by_the_fewest_digits(void)
{
    for (size_t i = 0; i < sizeof NUMBERS / sizeof NUMBERS[0]; i++)
        CHECK_TEXT(refrain_write(refrain_number(NUMBERS[i].number), NULL), NUMBERS[i].text);
    CHECK_TEXT(refrain_write(refrain_number(0.0 / strtod("0", NULL)), NULL), "null");
}

static double read_back(const char *text)
{
    return refrain_as_number(refrain_parse(text, strlen(text), NULL));
}

/* Numbers of all sizes, from a fixed seed: as the C library has them, and by no more digits than it needs. */
static void numbers_read_and_write_as_the_c_library_does(void)
{
    uint64_t seed = 42;
    for (int i = 0; i < 20000; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        uint64_t bits = seed ^ seed >> 29;
        double number;
        memcpy(&number, &bits, sizeof number);
        if (number - number != 0) continue;
        const char *text = refrain_write(refrain_number(number), NULL);
        CHECK(strtod(text, NULL) == number);
        CHECK(read_back(text) == number);
        char digits[64];
        int count = 1;
        do snprintf(digits, sizeof digits, "%.*e", count - 1, number);
        while (strtod(digits, NULL) != number && ++count < 17);
        size_t shown = 0;
        for (const char *at = text; *at && *at != 'e'; at++) shown += *at >= '0' && *at <= '9';
        if (strchr(text, 'e')) CHECK_NUMBER(shown, count);
        /* More digits than a number has. */
        snprintf(digits, sizeof digits, "%.40e", number);
        CHECK(read_back(digits) == number);
    }
    static const char *const HARD[] = {
        "9007199254740992.99999999999999999999999999999999999999999999999999999999999999999999999999",
        "9007199254740993.00000000000000000000000000000000000000000000000000000000000000000000000001",
        "2.4703282292062327208e-324",
        "2.4703282292062328e-324",
        "1.7976931348623158e308",
        "17976931348623158079372897140530341507993413271003782693617377898044496829276475094664901797758720709633028641"
        "66928879109465555478519404026306574886715058206819089020007083836762738548458177115317644757302700698555713669"
        "59622842914819860834936475292719074168444365510704342711559699508093042880.0",
        "0.000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000001e90",
        "123456789012345678901234567890e-30",
    };
    for (size_t i = 0; i < sizeof HARD / sizeof HARD[0]; i++) CHECK(read_back(HARD[i]) == strtod(HARD[i], NULL));
    char many[1200] = "0.";
    memset(many + 2, '3', 900);
    CHECK(read_back(many) == strtod(many, NULL));
    memset(many, '7', 300);
    strcpy(many + 300, ".5");
    CHECK(read_back(many) == strtod(many, NULL));
}

static void values_are_made_by_example(void)
{
    refrain_json *inner = refrain_push(refrain_push(refrain_array(), refrain_bool(true)), NULL);
    refrain_json *value =
        refrain_jsonf("{ 'a b': %s, \"n\": [%d, %u, %lld, %zu], 'd': %g, 'v': %p, 'it\\'s': %p, 'no': %s }",
                      "say \"hi\"", -1, 2u, 1LL << 40, (size_t)3, 0.5, (void *)inner, NULL, (const char *)NULL);
    CHECK_TEXT(refrain_write(value, NULL),
               "{\"a b\":\"say "
               "\\\"hi\\\"\",\"n\":[-1,2,1099511627776,3],\"d\":0.5,\"v\":[true,null],\"it's\":null,\"no\":null}");
}

static void objects_keep_their_order_and_are_set_in_place(void)
{
    refrain_json *object = refrain_object();
    refrain_set(object, "b", refrain_int(1));
    refrain_set(object, "a", refrain_int(2));
    refrain_set(object, "b", refrain_int(3));
    CHECK_TEXT(refrain_write(object, NULL), "{\"b\":3,\"a\":2}");
    CHECK_NUMBER(refrain_as_int(refrain_get(object, "a")), 2);
    CHECK(refrain_get(object, "c") == NULL);
    CHECK_TEXT(refrain_key_at(object, 1), "a");
    CHECK_TEXT(refrain_key_at(object, 2), "");
}

static void what_has_another_kind_is_zero(void)
{
    const refrain_json *text = refrain_string("5");
    CHECK_NUMBER(refrain_as_int(text), 0);
    CHECK_NUMBER(refrain_as_uint(refrain_int(-5)), 0);
    CHECK_NUMBER(refrain_as_int(refrain_uint(UINT64_MAX)), INT64_MAX);
    CHECK_TEXT(refrain_as_string(refrain_int(5)), "");
    CHECK(!refrain_as_bool(NULL) && refrain_at(text, 0) == NULL && refrain_get(text, "a") == NULL);
    CHECK(refrain_as_number(refrain_int(-5)) == -5);
    CHECK_NUMBER(refrain_kind(NULL), REFRAIN_JSON_NULL);
}

const check_test JSON_TESTS[] = {
    TEST(texts_are_written_in_one_way_or_refused),
    TEST(what_is_too_deep_is_refused),
    TEST(numbers_are_written_by_the_fewest_digits),
    TEST(numbers_read_and_write_as_the_c_library_does),
    TEST(values_are_made_by_example),
    TEST(objects_keep_their_order_and_are_set_in_place),
    TEST(what_has_another_kind_is_zero),
    {0},
};

/*
 * JSON from text, and values by example (`refrain_jsonf`), which are the same but for what stands for values.
 */
#include "internal.h"

#include <string.h>

/* As deep as Rust's `serde_json` goes: the stack of an instance is small. */
enum { DEPTH = 128 };

typedef struct {
    const char *start, *at, *end;
    const char *why;    /* what is wrong at `at`; null while nothing is */
    arguments *example; /* null: plain JSON */
    int depth;
} reader;

static refrain_json *wrong(reader *from, const char *why)
{
    if (!from->why) from->why = why;
    return NULL;
}

static int peek(const reader *from)
{
    return from->at < from->end ? (unsigned char)*from->at : -1;
}

static void skip_space(reader *from)
{
    while (from->at < from->end && (*from->at == ' ' || *from->at == '\n' || *from->at == '\t' || *from->at == '\r'))
        from->at++;
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static refrain_json *read_number(reader *from)
{
    const char *start = from->at;
    bool negative = peek(from) == '-', integer = true, fits = true;
    uint64_t magnitude = 0;
    from->at += negative;
    if (!is_digit(peek(from))) return wrong(from, "invalid number");
    const char *first = from->at;
    for (; is_digit(peek(from)); from->at++) {
        uint64_t digit = (uint64_t)(*from->at - '0');
        fits &= magnitude <= (UINT64_MAX - digit) / 10;
        magnitude = magnitude * 10 + digit;
    }
    if (*first == '0' && from->at - first > 1) return wrong(from, "invalid number");
    if (peek(from) == '.') {
        integer = false;
        from->at++;
        if (!is_digit(peek(from))) return wrong(from, "invalid number");
        while (is_digit(peek(from))) from->at++;
    }
    if (peek(from) == 'e' || peek(from) == 'E') {
        integer = false;
        from->at++;
        if (peek(from) == '+' || peek(from) == '-') from->at++;
        if (!is_digit(peek(from))) return wrong(from, "invalid number");
        while (is_digit(peek(from))) from->at++;
    }
    bool minus_zero = negative && !magnitude;
    if (integer && fits && !minus_zero && !(negative && magnitude > (uint64_t)1 << 63))
        return refrain__integer(negative, magnitude);
    double number;
    if (!refrain__read_number(start, (size_t)(from->at - start), &number)) return wrong(from, "number out of range");
    return refrain_number(number);
}

static uint32_t read_hex(reader *from)
{
    uint32_t unit = 0;
    for (int i = 0; i < 4; i++, from->at++) {
        int c = peek(from);
        if (is_digit(c)) unit = unit * 16 + (uint32_t)(c - '0');
        else if ((c | 32) >= 'a' && (c | 32) <= 'f') unit = unit * 16 + (uint32_t)((c | 32) - 'a' + 10);
        else {
            wrong(from, "invalid escape");
            return 0;
        }
    }
    return unit;
}

static void put_utf8(buffer *to, uint32_t code)
{
    if (code < 0x80) {
        refrain__put_char(to, (char)code);
    } else if (code < 0x800) {
        refrain__put_char(to, (char)(0xc0 | code >> 6));
        refrain__put_char(to, (char)(0x80 | (code & 63)));
    } else if (code < 0x10000) {
        refrain__put_char(to, (char)(0xe0 | code >> 12));
        refrain__put_char(to, (char)(0x80 | (code >> 6 & 63)));
        refrain__put_char(to, (char)(0x80 | (code & 63)));
    } else {
        refrain__put_char(to, (char)(0xf0 | code >> 18));
        refrain__put_char(to, (char)(0x80 | (code >> 12 & 63)));
        refrain__put_char(to, (char)(0x80 | (code >> 6 & 63)));
        refrain__put_char(to, (char)(0x80 | (code & 63)));
    }
}

static void read_escape(reader *from, buffer *to)
{
    static const char ESCAPES[] = "\"\\/bfnrt'", MEANT[] = "\"\\/\b\f\n\r\t'";
    int c = peek(from);
    from->at++;
    if (c == 'u') {
        uint32_t code = read_hex(from);
        if (code >= 0xd800 && code < 0xdc00) {
            if (from->end - from->at < 2 || from->at[0] != '\\' || from->at[1] != 'u') {
                wrong(from, "lone leading surrogate in hex escape");
                return;
            }
            from->at += 2;
            uint32_t low = read_hex(from);
            if (low < 0xdc00 || low > 0xdfff) {
                wrong(from, "lone leading surrogate in hex escape");
                return;
            }
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        } else if (code >= 0xdc00 && code <= 0xdfff) {
            wrong(from, "lone leading surrogate in hex escape");
            return;
        }
        put_utf8(to, code);
        return;
    }
    const char *known = c > 0 ? strchr(ESCAPES, c) : NULL;
    if (!known || (c == '\'' && !from->example)) {
        from->at--;
        wrong(from, "invalid escape");
        return;
    }
    refrain__put_char(to, MEANT[known - ESCAPES]);
}

/* How many bytes the character at `at` has; zero if it is none of UTF-8. */
static size_t utf8_len(const char *at, const char *end)
{
    const unsigned char *p = (const unsigned char *)at;
    size_t left = (size_t)(end - at);
    if (p[0] < 0x80) return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4) return 0;
    size_t len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (left < len) return 0;
    for (size_t i = 1; i < len; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    /* Too long for what they say, surrogates, and past the last one. */
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f)) return 0;
    if ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f)) return 0;
    return len;
}

/* Reads a text with its quotes. */
static char *read_text(reader *from, size_t *len)
{
    buffer text = {0};
    char quote = *from->at++;
    for (;;) {
        const char *plain = from->at;
        int c;
        while ((c = peek(from)) >= 0x20 && c != quote && c != '\\') {
            size_t size = utf8_len(from->at, from->end);
            if (!size) {
                wrong(from, "invalid unicode code point");
                return NULL;
            }
            from->at += size;
        }
        refrain__put(&text, plain, (size_t)(from->at - plain));
        if (c < 0) wrong(from, "EOF while parsing a string");
        else if (c < 0x20) wrong(from, "control character found while parsing a string");
        else {
            from->at++;
            if (c == quote) return refrain__take_text(&text, len);
            read_escape(from, &text);
        }
        if (from->why) return NULL;
    }
}

static bool is_quote(const reader *from)
{
    return peek(from) == '"' || (from->example && peek(from) == '\'');
}

static refrain_json *read_value(reader *from);

static refrain_json *read_array(reader *from)
{
    refrain_json *array = refrain_array();
    from->at++;
    skip_space(from);
    if (peek(from) == ']') {
        from->at++;
        return array;
    }
    for (;;) {
        refrain_json *value = read_value(from);
        if (!value) return NULL;
        refrain_push(array, value);
        skip_space(from);
        int c = peek(from);
        if (c != ',' && c != ']') return wrong(from, c < 0 ? "EOF while parsing a list" : "expected `,` or `]`");
        from->at++;
        if (c == ']') return array;
    }
}

static refrain_json *read_object(reader *from)
{
    refrain_json *object = refrain_object();
    from->at++;
    skip_space(from);
    if (peek(from) == '}') {
        from->at++;
        return object;
    }
    for (;;) {
        skip_space(from);
        if (!is_quote(from))
            return wrong(from, peek(from) < 0 ? "EOF while parsing an object" : "key must be a string");
        size_t len;
        char *key = read_text(from, &len);
        if (!key) return NULL;
        skip_space(from);
        if (peek(from) != ':') return wrong(from, peek(from) < 0 ? "EOF while parsing an object" : "expected `:`");
        from->at++;
        refrain_json *value = read_value(from);
        if (!value) return NULL;
        refrain__add(object, key, len, value);
        skip_space(from);
        int c = peek(from);
        if (c != ',' && c != '}') return wrong(from, c < 0 ? "EOF while parsing an object" : "expected `,` or `}`");
        from->at++;
        if (c == '}') return object;
    }
}

static refrain_json *read_word(reader *from, const char *word, refrain_json *value)
{
    size_t len = strlen(word);
    if ((size_t)(from->end - from->at) < len || memcmp(from->at, word, len) != 0) return wrong(from, "expected ident");
    from->at += len;
    return value;
}

/* What a conversion of an example stands for. */
static refrain_json *read_argument(reader *from)
{
    from->at++;
    integer number = refrain__next_integer(&from->at, from->example);
    switch (number.conversion) {
    case 'd':
    case 'i':
    case 'u': return refrain__integer(number.negative, number.magnitude);
    case 's': return refrain_string(va_arg(from->example->list, const char *));
    case 'g': return refrain_number(va_arg(from->example->list, double));
    case 'p': {
        refrain_json *value = va_arg(from->example->list, void *);
        return value ? value : refrain_null();
    }
    default: from->at--; return wrong(from, "unknown conversion");
    }
}

static refrain_json *read_value(reader *from)
{
    skip_space(from);
    int c = peek(from);
    if (c == '[' || c == '{') {
        if (from->depth == DEPTH) return wrong(from, "recursion limit exceeded");
        from->depth++;
        refrain_json *value = c == '[' ? read_array(from) : read_object(from);
        from->depth--;
        return value;
    }
    if (is_quote(from)) {
        size_t len;
        char *text = read_text(from, &len);
        return text ? refrain__string_of(text, len) : NULL;
    }
    if (c == '-' || is_digit(c)) return read_number(from);
    if (c == 'n') return read_word(from, "null", refrain_null());
    if (c == 't') return read_word(from, "true", refrain_bool(true));
    if (c == 'f') return read_word(from, "false", refrain_bool(false));
    if (c == '%' && from->example) return read_argument(from);
    return wrong(from, c < 0 ? "EOF while parsing a value" : "expected value");
}

/* Reads all of it. */
static refrain_json *read_all(reader *from)
{
    refrain_json *value = read_value(from);
    if (value) skip_space(from);
    if (value && from->at < from->end) value = wrong(from, "trailing characters");
    if (value) return value;
    size_t line = 1, column = 1;
    for (const char *p = from->start; p < from->at && p < from->end; p++) {
        column = *p == '\n' ? 1 : column + 1;
        line += *p == '\n';
    }
    from->why = refrain_text("%s at line %zu column %zu", from->why, line, column);
    return NULL;
}

refrain_json *refrain_parse(const char *text, size_t len, const char **why)
{
    reader from = {.start = text, .at = text, .end = text + len};
    refrain_json *value = read_all(&from);
    if (!value && why) *why = from.why;
    return value;
}

refrain_json *refrain_jsonf(const char *format, ...)
{
    arguments list;
    va_start(list.list, format);
    reader from = {.start = format, .at = format, .end = format + strlen(format), .example = &list};
    refrain_json *value = read_all(&from);
    va_end(list.list);
    if (!value) REFRAIN_BUG("the example `%s` is no JSON: %s", format, from.why);
    return value;
}

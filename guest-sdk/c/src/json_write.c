/*
 * JSON as text, always written in the same way: what Rust's `serde_json` writes is the measure.
 */
#include "internal.h"

#include <string.h>

static void write_string(buffer *to, const char *text, size_t len)
{
    static const char HEX[] = "0123456789abcdef";
    refrain__put_char(to, '"');
    size_t plain = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        refrain__put(to, text + plain, i - plain);
        plain = i + 1;
        char escape[6] = {'\\', 'u', '0', '0', HEX[c >> 4], HEX[c & 15]};
        size_t size = 2;
        switch (c) {
        case '"':
        case '\\': escape[1] = (char)c; break;
        case '\b': escape[1] = 'b'; break;
        case '\f': escape[1] = 'f'; break;
        case '\n': escape[1] = 'n'; break;
        case '\r': escape[1] = 'r'; break;
        case '\t': escape[1] = 't'; break;
        default: size = 6;
        }
        refrain__put(to, escape, size);
    }
    refrain__put(to, text + plain, len - plain);
    refrain__put_char(to, '"');
}

static void write_value(buffer *to, const refrain_json *value)
{
    switch (refrain_kind(value)) {
    case REFRAIN_JSON_NULL: refrain__put_text(to, "null"); break;
    case REFRAIN_JSON_BOOL: refrain__put_text(to, value->u.truth ? "true" : "false"); break;
    case REFRAIN_JSON_INTEGER:
        if (value->negative) refrain__put_char(to, '-');
        refrain__put_uint(to, value->u.magnitude);
        break;
    case REFRAIN_JSON_NUMBER: {
        char text[NUMBER_SIZE];
        refrain__put(to, text, refrain__number_text(text, value->u.number));
        break;
    }
    case REFRAIN_JSON_STRING: write_string(to, value->u.text, value->count); break;
    case REFRAIN_JSON_ARRAY:
        refrain__put_char(to, '[');
        for (size_t i = 0; i < value->count; i++) {
            if (i) refrain__put_char(to, ',');
            write_value(to, value->u.items[i]);
        }
        refrain__put_char(to, ']');
        break;
    case REFRAIN_JSON_OBJECT:
        refrain__put_char(to, '{');
        for (size_t i = 0; i < value->count; i++) {
            if (i) refrain__put_char(to, ',');
            write_string(to, value->u.members[i].key, value->u.members[i].key_len);
            refrain__put_char(to, ':');
            write_value(to, value->u.members[i].value);
        }
        refrain__put_char(to, '}');
        break;
    }
}

const char *refrain_write(const refrain_json *value, size_t *len)
{
    buffer text = {0};
    write_value(&text, value);
    return refrain__take_text(&text, len);
}

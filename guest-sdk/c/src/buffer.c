/*
 * A text that grows at its end, and `refrain_text`, which is `printf` with the conversions that are of use here.
 *
 * Not the C library's: that brings long doubles, locales and files along, which are more code than all of the SDK.
 */
#include "internal.h"

#include <string.h>

void refrain__put(buffer *to, const char *data, size_t len)
{
    if (to->len + len > to->capacity) {
        size_t larger = to->capacity ? to->capacity : 128;
        while (larger < to->len + len) larger *= 2;
        char *moved = refrain_alloc(larger);
        if (to->len) memcpy(moved, to->data, to->len);
        to->data = moved;
        to->capacity = larger;
    }
    if (len) memcpy(to->data + to->len, data, len);
    to->len += len;
}

void refrain__put_char(buffer *to, char c)
{
    refrain__put(to, &c, 1);
}

void refrain__put_text(buffer *to, const char *text)
{
    refrain__put(to, text, strlen(text));
}

void refrain__put_uint(buffer *to, uint64_t value)
{
    char digits[DECIMAL_SIZE];
    refrain__put_text(to, refrain__decimal(digits, value));
}

const char *refrain__decimal(char digits[DECIMAL_SIZE], uint64_t value)
{
    char *at = digits + DECIMAL_SIZE;
    *--at = 0;
    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    return at;
}

/* One conversion of a format, such as `%04llu`. */
typedef struct {
    bool left, zero, has_precision;
    size_t width, precision;
    char conversion;
} directive;

integer refrain__next_integer(const char **at, arguments *from)
{
    const char *p = *at;
    enum { INT, LONG, LONG_LONG, SIZE, MAX } length = INT;
    for (;; p++) {
        if (*p == 'l') length = length == LONG ? LONG_LONG : LONG;
        else if (*p == 'z') length = SIZE;
        else if (*p == 'j') length = MAX;
        else if (*p != 'h') break;
    }
    *at = p + 1;
    integer result = {.conversion = *p};
    switch (*p) {
    case 'd':
    case 'i': {
        int64_t value = length == INT    ? va_arg(from->list, int)
                        : length == LONG ? va_arg(from->list, long)
                        : length == SIZE ? (int64_t)va_arg(from->list, ptrdiff_t)
                                         : (int64_t)va_arg(from->list, long long);
        result.negative = value < 0;
        result.magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
        break;
    }
    case 'u':
        result.magnitude = length == INT    ? va_arg(from->list, unsigned)
                           : length == LONG ? va_arg(from->list, unsigned long)
                           : length == SIZE ? va_arg(from->list, size_t)
                                            : va_arg(from->list, unsigned long long);
        break;
    default: break;
    }
    return result;
}

static void pad(buffer *to, const directive *how, const char *text, size_t len)
{
    size_t missing = how->width > len ? how->width - len : 0;
    bool zeros = how->zero && !how->left;
    if (zeros && len && *text == '-') {
        refrain__put_char(to, '-');
        text++;
        len--;
    }
    if (!how->left)
        for (; missing; missing--) refrain__put_char(to, zeros ? '0' : ' ');
    refrain__put(to, text, len);
    for (; missing; missing--) refrain__put_char(to, ' ');
}

static size_t read_size(const char **at, arguments *from)
{
    size_t size = 0;
    if (**at == '*') {
        int given = va_arg(from->list, int);
        ++*at;
        return given < 0 ? 0 : (size_t)given;
    }
    for (; **at >= '0' && **at <= '9'; ++*at) size = size * 10 + (size_t)(**at - '0');
    return size;
}

static void put_directive(buffer *to, const char **at, arguments *from)
{
    directive how = {0};
    for (;; ++*at) {
        if (**at == '-') how.left = true;
        else if (**at == '0') how.zero = true;
        else break;
    }
    how.width = read_size(at, from);
    if (**at == '.') {
        ++*at;
        how.has_precision = true;
        how.precision = read_size(at, from);
    }
    const char *start = *at;
    integer number = refrain__next_integer(at, from);
    switch (number.conversion) {
    case 'd':
    case 'i':
    case 'u': {
        char digits[DECIMAL_SIZE + 1];
        char *text = (char *)refrain__decimal(digits + 1, number.magnitude);
        if (number.negative) *--text = '-';
        pad(to, &how, text, strlen(text));
        return;
    }
    case 's': {
        const char *text = va_arg(from->list, const char *);
        if (!text) text = "(null)";
        size_t len = 0;
        while ((!how.has_precision || len < how.precision) && text[len]) len++;
        pad(to, &how, text, len);
        return;
    }
    case 'c': {
        char c = (char)va_arg(from->list, int);
        pad(to, &how, &c, 1);
        return;
    }
    case 'g': {
        char text[NUMBER_SIZE];
        pad(to, &how, text, refrain__number_text(text, va_arg(from->list, double)));
        return;
    }
    case '%': refrain__put_char(to, '%'); return;
    default: REFRAIN_BUG("refrain_text does not know the conversion `%s`", start - 1);
    }
}

char *refrain_text_v(const char *format, va_list list)
{
    buffer text = {0};
    arguments from;
    va_copy(from.list, list);
    for (const char *at = format; *at;) {
        const char *plain = at;
        while (*at && *at != '%') at++;
        refrain__put(&text, plain, (size_t)(at - plain));
        if (*at) {
            at++;
            put_directive(&text, &at, &from);
        }
    }
    va_end(from.list);
    return refrain__take_text(&text, NULL);
}

char *refrain_text(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    char *text = refrain_text_v(format, list);
    va_end(list);
    return text;
}

char *refrain__take_text(buffer *from, size_t *len)
{
    if (len) *len = from->len;
    refrain__put_char(from, 0);
    return from->data;
}

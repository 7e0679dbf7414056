/*
 * Numbers that are no integers: the fewest decimal digits that read back as the same, and the number that is nearest to
 * some digits. Both are exact, by integers of thousands of bits.
 *
 * Writing is the algorithm of Steele and White (and Dragon4): the number and its distance to its neighbours are kept as
 * integers, and digits are taken until what is left is closer than a neighbour. Reading looks among all numbers, which
 * are in the order of their bits, for the one whose boundary to the next is not below the digits; a few dozen
 * comparisons, which only numbers with many digits or large exponents need.
 */
#include "internal.h"

#include <string.h>

enum {
    LIMBS = 168,        /* 5376 bits: more than 1074 + 53 bits times ten to the 780th need */
    MAX_DIGITS = 770,   /* what is behind these decides nothing but whether it is zero */
    FRACTION_BITS = 52, /* of a double, without the one that is not written */
    BIAS = 1075         /* the exponent that makes the fraction an integer */
};

typedef struct {
    uint32_t limb[LIMBS];
    size_t len;
} big;

static void set(big *a, uint64_t value)
{
    a->len = 0;
    for (; value; value >>= 32) a->limb[a->len++] = (uint32_t)value;
}

/* a = a * factor + add */
static void multiply(big *a, uint32_t factor, uint32_t add)
{
    uint64_t carry = add;
    for (size_t i = 0; i < a->len; i++) {
        carry += (uint64_t)a->limb[i] * factor;
        a->limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry) a->limb[a->len++] = (uint32_t)carry;
}

static void multiply_by_ten_to(big *a, unsigned power)
{
    for (; power >= 9; power -= 9) multiply(a, 1000000000, 0);
    for (; power; power--) multiply(a, 10, 0);
}

static void shift_left(big *a, unsigned bits)
{
    size_t limbs = bits / 32;
    if (!a->len) return;
    if (bits % 32) multiply(a, (uint32_t)1 << bits % 32, 0);
    memmove(a->limb + limbs, a->limb, a->len * sizeof(a->limb[0]));
    memset(a->limb, 0, limbs * sizeof(a->limb[0]));
    a->len += limbs;
}

static int compare(const big *a, const big *b)
{
    if (a->len != b->len) return a->len < b->len ? -1 : 1;
    for (size_t i = a->len; i--;)
        if (a->limb[i] != b->limb[i]) return a->limb[i] < b->limb[i] ? -1 : 1;
    return 0;
}

static void add(big *a, const big *b)
{
    uint64_t carry = 0;
    for (size_t i = 0; i < b->len || carry; i++) {
        if (i == a->len) a->limb[a->len++] = 0;
        carry += (uint64_t)a->limb[i] + (i < b->len ? b->limb[i] : 0);
        a->limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

/* a = a - b, which is not larger. */
static void subtract(big *a, const big *b)
{
    int64_t borrow = 0;
    for (size_t i = 0; i < a->len; i++) {
        borrow += (int64_t)a->limb[i] - (i < b->len ? b->limb[i] : 0);
        a->limb[i] = (uint32_t)borrow;
        borrow >>= 32;
    }
    while (a->len && !a->limb[a->len - 1]) a->len--;
}

static int compare_sum(const big *a, const big *b, const big *c)
{
    big sum = *a;
    add(&sum, b);
    return compare(&sum, c);
}

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double of_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The number of these bits is fraction times two to the exponent. */
static uint64_t split(uint64_t bits, int *exponent)
{
    uint64_t fraction = bits & (((uint64_t)1 << FRACTION_BITS) - 1);
    int biased = (int)(bits >> FRACTION_BITS & 0x7ff);
    *exponent = (biased ? biased : 1) - BIAS;
    return biased ? fraction | (uint64_t)1 << FRACTION_BITS : fraction;
}

/* The fewest digits of a positive number; the number is 0.DIGITS times ten to `*point`. Gives how many there are. */
static size_t shortest(char digits[17], uint64_t bits, int *point)
{
    int exponent;
    uint64_t fraction = split(bits, &exponent);
    /* Of an even fraction, the boundaries themselves read back as the number. */
    bool even = !(fraction & 1);
    /* Below a power of two, the neighbour is half as far. */
    bool closer_below = fraction == (uint64_t)1 << FRACTION_BITS && exponent > 1 - BIAS;
    big rest, scale, above, below;
    set(&rest, fraction);
    set(&scale, 1);
    set(&below, 1);
    shift_left(&rest, closer_below ? 2 : 1);
    shift_left(&scale, closer_below ? 2 : 1);
    if (exponent >= 0) {
        shift_left(&rest, (unsigned)exponent);
        shift_left(&below, (unsigned)exponent);
    } else {
        shift_left(&scale, (unsigned)-exponent);
    }
    above = below;
    if (closer_below) shift_left(&above, 1);

    int power = 0;
    while (compare_sum(&rest, &above, &scale) >= (even ? 0 : 1)) {
        multiply(&scale, 10, 0);
        power++;
    }
    for (;;) {
        big tenfold = rest, tenfold_above = above;
        multiply(&tenfold, 10, 0);
        multiply(&tenfold_above, 10, 0);
        if (compare_sum(&tenfold, &tenfold_above, &scale) >= (even ? 0 : 1)) break;
        rest = tenfold;
        above = tenfold_above;
        multiply(&below, 10, 0);
        power--;
    }
    *point = power;

    for (size_t count = 0;;) {
        multiply(&rest, 10, 0);
        multiply(&above, 10, 0);
        multiply(&below, 10, 0);
        char digit = '0';
        for (; compare(&rest, &scale) >= 0; digit++) subtract(&rest, &scale);
        bool low = compare(&rest, &below) < (even ? 1 : 0);
        bool high = compare_sum(&rest, &above, &scale) >= (even ? 0 : 1);
        if (low || high) {
            /* The nearer one; where only one of both reads back, that. */
            big twice = rest;
            shift_left(&twice, 1);
            int half = compare(&twice, &scale);
            bool up = high && (!low || half > 0 || (half == 0 && (digit & 1)));
            digits[count++] = (char)(digit + up);
            return count;
        }
        digits[count++] = digit;
    }
}

/* As Rust's `serde_json` writes it, and so the SDKs of other languages. */
size_t refrain__number_text(char *text, double value)
{
    uint64_t bits = bits_of(value);
    char *at = text;
    if ((bits >> FRACTION_BITS & 0x7ff) == 0x7ff) {
        memcpy(text, "null", 5);
        return 4;
    }
    if (bits >> 63) *at++ = '-';
    bits &= ~((uint64_t)1 << 63);
    if (!bits) {
        memcpy(at, "0.0", 4);
        return (size_t)(at - text) + 3;
    }
    char digits[18];
    int point;
    int count = (int)shortest(digits, bits, &point);
    if (point > 0 && point <= 16) {
        for (int i = 0; i < point || i < count; i++) {
            if (i == point) *at++ = '.';
            *at++ = i < count ? digits[i] : '0';
        }
        if (count <= point) {
            *at++ = '.';
            *at++ = '0';
        }
    } else if (point > -5 && point <= 0) {
        *at++ = '0';
        *at++ = '.';
        for (int i = point; i < 0; i++) *at++ = '0';
        memcpy(at, digits, (size_t)count);
        at += count;
    } else {
        *at++ = digits[0];
        if (count > 1) {
            *at++ = '.';
            memcpy(at, digits + 1, (size_t)count - 1);
            at += count - 1;
        }
        *at++ = 'e';
        int exponent = point - 1;
        *at++ = exponent < 0 ? '-' : '+';
        char decimal[DECIMAL_SIZE];
        const char *shown = refrain__decimal(decimal, (uint64_t)(exponent < 0 ? -exponent : exponent));
        size_t len = strlen(shown);
        memcpy(at, shown, len);
        at += len;
    }
    *at = 0;
    return (size_t)(at - text);
}

/* Whether the boundary between the number of these bits and the next is below `digits` times ten to `power`. */
static int compare_boundary(uint64_t bits, const big *digits, int power)
{
    int exponent;
    uint64_t fraction = split(bits, &exponent);
    big left = *digits, right;
    set(&right, fraction * 2 + 1);
    exponent--;
    if (power >= 0) multiply_by_ten_to(&left, (unsigned)power);
    else multiply_by_ten_to(&right, (unsigned)-power);
    if (exponent >= 0) shift_left(&right, (unsigned)exponent);
    else shift_left(&left, (unsigned)-exponent);
    return compare(&right, &left);
}

bool refrain__read_number(const char *text, size_t len, double *value)
{
    static const double TENS[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                  1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    enum { GREATEST_TEN = 22, LEAST = -330 - MAX_DIGITS };
    const char *at = text, *end = text + len;
    bool negative = at < end && *at == '-';
    at += negative;
    big digits;
    set(&digits, 0);
    uint64_t small = 0;
    int count = 0, power = 0;
    bool fraction = false, more = false;
    for (; at < end && *at != 'e' && *at != 'E'; at++) {
        if (*at == '.') {
            fraction = true;
            continue;
        }
        uint32_t digit = (uint32_t)(*at - '0');
        if (count < MAX_DIGITS) {
            power -= fraction;
            multiply(&digits, 10, digit);
            if (digits.len) count++;
            if (count <= 19) small = small * 10 + digit;
        } else {
            power += !fraction;
            more |= digit != 0;
        }
    }
    if (at < end) {
        at++;
        bool below = *at == '-';
        if (*at == '-' || *at == '+') at++;
        int exponent = 0;
        for (; at < end; at++)
            if (exponent < 100000) exponent = exponent * 10 + (*at - '0');
        power += below ? -exponent : exponent;
    }
    double result = 0;
    if (!digits.len || power < LEAST) {
        /* Zero. */
    } else if (count <= 15 && power >= -GREATEST_TEN && power <= GREATEST_TEN) {
        /* Both are exact, and one operation rounds once. */
        result = power < 0 ? (double)small / TENS[-power] : (double)small * TENS[power];
    } else if (count + power > 310) {
        return false;
    } else {
        /* Something that is not zero behind the last digit: more than that, and less than the next. */
        if (more) {
            multiply(&digits, 10, 1);
            power--;
        }
        const uint64_t infinity = (uint64_t)0x7ff << FRACTION_BITS;
        uint64_t low = 0, high = infinity;
        while (low < high) {
            uint64_t middle = low + (high - low) / 2;
            int order = compare_boundary(middle, &digits, power);
            /* On the boundary, the even one of the two. */
            if (order < 0 || (order == 0 && (middle & 1))) low = middle + 1;
            else high = middle;
        }
        if (low == infinity) return false;
        result = of_bits(low);
    }
    *value = negative ? -result : result;
    return true;
}

/*
 * Time: lengths of it, the run's clock, and sleeping.
 */
#ifndef REFRAIN_TIME_H
#define REFRAIN_TIME_H

#include <stdbool.h>
#include <stdint.h>

#include "failure.h"

/* A length of time. `nanoseconds` is below 1,000,000,000. */
typedef struct {
    uint64_t seconds;
    uint32_t nanoseconds;
} refrain_duration;

/* A point in time: since 1970-01-01T00:00:00Z, without leap seconds. */
typedef struct {
    uint64_t seconds;
    uint32_t nanoseconds;
} refrain_instant;

static inline refrain_duration refrain_millis(uint64_t n)
{
    return (refrain_duration){n / 1000, (uint32_t)(n % 1000) * 1000000};
}

static inline refrain_duration refrain_seconds(uint64_t n)
{
    return (refrain_duration){n, 0};
}

static inline refrain_duration refrain_minutes(uint64_t n)
{
    return (refrain_duration){n * 60, 0};
}

static inline refrain_duration refrain_hours(uint64_t n)
{
    return (refrain_duration){n * 3600, 0};
}

/* Days of 24 hours. */
static inline refrain_duration refrain_days(uint64_t n)
{
    return (refrain_duration){n * 86400, 0};
}

/* The run's time: the same on every replay, never running back, and moving on with each call. */
refrain_instant refrain_now(void);

/* Less than zero, zero or more, as `a` is before `b`, the same, or after it. */
int refrain_compare(refrain_instant a, refrain_instant b);

/* The moment that long after `start`. */
refrain_instant refrain_later(refrain_instant start, refrain_duration duration);

/* From `start` to `end`; zero when that is not after it. */
refrain_duration refrain_between(refrain_instant start, refrain_instant end);

/*
 * Waits, durably: the host may crash or forget the run meanwhile. The value is null; it fails in a canceled scope alone
 * (scope.h).
 */
refrain_result refrain_sleep(refrain_duration duration);

/* With one line for people who read the history. */
refrain_result refrain_sleep_named(refrain_duration duration, const char *summary);

/* Until the run's time is `deadline`; one that has passed waits for nothing but the next step. */
refrain_result refrain_sleep_until(refrain_instant deadline);

#endif

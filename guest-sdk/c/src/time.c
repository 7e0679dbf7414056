/*
 * The run's clock, and sleeping.
 */
#include "internal.h"

enum { NANOSECONDS = 1000000000, /* by how much each look at the clock moves it on, says `wit/` */ TICK = 1000 };

refrain_instant refrain_now(void)
{
    refrain__run.reads++;
    abi_instant now;
    abi_context_now(&now);
    return (refrain_instant){now.seconds, now.nanoseconds};
}

int refrain_compare(refrain_instant a, refrain_instant b)
{
    if (a.seconds != b.seconds) return a.seconds < b.seconds ? -1 : 1;
    return (a.nanoseconds > b.nanoseconds) - (a.nanoseconds < b.nanoseconds);
}

refrain_instant refrain_later(refrain_instant start, refrain_duration duration)
{
    uint32_t nanoseconds = start.nanoseconds + duration.nanoseconds;
    return (refrain_instant){start.seconds + duration.seconds + nanoseconds / NANOSECONDS, nanoseconds % NANOSECONDS};
}

refrain_duration refrain_between(refrain_instant start, refrain_instant end)
{
    if (refrain_compare(start, end) >= 0) return (refrain_duration){0};
    bool borrow = end.nanoseconds < start.nanoseconds;
    return (refrain_duration){end.seconds - start.seconds - borrow,
                              end.nanoseconds + (borrow ? NANOSECONDS : 0) - start.nanoseconds};
}

refrain_result refrain_sleep_named(refrain_duration duration, const char *summary)
{
    return refrain__block(refrain_after_named(duration, summary)) ? refrain_done(NULL) : refrain__given_up();
}

refrain_result refrain_sleep(refrain_duration duration)
{
    return refrain_sleep_named(duration, NULL);
}

refrain_result refrain_sleep_until(refrain_instant deadline)
{
    /* Timers count from the step's time, of which the clock is ahead by what it was read before: without that, the
     * run's time would not yet be the deadline when the timer fires. */
    uint64_t ahead = (uint64_t)TICK * refrain__run.reads;
    refrain_instant now = refrain_now();
    refrain_duration left = refrain_between(now, deadline);
    if (!left.seconds && !left.nanoseconds) {
        /* The deadline may lie between the step's time and the clock's. */
        refrain_duration passed = refrain_between(deadline, now);
        uint64_t nanoseconds = passed.seconds * NANOSECONDS + passed.nanoseconds;
        if (passed.seconds || nanoseconds >= ahead) return refrain_sleep((refrain_duration){0});
        ahead -= nanoseconds;
    }
    uint64_t nanoseconds = left.nanoseconds + ahead;
    left.seconds += nanoseconds / NANOSECONDS;
    left.nanoseconds = (uint32_t)(nanoseconds % NANOSECONDS);
    return refrain_sleep(left);
}

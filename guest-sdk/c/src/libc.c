/*
 * The C library's own clock, sleep and randomness, led to the run's.
 *
 * The linker takes these in place of the library's, so `time(NULL)` is the run's time, `sleep(3600)` a durable timer
 * during which the workflow goes on to hear of everything, and `getentropy` gives bytes of the run's seed. None of them
 * needs WASI then.
 */
#ifdef __wasm__

/* What is declared by POSIX, and not by C. */
#define _GNU_SOURCE

#include "internal.h"

#include <errno.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now)
{
    (void)clock;
    refrain_instant at = refrain_now();
    now->tv_sec = (time_t)at.seconds;
    now->tv_nsec = (long)at.nanoseconds;
    return 0;
}

time_t time(time_t *out)
{
    time_t now = (time_t)refrain_now().seconds;
    if (out) *out = now;
    return now;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    (void)zone;
    refrain_instant at = refrain_now();
    now->tv_sec = (time_t)at.seconds;
    now->tv_usec = (suseconds_t)(at.nanoseconds / 1000);
    return 0;
}

int nanosleep(const struct timespec *wanted, struct timespec *left)
{
    refrain_duration duration = {(uint64_t)wanted->tv_sec, (uint32_t)wanted->tv_nsec};
    bool slept = !refrain_sleep(duration).failure;
    if (left) *left = (struct timespec){0};
    if (slept) return 0;
    /* In a canceled scope. */
    if (left) *left = *wanted;
    errno = EINTR;
    return -1;
}

unsigned sleep(unsigned seconds)
{
    return refrain_sleep(refrain_seconds(seconds)).failure ? seconds : 0;
}

int usleep(useconds_t microseconds)
{
    struct timespec wanted = {(time_t)(microseconds / 1000000), (long)(microseconds % 1000000) * 1000};
    return nanosleep(&wanted, NULL);
}

int getentropy(void *out, size_t len)
{
    refrain_random_bytes(out, len);
    return 0;
}

#else
/* A native build has its own. */
typedef int refrain__no_libc;
#endif

/*
 * What a bug says before the instance traps.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#ifndef __wasm__
#include <stdio.h>
#endif

/* The reports of bugs may have bugs: out of memory, for one. */
static bool reporting;

static REFRAIN_NORETURN void trap(void)
{
#ifdef __wasm__
    __builtin_trap();
#else
    abort();
#endif
}

void refrain_bug(const char *file, int line, const char *function, const char *format, ...)
{
    if (reporting) trap();
    reporting = true;
    va_list list;
    va_start(list, format);
    const char *message = refrain_text_v(format, list);
    va_end(list);
    /* All in the message and as the last call: the step is not recorded, and a host that tells more of a trap than its
     * place has this line alone. */
    const char *text = file ? refrain_text("bug at %s:%d, in %s: %s", file, line, function, message)
                            : refrain_text("bug: %s", message);
#ifdef __wasm__
    abi_log_write(REFRAIN_LEVEL_ERROR, text, strlen(text), NULL, 0);
#else
    fprintf(stderr, "%s\n", text);
#endif
    trap();
}

#ifdef __wasm__

/* What `assert` calls, in place of the C library's, which writes to a file that nobody reads. */
REFRAIN_NORETURN void __assert_fail(const char *condition, const char *file, int line, const char *function);

void __assert_fail(const char *condition, const char *file, int line, const char *function)
{
    refrain_bug(file, line, function ? function : "?", "assertion failed: %s", condition);
}

/* Nobody says where it was called. */
void abort(void)
{
    refrain_bug(NULL, 0, NULL, "aborted");
}

#endif

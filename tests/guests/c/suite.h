/*
 * The language suite in C: small workflows that together use all that an SDK does.
 *
 * Every language that Refrain has an SDK for has a component with these workflows, and all must leave the same history.
 * The one in Rust is the reference, where the description in `tests/guests/README.md` leaves something open.
 */
#ifndef SUITE_H
#define SUITE_H

#include <refrain.h>

/* How many. */
typedef struct {
    uint64_t n;
} count;

extern const refrain_type COUNT;

/* How long. */
typedef struct {
    uint64_t ms;
} span;

extern const refrain_type SPAN;

/* The activity that returns its input. */
refrain_activity echo(const refrain_json *input);

/* Workflows, by the file that has them. */
extern const refrain_workflow SEQUENCE, PARALLEL, FAN_OUT;                     /* activities.c */
extern const refrain_workflow TIMER, READS, LOG;                               /* context.c */
extern const refrain_workflow RETRIES, SAGA, BUG;                              /* failures.c */
extern const refrain_workflow CHILD, CONTINUE_AS_NEW, CANCEL_CLEANUP, PATCHED; /* lives.c */
extern const refrain_workflow SELECT, QUERY, UPDATE;                           /* messages.c */

#endif

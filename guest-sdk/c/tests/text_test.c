/*
 * Texts, memory and failures.
 */
#include <string.h>

#include "../src/internal.h"
#include "check.h"

static void texts_are_put_together_as_by_printf(void)
{
    CHECK_TEXT(refrain_text("%s|%5s|%-5s|%.2s|%c|%%", "ab", "ab", "ab", "abc", 'x'), "ab|   ab|ab   |ab|x|%");
    CHECK_TEXT(refrain_text("%d|%5d|%-5d|%05d|%i", -7, -7, -7, -7, 7), "-7|   -7|-7   |-0007|7");
    CHECK_TEXT(refrain_text("%u|%04u|%lu|%llu|%zu|%lld", 7u, 7u, 8ul, ~0ull, (size_t)9, -(1ll << 62)),
               "7|0007|8|18446744073709551615|9|-4611686018427387904");
    CHECK_TEXT(refrain_text("%*d|%.*s|%g|%g", 4, 1, 1, "xyz", 0.25, 3.0), "   1|x|0.25|3.0");
    CHECK_TEXT(refrain_text("nothing"), "nothing");
}

static void memory_is_zero_and_stays(void)
{
    char *first = refrain_alloc(3);
    strcpy(first, "ab");
    unsigned char *large = refrain_alloc(5 << 20);
    for (size_t i = 0; i < 5 << 20; i += 4096) CHECK(large[i] == 0);
    CHECK((uintptr_t)refrain_alloc(1) % 16 == 0);
    CHECK_TEXT(first, "ab");
}

static void a_chain_reads_as_one_sentence_and_context_keeps_kind_and_type(void)
{
    const refrain_failure *why = refrain_fail("ConnectionRefused", "connection %s", "refused");
    why = refrain_non_retryable(refrain_with_details(why, refrain_int(7)));
    const refrain_failure *whole = refrain_context(refrain_context(why, "stop container %s", "abc"), "snapshot");
    CHECK_TEXT(refrain_failure_text(whole), "snapshot: stop container abc: connection refused");
    CHECK_TEXT(whole->type, "ConnectionRefused");
    CHECK(whole->non_retryable && !whole->details);
    CHECK_NUMBER(refrain_as_int(refrain_details(whole)), 7);
    const refrain_failure *under = refrain_caused_by(whole, refrain_canceled("enough"));
    CHECK_TEXT(refrain_failure_text(under), "snapshot: stop container abc: connection refused: enough");
    CHECK_TEXT(refrain_failure_text(whole), "snapshot: stop container abc: connection refused");
    CHECK(refrain_is_canceled(refrain_context(refrain_canceled("enough"), "copy")));
    CHECK(!refrain_context(NULL, "nothing failed") && !refrain_is_timeout(NULL));
}

static void a_retry_policy_is_given_when_any_of_it_is(void)
{
    CHECK(!refrain__to_retry(&(refrain_retry){0}).some);
    refrain_retry retry = {.maximum_interval = refrain_seconds(9), .non_retryable = {"A", "B"}, .jitter = 0.25};
    abi_option_retry wire = refrain__to_retry(&retry);
    CHECK(wire.some && wire.value.maximum_interval.some && !wire.value.maximum_attempts);
    CHECK_NUMBER(wire.value.maximum_interval.value.seconds, 9);
    CHECK_NUMBER(wire.value.non_retryable_error_types.len, 2);
    CHECK_TEXT(wire.value.non_retryable_error_types.items[1].data, "B");
    CHECK_NUMBER(wire.value.more.len, 1);
    CHECK_TEXT(wire.value.more.items[0].name.data, "jitter");
    CHECK_TEXT(wire.value.more.items[0].value.data.data, "0.25");
    CHECK(refrain__to_retry(&(refrain_retry){.backoff_coefficient = 1}).some);
}

static void failures_survive_the_way_to_the_host_and_back(void)
{
    const refrain_failure *why = refrain_with_details(refrain_fail("Torn", "torn"), refrain_int(7));
    const refrain_failure *sent = refrain_non_retryable(refrain_context(refrain_context(why, "pull"), "move"));
    abi_failure wire = refrain__to_failure(sent);
    CHECK_NUMBER(wire.causes.len, 2);
    const refrain_failure *got = refrain__from_failure(&wire);
    CHECK_TEXT(refrain_failure_text(got), "move: pull: torn");
    CHECK(got->non_retryable && !got->cause->details && got->cause->cause->details_len == 1);
    CHECK_NUMBER(refrain_as_int(refrain_details(got)), 7);
}

static void what_is_no_json_says_so(void)
{
    abi_payload payload = {{"text/plain", 10}, {"hi", 2}};
    CHECK_TEXT(check_outcome(refrain__from_payload(&payload)),
               "!the payload is `text/plain`, expected `application/json`");
    payload.content_type = (abi_string){"application/json", 16};
    CHECK_TEXT(check_outcome(refrain__from_payload(&payload)), "!expected value at line 1 column 1");
}

const check_test TEXT_TESTS[] = {
    TEST(texts_are_put_together_as_by_printf),
    TEST(memory_is_zero_and_stays),
    TEST(a_chain_reads_as_one_sentence_and_context_keeps_kind_and_type),
    TEST(a_retry_policy_is_given_when_any_of_it_is),
    TEST(failures_survive_the_way_to_the_host_and_back),
    TEST(what_is_no_json_says_so),
    {0},
};

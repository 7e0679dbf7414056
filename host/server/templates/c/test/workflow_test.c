/*
 * The workflow against a scripted host: natively, and in none of your time.
 */
#include <assert.h>
#include <refrain_testing.h>
#include <stdio.h>
#include <string.h>

static void it_reminds_until_someone_decides(void)
{
    refrain_test *test = refrain_test_new();
    refrain_test_query(test, refrain_seconds(61), "reminders", NULL);
    refrain_test_signal(test, refrain_seconds(150), "decide", refrain_jsonf("{'approved': true, 'by': 'Ada'}"));
    const refrain_ended *ended =
        refrain_test_run(test, refrain_workflows[0], refrain_jsonf("{'what': 'a holiday'}"));
    assert(refrain_as_uint(ended->answers[0].value) == 1);
    assert(strcmp(refrain_write(ended->value, NULL), "{\"approved\":true,\"by\":\"Ada\",\"reminders\":2}") == 0);
    assert(ended->elapsed.seconds == 150); /* of the workflow's time */
    refrain_test_free_all();
}

static void nothing_is_not_to_be_had(void)
{
    const refrain_ended *ended =
        refrain_test_run(refrain_test_new(), refrain_workflows[0], refrain_jsonf("{'what': ' '}"));
    assert(ended->how == REFRAIN_FAILED);
    refrain_test_free_all();
}

int main(void)
{
    it_reminds_until_someone_decides();
    nothing_is_not_to_be_had();
    puts("all is well");
}

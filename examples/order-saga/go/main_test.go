package main

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"refrain-sdk/workflow"
	"refrain-sdk/workflowtest"
)

// The workflow against a shop that is a list of what it was asked, and refuses what it is told to.

var input = Order{Number: "7", Customer: "Ada", SKU: "teapot", Quantity: 2, Cents: 4200, Shop: "http://shop"}

type asked struct{ Method, URL string }

// shopThat answers each request after a second and refuses some, as the plugin would say it.
func shopThat(refuses []string) (env *workflowtest.Env, requests *[]string) {
	env, requests = workflowtest.New(), &[]string{}
	workflowtest.SlowActivity(env, "http.request", time.Second, func(asked asked) (any, error) {
		path := strings.TrimSuffix(strings.TrimPrefix(asked.URL, "http://shop/"), "/7")
		request := asked.Method + " " + path
		*requests = append(*requests, request)
		if slices.Contains(refuses, request) {
			details := map[string]any{"status": 409, "body": map[string]string{"error": "the shop does not want to"}}
			return nil, workflow.TypedFailure("HttpStatus", "the answer is 409").NonRetryable().WithDetails(details)
		}
		return map[string]any{"body": map[string]any{"left": 5, "balance": 100, "tracking": "parcel-7"}}, nil
	})
	return env, requests
}

func TestAnOrderThatGoesWellUndoesNothing(t *testing.T) {
	env, requests := shopThat(nil)
	receipt, err := workflowtest.Result[Receipt](env.Run("order", input))
	if err != nil || receipt != (Receipt{"7", 4200, "parcel-7"}) {
		t.Fatalf("%+v (%v)", receipt, err)
	}
	if want := []string{"PUT reservations", "PUT charges", "PUT shipments"}; !reflect.DeepEqual(*requests, want) {
		t.Errorf("%q", *requests)
	}
}

func TestAStepThatFailsIsUndoneWithAllBeforeItTheLastOneFirst(t *testing.T) {
	for _, one := range []struct {
		refuses []string
		want    string
		undone  string
	}{
		{[]string{"PUT reservations"}, "order `7`: reserve the goods", "reservations"},
		{[]string{"PUT charges"}, "order `7`: charge the customer", "charges reservations"},
		{[]string{"PUT shipments"}, "order `7`: ship the goods", "shipments charges reservations"},
		{
			[]string{"PUT shipments", "DELETE charges"},
			"order `7` (1 of 3 compensations failed: refund the customer): ship the goods", "shipments charges reservations",
		},
	} {
		env, requests := shopThat(one.refuses)
		_, err := workflowtest.Result[Receipt](env.Run("order", input))
		if err == nil || err.Error() != one.want+": the answer is 409: the shop does not want to" {
			t.Errorf("%v", err)
		}
		var undone []string
		for _, request := range *requests {
			if what, ok := strings.CutPrefix(request, "DELETE "); ok {
				undone = append(undone, what)
			}
		}
		if got := strings.Join(undone, " "); got != one.undone {
			t.Errorf("%s: undone was %s", one.want, got)
		}
		var compensations workflow.Compensations
		failed := 0
		if workflow.AsFailure(err).Details(&compensations) {
			failed = len(compensations.Failed())
		}
		if failed != len(one.refuses)-1 {
			t.Errorf("%s: %d compensations failed", one.want, failed)
		}
	}
}

func TestAnOrderThatIsCanceledMidwayIsUndone(t *testing.T) {
	env, requests := shopThat(nil)
	env.Cancel(1500*time.Millisecond, "changed my mind")
	if ended := env.Run("order", input); !ended.IsCanceled() {
		t.Error("it was not canceled")
	}
	// It was being charged, so that nobody knows whether it was.
	want := []string{"PUT reservations", "PUT charges", "DELETE charges", "DELETE reservations"}
	if !reflect.DeepEqual(*requests, want) {
		t.Errorf("%q", *requests)
	}
}

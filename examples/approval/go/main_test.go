package main

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"refrain-sdk/workflowtest"
)

// People who decide in time, late, too early, twice, or not at all; days of it in no time.

var input = Request{What: "the release", Approver: "Ada", EscalateTo: "Charles"}

type told struct {
	Stage     any
	Asked     []string
	Reminders int
	Ignored   int
}

func yes(by string) map[string]any { return map[string]any{"by": by, "approved": true, "comment": ""} }

func TestApproval(t *testing.T) {
	type signal struct {
		at    time.Duration
		value any
	}
	ada, both := []string{"Ada"}, []string{"Ada", "Charles"}
	decided := func(by string) any { return map[string]any{"decided": yes(by)} }
	for name, one := range map[string]struct {
		signals []signal
		want    told
		elapsed time.Duration
		logged  string
	}{
		"who is asked first decides and is reminded until then": {
			[]signal{{5 * time.Hour, yes("Ada")}}, told{decided("Ada"), ada, 2, 0}, 5 * time.Hour, "Ada has decided",
		},
		"the second one counts from the escalation on": {
			[]signal{{7 * time.Hour, yes("Charles")}, {9 * time.Hour, yes("Charles")}},
			told{decided("Charles"), both, 4, 1}, 9 * time.Hour,
			"WARN the decision of Charles does not count: nobody has asked them approved=true",
		},
		"decisions that do not count put no reminder off": {
			[]signal{{119 * time.Minute, yes("Eve")}, {239 * time.Minute, yes("Eve")}, {241 * time.Minute, yes("Ada")}},
			told{decided("Ada"), ada, 2, 2}, 241 * time.Minute, "nobody has asked them",
		},
		"what is no decision is passed over": {
			[]signal{{time.Hour, "yes"}, {3 * time.Hour, yes("Ada")}},
			told{decided("Ada"), ada, 1, 0}, 3 * time.Hour, "ERROR signal passed over",
		},
		"what nobody decides has expired after a day": {
			nil, told{"expired", both, 12, 0}, 24 * time.Hour, "too late: nothing came within 24h0m0s",
		},
		"a decision at the very end counts and the second of two comes too late": {
			[]signal{{24 * time.Hour, yes("Ada")}, {24 * time.Hour, yes("Charles")}},
			told{decided("Ada"), both, 11, 1}, 24 * time.Hour, "it comes too late",
		},
	} {
		t.Run(name, func(t *testing.T) {
			env := workflowtest.New()
			for _, signal := range one.signals {
				env.Signal(signal.at, "decide", signal.value)
			}
			ended := env.Run("approval", input)
			got, err := workflowtest.Result[told](ended)
			if err != nil || !reflect.DeepEqual(got, one.want) || ended.Elapsed != one.elapsed {
				t.Errorf("got %v after %v (%v), want %v after %v", got, ended.Elapsed, err, one.want, one.elapsed)
			}
			if !slices.ContainsFunc(ended.Log, func(line string) bool { return strings.Contains(line, one.logged) }) {
				t.Errorf("%q is not in %q", one.logged, ended.Log)
			}
		})
	}
}

func TestItEndsAtOnceWhenCanceled(t *testing.T) {
	env := workflowtest.New()
	env.Cancel(time.Hour, "no longer needed")
	ended := env.Run("approval", input)
	if !ended.IsCanceled() || ended.Elapsed != time.Hour {
		t.Errorf("it ended after %v", ended.Elapsed)
	}
}

package workflow

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"testing"
	"time"

	"refrain-sdk/internal/bridge"
	"refrain-sdk/internal/wit"
)

func TestValuesAreWrittenAsTheOtherLanguagesWriteThem(t *testing.T) {
	for _, one := range []struct {
		value any
		want  string
	}{
		{None{}, "null"},
		{map[string]int{"b": 1, "a": 2}, `{"a":2,"b":1}`},
		{"<a> & 'b'", `"<a> & 'b'"`},
		{"\u2028\\u2029\u2029", "\"\u2028\\\\u2029\u2029\""},
		{"ü\x7f\x00\b\f\n", "\"ü\x7f\\u0000\\b\\f\\n\""},
		{uint64(1) << 63, "9223372036854775808"},
		{struct {
			B int `json:"b"`
			A int `json:"a"`
		}{1, 2}, `{"b":1,"a":2}`},
	} {
		payload, err := encode(one.value)
		if err != nil || string(payload.Data) != one.want {
			t.Errorf("%#v: got %s (%v), want %s", one.value, payload.Data, err, one.want)
		}
	}
	for value, want := range map[float64]string{2: "2.0", 0.25: "0.25", 1e21: "1e21"} {
		if got := string(number(value).Data); got != want {
			t.Errorf("%v: got %s, want %s", value, got, want)
		}
	}
}

type inner struct {
	X int  `json:"x"`
	Y *int `json:"y"`
}

type outer struct {
	A     string  `json:"a" doc:"The \"first\"."`
	B     []inner `json:"b"`
	C     int     `json:"c,omitempty"`
	D     string  `json:"d" refrain:"optional"`
	inner `json:"-"`
}

func TestAnInputMustHaveWhatItsSchemaRequires(t *testing.T) {
	for input, want := range map[string]string{
		`{"a":"","b":[]}`:                    "",
		`{"a":"","b":null}`:                  "",
		`{"a":""}`:                           "missing field `b`",
		`{"b":[]}`:                           "missing field `a`",
		`{"a":"","b":[{"x":1},{"y":1}]}`:     "missing field `b[1].x`",
		`{"a":1,"b":[]}`:                     "field `a`: invalid type: number, expected string",
		`{"a":"","b":[]} {}`:                 "invalid character '{' after top-level value",
		`{"a":"","b":[{"x":"1"}],"more":{}}`: "field `b.x`: invalid type: string, expected int",
	} {
		_, err := decodeInput[outer](wit.Payload{ContentType: wit.JSON, Data: []byte(input)})
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", input, got, want)
		}
	}
	_, err := decodeInput[int](wit.Payload{ContentType: "text/plain"})
	if err.Error() != "the payload is `text/plain`, expected `application/json`" {
		t.Error(err)
	}
}

func TestSchemasTellTheFieldsOfATypeAndWhatTheyMean(t *testing.T) {
	const draft = `{"$schema":"https://json-schema.org/draft/2020-12/schema"`
	for _, one := range []struct{ got, want string }{
		{*schemaOf[None](), `,"type":"null"}`},
		{*schemaOf[any](), `}`},
		{*schemaOf[[]uint8](), `,"type":"string","contentEncoding":"base64"}`},
		{*schemaOf[time.Time](), `,"type":"string","format":"date-time"}`},
		{*schemaOf[map[string]bool](), `,"type":"object","additionalProperties":{"type":"boolean"}}`},
		{*schemaOf[outer](), `,"title":"outer","type":"object","properties":{` +
			`"a":{"description":"The \"first\".","type":"string"},"b":{"type":"array","items":{"type":"object","properties":{` +
			`"x":{"type":"integer","format":"int"},"y":{"anyOf":[{"type":"integer","format":"int"},{"type":"null"}]}},` +
			`"required":["x"]}},"c":{"type":"integer","format":"int"},"d":{"type":"string"}},"required":["a","b"]}`},
	} {
		if one.got != draft+one.want {
			t.Errorf("got %s\nwant %s", one.got, draft+one.want)
		}
	}
}

func TestErrorsBecomeFailuresThatKeepEachLevel(t *testing.T) {
	refused := TypedFailure("ConnectionRefused", "connection refused").NonRetryable().WithDetails(7)
	_, notANumber := strconv.Atoi("x")
	for _, one := range []struct {
		err   error
		typ   string
		chain []string
	}{
		{errors.New("plain"), "Failure", []string{"plain"}},
		{refused, "ConnectionRefused", []string{"connection refused"}},
		{fmt.Errorf("a: %w", fmt.Errorf("b: %w", refused)), "ConnectionRefused", []string{"a", "b", "connection refused"}},
		{Wrap(Wrap(refused, "b"), "a"), "ConnectionRefused", []string{"a", "b", "connection refused"}},
		{fmt.Errorf("read: %w", notANumber), "NumError", []string{"read", `strconv.Atoi: parsing "x"`, "invalid syntax"}},
		{&fs.PathError{Op: "open", Path: "/x", Err: fs.ErrNotExist}, "PathError", []string{"open /x", "file does not exist"}},
		{&Elapsed{After: time.Second}, "Elapsed", []string{"nothing came within 1s"}},
	} {
		failure := AsFailure(one.err)
		if failure.Type() != one.typ || fmt.Sprint(failure.Chain()) != fmt.Sprint(one.chain) {
			t.Errorf("%v: got %s %q, want %s %q", one.err, failure.Type(), failure.Chain(), one.typ, one.chain)
		}
	}
	wrapped := AsFailure(fmt.Errorf("a: %w", refused))
	var details int
	if !wrapped.IsNonRetryable() || !wrapped.Details(&details) || details != 7 {
		t.Errorf("%+v", wrapped)
	}
	if Wrap(nil, "a") != nil {
		t.Error("nothing failed")
	}
}

func TestWhatIsRegisteredIsDescribedAndWhatIsNotIsNotFound(t *testing.T) {
	query := Query[None, int]{Name: "q", Doc: "Asks."}
	Register("described", func(Context, outer) (int, error) { return 0, nil }, Options{
		Doc: "Does.", Messages: []Message{query, Signal[bool]{Name: "s"}, Update[int, None]{Name: "u"}}, OnTrap: Fail,
	})
	manifest := bridge.Describe()
	if manifest.SDK != "refrain-sdk for Go 0.1.0" {
		t.Error(manifest.SDK)
	}
	var found *wit.WorkflowType
	for i := range manifest.Workflows {
		if manifest.Workflows[i].Name == "described" {
			found = &manifest.Workflows[i]
		}
	}
	if found == nil || found.Doc != "Does." || found.OnTrap != wit.Fail || len(found.Signals) != 1 ||
		found.Queries[0].Doc != "Asks." || found.Updates[0].Name != "u" {
		t.Errorf("%+v", found)
	}
	ended := bridge.Run(nil, "nobody", wit.Payload{})
	if ended.Failure.Kind != wit.KindHost || ended.Failure.Message != "this component has no workflow `nobody`" {
		t.Errorf("%+v", ended)
	}
}

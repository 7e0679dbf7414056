package workflow

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"refrain-sdk/internal/wit"
)

// Values on their way in and out: JSON, always written in the same way, since a replay compares bytes. encoding/json
// writes the fields of a struct in the order of their declaration and the keys of a map in their own; what it escapes
// for the sake of web pages is written plainly here, as the SDKs of the other languages do.

// None is no value: the JSON text null. It is the input of what takes none, and the output of what gives none.
type None struct{}

// MarshalJSON writes null.
func (None) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

// UnmarshalJSON takes null alone.
func (*None) UnmarshalJSON(data []byte) error {
	if string(data) != "null" {
		return fmt.Errorf("expected null, found %s", data)
	}
	return nil
}

func encode(value any) (wit.Payload, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return wit.Payload{}, TypedFailure("not-json", "cannot be written as JSON: "+err.Error())
	}
	data := bytes.TrimSuffix(out.Bytes(), []byte("\n"))
	return wit.Payload{ContentType: wit.JSON, Data: plainSeparators(data)}, nil
}

// plainSeparators writes U+2028 and U+2029, which encoding/json always escapes, as they are.
func plainSeparators(data []byte) []byte {
	if !bytes.Contains(data, []byte(`\u202`)) {
		return data
	}
	out := make([]byte, 0, len(data))
	for len(data) > 0 {
		switch {
		case bytes.HasPrefix(data, []byte(`\u2028`)):
			out, data = append(out, "\u2028"...), data[6:]
		case bytes.HasPrefix(data, []byte(`\u2029`)):
			out, data = append(out, "\u2029"...), data[6:]
		case data[0] == '\\':
			// With what it escapes, which may be a backslash.
			out, data = append(out, data[:2]...), data[2:]
		default:
			out, data = append(out, data[0]), data[1:]
		}
	}
	return out
}

func decode[T any](payload wit.Payload) (value T, err error) {
	err = decodeInto(payload, &value)
	return value, err
}

func decodeInto(payload wit.Payload, out any) error {
	if payload.ContentType != wit.JSON {
		message := fmt.Sprintf("the payload is `%s`, expected `%s`", payload.ContentType, wit.JSON)
		return TypedFailure("content-type", message)
	}
	if err := json.Unmarshal(payload.Data, out); err != nil {
		return TypedFailure("bad-json", told(err))
	}
	return nil
}

// decodeInput is decode for what comes from outside: what the schema says is required must be there.
func decodeInput[T any](payload wit.Payload) (T, error) {
	value, err := decode[T](payload)
	if err == nil {
		if missing := missingIn(reflect.TypeFor[T](), payload.Data, ""); missing != "" {
			err = TypedFailure("bad-json", "missing field `"+missing+"`")
		}
	}
	return value, err
}

// told says what did not fit, and in which field.
func told(err error) string {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		why := fmt.Sprintf("invalid type: %s, expected %s", wrong.Value, wrong.Type)
		if wrong.Field != "" {
			return "field `" + wrong.Field + "`: " + why
		}
		return why
	}
	return err.Error()
}

// missingIn is the first field that must be there and is not.
func missingIn(t reflect.Type, data []byte, path string) string {
	if describesItself(t) || string(bytes.TrimSpace(data)) == "null" {
		return ""
	}
	switch t.Kind() {
	case reflect.Pointer:
		return missingIn(t.Elem(), data, path)
	case reflect.Slice, reflect.Array:
		var items []json.RawMessage
		if !mayLack(t.Elem()) || json.Unmarshal(data, &items) != nil {
			return ""
		}
		for i, item := range items {
			if missing := missingIn(t.Elem(), item, path+"["+strconv.Itoa(i)+"]"); missing != "" {
				return missing
			}
		}
	case reflect.Struct:
		var there map[string]json.RawMessage
		if json.Unmarshal(data, &there) != nil {
			return ""
		}
		for _, field := range fieldsOf(t) {
			inner := strings.TrimPrefix(path+"."+field.name, ".")
			item, ok := there[field.name]
			if !ok && field.required {
				return inner
			}
			if ok {
				if missing := missingIn(field.typ, item, inner); missing != "" {
					return missing
				}
			}
		}
	default:
	}
	return ""
}

// mayLack tells whether there is anything to look for in values of that type.
func mayLack(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return mayLack(t.Elem())
	default:
		return t.Kind() == reflect.Struct && !describesItself(t)
	}
}

// setNamed puts a named value in, in place of the one that was there.
func setNamed(more []wit.Named, key string, value wit.Payload) []wit.Named {
	for i := range more {
		if more[i].Key == key {
			more[i].Value = value
			return more
		}
	}
	return append(more, wit.Named{Key: key, Value: value})
}

// number is a number with a fraction, as serde writes it.
func number(value float64) wit.Payload {
	text := strings.Replace(strconv.FormatFloat(value, 'g', -1, 64), "e+", "e", 1)
	if !strings.ContainsAny(text, ".eIN") {
		text += ".0"
	}
	if strings.ContainsAny(text, "IN") {
		// No JSON number, which the host refuses by name.
		text = "null"
	}
	return wit.Payload{ContentType: wit.JSON, Data: []byte(text)}
}

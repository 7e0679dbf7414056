package workflow

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
	"time"
)

// JSON Schemas of Go types, for describe: what people and forms see of a workflow's input and output.

// field is a field of a struct, as encoding/json writes it.
type field struct {
	name, doc string
	typ       reflect.Type
	required  bool
	// asText: `,string`.
	asText bool
}

// fieldsOf gives the fields in the order of their declaration, those of embedded structs in the place of these.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if tag == "-" && options == "" {
			continue
		}
		if f.Anonymous && tag == "" {
			embedded := f.Type
			if embedded.Kind() == reflect.Pointer {
				embedded = embedded.Elem()
			}
			if embedded.Kind() == reflect.Struct {
				fields = append(fields, fieldsOf(embedded)...)
				continue
			}
		}
		if !f.IsExported() {
			continue
		}
		name := f.Name
		if tag != "" {
			name = tag
		}
		optional := f.Type.Kind() == reflect.Pointer || strings.Contains(options, "omit") ||
			f.Tag.Get("refrain") == "optional"
		fields = append(fields, field{
			name:     name,
			doc:      f.Tag.Get("doc"),
			typ:      f.Type,
			required: !optional,
			asText:   strings.Contains(options, "string"),
		})
	}
	return fields
}

var (
	marshaler     = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
	schemaAware   = reflect.TypeFor[JSONSchema]()
)

// JSONSchema is implemented by types that tell their own schema, such as those that write their own JSON.
type JSONSchema interface {
	// JSONSchema is a JSON Schema, as text. It is called on a zero value.
	JSONSchema() string
}

// describesItself tells whether a type's JSON is not that of its fields.
func describesItself(t reflect.Type) bool {
	pointer := reflect.PointerTo(t)
	return pointer.Implements(marshaler) || pointer.Implements(textMarshaler)
}

// schemaOf is the JSON Schema of a type, as text.
func schemaOf[T any]() *string {
	var out strings.Builder
	out.WriteString(`{"$schema":"https://json-schema.org/draft/2020-12/schema"`)
	t := reflect.TypeFor[T]()
	if name := t.Name(); t.Kind() == reflect.Struct && !describesItself(t) && !strings.Contains(name, "[") {
		out.WriteString(`,"title":` + quote(name))
	}
	inner := schema(t, nil)
	if inner != "{}" {
		out.WriteString("," + strings.TrimPrefix(inner, "{"))
	} else {
		out.WriteString("}")
	}
	text := out.String()
	return &text
}

func schema(t reflect.Type, within []reflect.Type) string {
	pointer := reflect.PointerTo(t)
	switch {
	case t == reflect.TypeFor[None]():
		return `{"type":"null"}`
	case t == reflect.TypeFor[time.Time]():
		return `{"type":"string","format":"date-time"}`
	case pointer.Implements(schemaAware):
		return reflect.New(t).Interface().(JSONSchema).JSONSchema()
	case pointer.Implements(marshaler):
		return `{}`
	case pointer.Implements(textMarshaler):
		return `{"type":"string"}`
	}
	switch t.Kind() {
	case reflect.Bool:
		return `{"type":"boolean"}`
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return `{"type":"integer","format":` + quote(t.Kind().String()) + `}`
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return `{"type":"integer","format":` + quote(t.Kind().String()) + `,"minimum":0}`
	case reflect.Float32, reflect.Float64:
		return `{"type":"number","format":"double"}`
	case reflect.String:
		return `{"type":"string"}`
	case reflect.Pointer:
		inner := schema(t.Elem(), within)
		if inner == "{}" {
			return inner
		}
		return `{"anyOf":[` + inner + `,{"type":"null"}]}`
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return `{"type":"string","contentEncoding":"base64"}`
		}
		return `{"type":"array","items":` + schema(t.Elem(), within) + `}`
	case reflect.Array:
		return `{"type":"array","items":` + schema(t.Elem(), within) + `}`
	case reflect.Map:
		return `{"type":"object","additionalProperties":` + schema(t.Elem(), within) + `}`
	case reflect.Struct:
		return object(t, within)
	default:
		// Whatever it may be.
		return `{}`
	}
}

func object(t reflect.Type, within []reflect.Type) string {
	for _, outer := range within {
		if outer == t {
			// A type that contains itself is told once.
			return `{"type":"object"}`
		}
	}
	within = append(within, t)
	var properties, required []string
	for _, field := range fieldsOf(t) {
		inner := schema(field.typ, within)
		if field.asText {
			inner = `{"type":"string"}`
		}
		if field.doc != "" {
			inner = `{"description":` + quote(field.doc) + strings.Replace(","+strings.TrimPrefix(inner, "{"), ",}", "}", 1)
		}
		properties = append(properties, quote(field.name)+":"+inner)
		if field.required {
			required = append(required, quote(field.name))
		}
	}
	out := `{"type":"object","properties":{` + strings.Join(properties, ",") + `}`
	if len(required) > 0 {
		out += `,"required":[` + strings.Join(required, ",") + `]`
	}
	return out + `}`
}

func quote(s string) string {
	payload, err := encode(s)
	if err != nil {
		return `""`
	}
	return string(payload.Data)
}

package workflow

import (
	"fmt"

	"refrain-sdk/internal/wit"
)

const levelError = wit.Error

// Logger writes to the run's log: lines that are kept with the run, and not written again by a replay.
//
// What the functions get after the message are fields: names and values in turn, as log/slog has them. Values are
// written as fmt.Print does.
type Logger struct{ r *run }

// Log is the run's log.
//
//	workflow.Log(ctx).Warn("that is large", "file", name, "bytes", bytes)
//
// What is printed to os.Stdout and os.Stderr is kept with the run as well, without a level and fields.
func Log(ctx Context) Logger { return Logger{ctx.node().run} }

// Trace writes a line of level trace.
func (l Logger) Trace(message string, fields ...any) { l.write(wit.Trace, message, fields) }

// Debug writes a line of level debug.
func (l Logger) Debug(message string, fields ...any) { l.write(wit.Debug, message, fields) }

// Info writes a line of level info.
func (l Logger) Info(message string, fields ...any) { l.write(wit.Info, message, fields) }

// Warn writes a line of level warn.
func (l Logger) Warn(message string, fields ...any) { l.write(wit.Warn, message, fields) }

// Error writes a line of level error.
func (l Logger) Error(message string, fields ...any) { l.write(wit.Error, message, fields) }

func (l Logger) write(level wit.Level, message string, fields []any) {
	var wire []wit.Field
	for i := 0; i < len(fields); i += 2 {
		field := wit.Field{Key: fmt.Sprint(fields[i])}
		if i+1 < len(fields) {
			field.Value = fmt.Sprint(fields[i+1])
		}
		wire = append(wire, field)
	}
	l.r.host.Log(level, message, wire)
}

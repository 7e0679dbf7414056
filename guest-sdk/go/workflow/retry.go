package workflow

import (
	"time"

	"refrain-sdk/internal/wit"
)

// Retry says when and how often the host tries an activity or a child again. Its zero value means the host's
// defaults: without end, 1 s to 100 s apart.
type Retry struct {
	// InitialInterval is the time from the first failure to the second attempt; zero is 1 s.
	InitialInterval time.Duration
	// BackoffCoefficient is how much longer each interval is than the one before: at least 1; zero is 2.
	BackoffCoefficient float64
	// MaximumInterval is the longest interval; zero is 100 times the first.
	MaximumInterval time.Duration
	// MaximumAttempts counts the first one too; zero is without limit, 1 is never again.
	MaximumAttempts uint32
	// NonRetryableErrorTypes are types of failures that end the attempts.
	NonRetryableErrorTypes []string
	// Jitter shortens each interval by a random part of at most this share of it, 0 to 1, so that what failed together
	// is not tried again together.
	Jitter float64
}

func (r *Retry) toWire() *wit.RetryPolicy {
	if r == nil {
		return nil
	}
	wire := &wit.RetryPolicy{
		InitialInterval:        toWire(r.InitialInterval),
		BackoffCoefficient:     r.BackoffCoefficient,
		MaximumInterval:        optionalToWire(r.MaximumInterval),
		MaximumAttempts:        r.MaximumAttempts,
		NonRetryableErrorTypes: r.NonRetryableErrorTypes,
	}
	if r.Jitter != 0 {
		wire.More = setNamed(nil, "jitter", number(r.Jitter))
	}
	return wire
}

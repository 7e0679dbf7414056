package workflow

import (
	"encoding/binary"
	"math/rand/v2"
)

// randomBytesAtOnce is the most that the host gives at once.
const randomBytesAtOnce = 65_536

// RandomBytes are the next of the run's own random stream: the same on every replay.
func RandomBytes(ctx Context, n int) []byte {
	bytes := make([]byte, 0, n)
	for len(bytes) < n {
		bytes = append(bytes, ctx.node().run.host.RandomBytes(uint32(min(n-len(bytes), randomBytesAtOnce)))...)
	}
	return bytes
}

// Random makes random numbers of that stream, with all that math/rand/v2 knows to make of them:
//
//	dice := workflow.Random(ctx).IntN(6) + 1
func Random(ctx Context) *rand.Rand { return rand.New(source{ctx}) }

type source struct{ ctx Context }

func (s source) Uint64() uint64 { return binary.LittleEndian.Uint64(RandomBytes(s.ctx, 8)) }

// UUID is one of version 4 in lower case, the same on every replay.
func UUID(ctx Context) string { return ctx.node().run.host.UUID() }

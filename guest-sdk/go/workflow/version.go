package workflow

// Patched tells whether this run takes the new path of a change: true in a run that gets here for the first time, false
// in one that had passed here before the change. The same id gets the same answer for the whole run.
//
//	charge := "charge"
//	if workflow.Patched(ctx, "charge-with-tax") {
//		charge = "charge-with-tax"
//	}
func Patched(ctx Context, id string) bool { return ctx.node().run.host.Patched(id) }

// GetVersion is [Patched] for a place that changes more than once: max in a run that gets here for the first time, the
// recorded one in its replays, min in a run that had passed before.
//
// A run that needs a version outside of these is parked.
func GetVersion(ctx Context, id string, min, max uint32) uint32 {
	return ctx.node().run.host.GetVersion(id, min, max)
}

package handler

import (
	"context"
	"sync"

	"github.com/FerretDB/wire"
)

// oneAtATime lets one command in after the other, of those that write. FerretDB 1 changes a document by
// reading and then writing it, without a lock; MongoDB changes a document as a whole.
func (h *Handler) oneAtATime() {
	var one sync.Mutex

	for _, name := range []string{
		"create", "createIndexes", "delete", "drop", "dropDatabase", "findAndModify", "findandmodify", "insert", "update",
	} {
		cmd := h.commands[name]
		if cmd == nil || cmd.Handler == nil {
			continue
		}

		handle := cmd.Handler
		cmd.Handler = func(ctx context.Context, msg *wire.OpMsg) (*wire.OpMsg, error) {
			one.Lock()
			defer one.Unlock()

			return handle(ctx, msg)
		}
	}
}

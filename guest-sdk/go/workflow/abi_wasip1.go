package workflow

// The exports of a component, and the host behind its imports.
import _ "refrain-sdk/internal/abi"

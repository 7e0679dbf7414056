/**
 * The types of `wit/` as they cross the border: records are objects with names in camel case, variants have `tag` and
 * `val`, options are `null` or a value, `list<u8>` is a `Uint8Array`, and a `u64` is a number.
 */

export interface Duration {
  readonly seconds: number;
  readonly nanoseconds: number;
}

export type Instant = Duration;

export interface Payload {
  readonly contentType: string;
  readonly data: Uint8Array;
}

export type NamedPayload = [name: string, value: Payload];

export type FailureKind = "application" | "canceled" | "timeout" | "terminated" | "host" | "other";

export interface Cause {
  readonly kind: FailureKind;
  readonly errorType: string;
  readonly message: string;
  readonly stack: string;
  readonly details: Payload | null;
}

export interface Failure extends Cause {
  readonly nonRetryable: boolean;
  readonly causes: Cause[];
}

export type Outcome = { tag: "ok"; val: Payload } | { tag: "err"; val: Failure };

export interface RetryPolicy {
  initialInterval: Duration;
  backoffCoefficient: number;
  maximumInterval: Duration | null;
  maximumAttempts: number;
  nonRetryableErrorTypes: string[];
  more: NamedPayload[];
}

export interface Execution {
  readonly workflowId: string;
  readonly runId: string | null;
}

export interface UnreadSignal {
  readonly name: string;
  readonly input: Payload;
}

export interface NextRun {
  workflow: string | null;
  input: Payload;
  newestVersion: boolean;
  runTimeout: Duration | null;
  unread: UnreadSignal[];
  more: NamedPayload[];
}

export type Completion =
  | { tag: "completed"; val: Payload }
  | { tag: "failed"; val: Failure }
  | { tag: "canceled"; val: Payload | null }
  | { tag: "continue-as-new"; val: NextRun };

export type Cancellation = "try-cancel" | "wait-for-cancellation" | "abandon";

export interface ActivityOptions {
  taskQueue: string | null;
  scheduleToCloseTimeout: Duration | null;
  scheduleToStartTimeout: Duration | null;
  startToCloseTimeout: Duration | null;
  heartbeatTimeout: Duration | null;
  retry: RetryPolicy | null;
  cancellation: Cancellation;
  priority: number | null;
  summary: string | null;
  more: NamedPayload[];
}

export type ParentClosePolicy = "terminate" | "request-cancel" | "abandon";

export type IdReusePolicy = "allow" | "allow-failed-only" | "reject";

export interface ChildOptions {
  workflowId: string | null;
  idReuse: IdReusePolicy;
  component: string | null;
  taskQueue: string | null;
  executionTimeout: Duration | null;
  runTimeout: Duration | null;
  retry: RetryPolicy | null;
  parentClose: ParentClosePolicy;
  cancellation: Cancellation;
  memo: NamedPayload[];
  summary: string | null;
  more: NamedPayload[];
}

export interface ChildOps {
  readonly started: number;
  readonly finished: number;
}

export interface RunInfo {
  readonly namespace: string;
  readonly workflowId: string;
  readonly runId: string;
  readonly firstRunId: string;
  readonly continuedRunId: string | null;
  readonly workflow: string;
  readonly taskQueue: string;
  readonly attempt: number;
  readonly lastFailure: Failure | null;
  readonly startedAt: Instant;
  readonly parent: Execution | null;
  readonly root: Execution | null;
  readonly journalEntries: number;
  readonly journalBytes: number;
  readonly continueAsNewSuggested: boolean;
  readonly more: NamedPayload[];
}

export interface Signal {
  readonly name: string;
  readonly input: Payload;
}

export interface Update {
  readonly request: number;
  readonly updateId: string;
  readonly name: string;
  readonly input: Payload;
}

export interface Query {
  readonly request: number;
  readonly name: string;
  readonly input: Payload;
}

export type Message =
  | { tag: "signal"; val: Signal }
  | { tag: "update"; val: Update }
  | { tag: "query"; val: Query }
  | { tag: "cancel-requested"; val: { readonly reason: string } }
  | { tag: "other"; val: unknown };

export type Event =
  | { tag: "finished"; val: { readonly op: number; readonly outcome: Outcome } }
  | { tag: "message"; val: Message };

export type Interest =
  | { tag: "everything" }
  | { tag: "ops"; val: number[] }
  | { tag: "ops-and-messages"; val: number[] };

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error";

export interface LogField {
  readonly key: string;
  readonly value: string;
}

export interface MessageType {
  name: string;
  doc: string;
  inputSchema: string | null;
  outputSchema: string | null;
}

export interface WorkflowType {
  name: string;
  doc: string;
  inputSchema: string | null;
  outputSchema: string | null;
  signals: MessageType[];
  queries: MessageType[];
  updates: MessageType[];
  onTrap: "park" | "fail";
  more: NamedPayload[];
}

export interface Manifest {
  sdk: string;
  workflows: WorkflowType[];
}

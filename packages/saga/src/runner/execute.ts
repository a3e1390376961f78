import { sleep, waitedFor } from '@oncekey/core'
import type { Definition } from '../definition/definition.ts'
import { whyUnknown } from '../definition/known-definition.ts'
import { type ResolvedRequest, type RunRequest, resolveRequest } from '../run/run-request.ts'
import { SagaError } from '../run/saga-error.ts'
import { isInsideStep, type Turn } from '../state/concurrency-limit.ts'
import { draining } from '../state/draining.ts'
import type { RunnerState } from '../state/runner-state.ts'
import { sagaStoreError } from '../state/store-error.ts'
import { ANY } from '../state/suspects.ts'
import type { FoundRunJson } from '../statements/runs.ts'
import type { Takable } from '../statements/work.ts'
import { drive } from './drive.ts'
import { isOver, resultOf } from './result-of-run.ts'
import { startRun } from './start-run.ts'

export interface ExecuteOptions {
  /**
   * How long to wait for the end of the run. After that `execute` throws `saga-in-progress`, and
   * the run continues. Milliseconds. @default no limit
   */
  readonly waitMs?: number
  /** Stops the wait; the run continues. */
  readonly signal?: AbortSignal
}

/**
 * Starts a run or finds the one with that id, drives it here if no other process does, and waits
 * for its end.
 */
export async function execute<Tx>(
  runner: RunnerState<Tx>,
  definition: Definition,
  request: RunRequest<unknown> & ExecuteOptions,
): Promise<unknown> {
  const { signal, waitMs } = request
  if (waitMs !== undefined) waitedFor('execute: waitMs', waitMs, 0)
  const until = waitMs === undefined ? Number.POSITIVE_INFINITY : performance.now() + waitMs
  const resolved = resolveRequest(definition, request, runner.maxResultBytes)
  signal?.throwIfAborted()
  refuseDraining(runner)

  if (!runner.driving.has(resolved.id)) await begin(runner, definition, resolved)
  const turn = lazyTurn(runner)
  try {
    return await waitForEnd(runner, definition, resolved, { until, signal, turn })
  } finally {
    turn.leave()
  }
}

interface Waiting {
  /** The end of the wait, by `performance.now()`. */
  readonly until: number
  readonly signal: AbortSignal | undefined
  readonly turn: LazyTurn
}

async function waitForEnd<Tx>(
  runner: RunnerState<Tx>,
  definition: Definition,
  resolved: ResolvedRequest,
  { until, signal, turn }: Waiting,
): Promise<unknown> {
  for (let polls = 0, starts = 1; ; polls++) {
    await waitWithin(runner.driving.get(resolved.id), until, signal)
    const found = await findRun(runner, resolved.id)
    if (found === undefined) {
      // The run was recorded, and a failover lost it. It is started again, with the same
      // idempotency keys.
      if (starts++ === MAX_STARTS) throw runGone(resolved.id)
      await begin(runner, definition, resolved)
      continue
    }
    checkSame(definition, resolved, found)
    const own = runner.definitions.get(found.definition)
    if (isOver(found)) return resultOf(resolved.id, found, own)
    if (own === undefined) throw unknownDefinition(runner, resolved.id, found)
    refuseDraining(runner)
    const dueInMs = found.due_in_ms ?? POLL_MS
    if (dueInMs > 0) turn.leave()
    else if (turn.acquire()) {
      if (await takeAndDrive(runner, own, resolved.id)) continue
    } else {
      // Another process may take the run meanwhile. The interval grows with the number of waiting
      // callers, so that all of them together query at a constant rate.
      const pollMs = Math.max(POLL_MS, runner.executeLimit.waiting() * MS_PER_WAITER)
      await waitWithin(turn.readyWithin(pollMs), until, signal)
      if (performance.now() >= until) throw inProgress(resolved.id)
      continue
    }
    // Another process has the run, and may finish it long before the lease ends. Or the run is due
    // and a suspect, and this process is not idle.
    const pollMs = Math.min(POLL_MS, FIRST_POLL_MS * 2 ** polls)
    const isWaiting = !found.owned && dueInMs > 0
    const ms = isWaiting ? Math.min(Math.max(dueInMs, FIRST_POLL_MS), POLL_MS) : pollMs
    await waitWithin(sleep(ms, signal), until, signal)
    if (performance.now() >= until) throw inProgress(resolved.id)
  }
}

/** Records a run without waiting for it. The loop of any process takes it. */
export async function submit<Tx>(
  runner: RunnerState<Tx>,
  definition: Definition,
  request: RunRequest<unknown>,
): Promise<{ id: string; isNew: boolean }> {
  const resolved = resolveRequest(definition, request, runner.maxResultBytes)
  const starting = startRun(runner, definition, resolved, null, () => false)
  const started = await runner.questions.asked(starting)
  if (started === undefined) {
    const found = await findRun(runner, resolved.id)
    if (found === undefined) throw runGone(resolved.id)
    checkSame(definition, resolved, found)
  }
  return { id: resolved.id, isNew: started !== undefined }
}

/**
 * Records a run, and drives it here if the concurrency limit allows. Otherwise any process that has
 * capacity takes it.
 */
async function begin<Tx>(
  runner: RunnerState<Tx>,
  definition: Definition,
  request: ResolvedRequest,
): Promise<void> {
  const hasCapacity = runner.executeLimit.acquire()
  let driving: Promise<void> | undefined
  try {
    const owner = hasCapacity ? runner.node : null
    const starting = startRun(runner, definition, request, owner, () => runner.draining)
    // A start without an answer may be on record, so its error stays, also during a stop.
    const started = await runner.questions.asked(starting)
    if (started !== undefined && hasCapacity) driving = drive(runner, definition, started)
  } finally {
    if (hasCapacity) releaseAfter(runner, driving)
  }
}

/** A place in the queue that is taken only when it is first needed. */
interface LazyTurn {
  /** Acquires capacity if some is free or reserved for this caller; otherwise joins the queue. */
  acquire(): boolean
  readyWithin(ms: number): Promise<void>
  leave(): void
}

function lazyTurn<Tx>({ executeLimit }: RunnerState<Tx>): LazyTurn {
  let turn: Turn | undefined
  return {
    acquire() {
      if (turn === undefined && executeLimit.acquire()) return true
      turn ??= executeLimit.enqueue()
      if (!turn.isReady()) return false
      turn.use()
      turn = undefined
      return true
    },
    async readyWithin(ms) {
      const patience = new AbortController()
      await Promise.race([turn?.ready, sleep(ms, patience.signal)])
      patience.abort()
    },
    leave() {
      turn?.leave()
      turn = undefined
    },
  }
}

function releaseAfter<Tx>(
  { executeLimit }: RunnerState<Tx>,
  after: Promise<void> | undefined,
): void {
  if (after === undefined) executeLimit.release()
  else void after.then(() => executeLimit.release())
}

/** Claims a run and drives it. The capacity has been acquired before. */
async function takeAndDrive<Tx>(
  runner: RunnerState<Tx>,
  definition: Definition,
  id: string,
): Promise<boolean> {
  const { client, statements, node, leaseMs, acquireTimeoutMs } = runner
  const take = (takable: Takable) => {
    const statement = statements.takeRun({ id, epoch: null, owner: node, leaseMs, ...takable })
    return client.query(statement, { timeoutMs: acquireTimeoutMs })
  }
  // A step waits for the run that it executes, so this takes it in any case.
  const ask = () => (isInsideStep() ? take(ANY) : runner.suspects.asking(take))
  let driving: Promise<void> | undefined
  try {
    const taking = runner.unanswered.taking(id, ask, () => runner.draining)
    const taken = await asked(runner, taking)
    if (taken === undefined) throw draining()
    const [row] = taken.answer
    if (row?.run == null) return false
    driving = drive(runner, definition, { json: JSON.parse(row.run), askedAt: taken.askedAt })
    return true
  } finally {
    releaseAfter(runner, driving)
  }
}

async function findRun<Tx>(runner: RunnerState<Tx>, id: string): Promise<FoundRunJson | undefined> {
  const { client, statements, acquireTimeoutMs } = runner
  const timeoutMs = acquireTimeoutMs
  const [row] = await asked(runner, client.query(statements.findRun(id), { timeoutMs }))
  return row === undefined ? undefined : JSON.parse(row.run)
}

async function asked<Tx, T>(runner: RunnerState<Tx>, asking: Promise<T>): Promise<T> {
  return await runner.questions.asked(asking).catch((error) => {
    const known = sagaStoreError(error, runner.schema)
    // Once the stop is over, the app ends its pool.
    throw runner.draining && known.code === 'store-unavailable' ? draining(known) : known
  })
}

function refuseDraining<Tx>(runner: RunnerState<Tx>): void {
  if (runner.draining) throw draining()
}

function checkSame(
  { name }: Definition,
  { id, fingerprint }: ResolvedRequest,
  found: FoundRunJson,
): void {
  if (found.saga === name && found.fingerprint === fingerprint) return
  const what = found.saga === name ? 'another input' : `saga "${found.saga}"`
  throw new SagaError(
    'saga-input-mismatch',
    `Run ${id} was started with ${what}; the existing run is unchanged.`,
    {
      runId: id,
    },
  )
}

function unknownDefinition<Tx>(
  { definitions }: RunnerState<Tx>,
  runId: string,
  found: FoundRunJson,
): SagaError {
  const why = whyUnknown(found, definitions)
  return new SagaError('saga-unknown', `Run ${runId} cannot continue here. ${why}`, { runId })
}

/** Waits for `what` until the deadline or the caller's signal. */
async function waitWithin(
  what: Promise<unknown> | undefined,
  until: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (what === undefined) return
  const given = new AbortController()
  const leftMs = until - performance.now()
  const late = leftMs === Number.POSITIVE_INFINITY ? [] : [sleep(leftMs, given.signal)]
  const stopped = new Promise<never>((_, reject) => {
    const stop = () => reject(signal?.reason)
    if (signal?.aborted) stop()
    signal?.addEventListener('abort', stop, { signal: given.signal })
  })
  try {
    await Promise.race([what, stopped, ...late])
  } finally {
    given.abort()
  }
  // The signal also ends a sleep, so the sleep may have settled first.
  signal?.throwIfAborted()
}

function runGone(id: string): SagaError {
  return new SagaError(
    'saga-unknown',
    `Run ${id} no longer exists: it was purged, or failovers lost it repeatedly.`,
    { runId: id },
  )
}

function inProgress(runId: string): SagaError {
  return new SagaError('saga-in-progress', `Run ${runId} has not ended yet; it continues.`, {
    runId,
  })
}

const FIRST_POLL_MS = 10
const POLL_MS = 500
const MS_PER_WAITER = 5
const MAX_STARTS = 3

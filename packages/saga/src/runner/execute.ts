import { OncekeyError, sleep, waitedFor } from '@oncekey/core'
import type { Definition } from '../definition/definition.ts'
import { whyUnknown } from '../definition/known-definition.ts'
import { failedStepOf } from '../operator/runs.ts'
import { errorOf } from '../run/failure.ts'
import { type ResolvedRequest, type RunRequest, resolveRequest } from '../run/run-request.ts'
import { SagaError } from '../run/saga-error.ts'
import type { Turn } from '../state/concurrency-limit.ts'
import type { RunnerState } from '../state/runner-state.ts'
import { sagaStoreError } from '../state/store-error.ts'
import type { FoundRunJson } from '../statements/find-run.ts'
import { drive } from './drive.ts'
import { startRun } from './start-run.ts'

export interface ExecuteOptions {
  /** How long to wait for the end; then `saga-in-progress`, and the run goes on. Milliseconds. @default no limit */
  readonly waitMs?: number
  /** Stops waiting; the run goes on. */
  readonly signal?: AbortSignal
}

/**
 * Begins a run, or finds the one of that id, brings it forward here when nobody else does, and waits
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
  if (runner.draining) throw draining()

  if (!runner.driving.has(resolved.id)) await begin(runner, definition, resolved)
  const turn = lazyTurn(runner)
  try {
    return await untilOver(runner, definition, resolved, { until, signal, turn })
  } finally {
    turn.leave()
  }
}

interface Waiting {
  /** By `performance.now()`. */
  readonly until: number
  readonly signal: AbortSignal | undefined
  readonly turn: LazyTurn
}

async function untilOver<Tx>(
  runner: RunnerState<Tx>,
  definition: Definition,
  resolved: ResolvedRequest,
  { until, signal, turn }: Waiting,
): Promise<unknown> {
  for (let looks = 0, begun = 1; ; looks++) {
    await patiently(runner.driving.get(resolved.id), until, signal)
    const found = await findRun(runner, resolved.id)
    if (found === undefined) {
      // It was put on record, and a failover took that back: it begins again, with the same keys.
      if (begun++ === MAX_BEGINNINGS) throw vanished(resolved.id)
      await begin(runner, definition, resolved)
      continue
    }
    checkSame(definition, resolved, found)
    const own = runner.definitions.get(found.definition)
    if (isOver(found)) return resultOf(resolved.id, found, own)
    if (own === undefined) throw unknownDefinition(runner, resolved.id, found)
    if (runner.draining) throw draining()
    const dueInMs = found.due_in_ms ?? LOOK_MS
    if (dueInMs > 0) turn.leave()
    else if (turn.take()) {
      if (await takeAndDrive(runner, own, resolved.id)) continue
    } else {
      // Others may take it meanwhile. All who wait look so often together, however many they are.
      const lookMs = Math.max(LOOK_MS, runner.places.waiting() * LOOKS_APART_MS)
      await patiently(turn.comesWithin(lookMs), until, signal)
      if (performance.now() >= until) throw inProgress(resolved.id)
      continue
    }
    // Another process has it: it may end long before its lease does.
    const lookMs = Math.min(LOOK_MS, FIRST_LOOK_MS * 2 ** looks)
    const ms = found.owned ? lookMs : Math.min(Math.max(dueInMs, FIRST_LOOK_MS), LOOK_MS)
    await patiently(sleep(ms, signal), until, signal)
    if (performance.now() >= until) throw inProgress(resolved.id)
  }
}

/** A run that nobody waits for: it is there for the loop of whoever comes first. */
export async function submit<Tx>(
  runner: RunnerState<Tx>,
  definition: Definition,
  request: RunRequest<unknown>,
): Promise<{ id: string; isNew: boolean }> {
  const resolved = resolveRequest(definition, request, runner.maxResultBytes)
  const started = await startRun(runner, definition, resolved, null)
  if (started === undefined) {
    const found = await findRun(runner, resolved.id)
    if (found === undefined) throw vanished(resolved.id)
    checkSame(definition, resolved, found)
  }
  return { id: resolved.id, isNew: started !== undefined }
}

/** Puts a run on record, and drives it where there is a place; else whoever has one first does. */
async function begin<Tx>(
  runner: RunnerState<Tx>,
  definition: Definition,
  request: ResolvedRequest,
): Promise<void> {
  const hasPlace = runner.places.take()
  let driving: Promise<void> | undefined
  try {
    const started = await startRun(runner, definition, request, hasPlace ? runner.node : null)
    if (started !== undefined && hasPlace) driving = drive(runner, definition, started)
  } finally {
    if (hasPlace) givePlaceBack(runner, driving)
  }
}

/** A turn that stands in line from when it is first needed. */
interface LazyTurn {
  /** Takes a place, if one is free or was kept; else stands in line. */
  take(): boolean
  comesWithin(ms: number): Promise<void>
  leave(): void
}

function lazyTurn<Tx>({ places }: RunnerState<Tx>): LazyTurn {
  let turn: Turn | undefined
  return {
    take() {
      if (turn === undefined && places.take()) return true
      turn ??= places.standInLine()
      if (!turn.hasCome()) return false
      turn.use()
      turn = undefined
      return true
    },
    async comesWithin(ms) {
      const patience = new AbortController()
      await Promise.race([turn?.comes, sleep(ms, patience.signal)])
      patience.abort()
    },
    leave() {
      turn?.leave()
      turn = undefined
    },
  }
}

function givePlaceBack<Tx>({ places }: RunnerState<Tx>, after: Promise<void> | undefined): void {
  if (after === undefined) places.giveBack()
  else void after.then(() => places.giveBack())
}

/** In the place that was taken for it. */
async function takeAndDrive<Tx>(
  runner: RunnerState<Tx>,
  definition: Definition,
  id: string,
): Promise<boolean> {
  const { client, statements, node, leaseMs, acquireTimeoutMs } = runner
  const askedAt = performance.now()
  const statement = statements.takeRun({ id, epoch: null, owner: node, leaseMs })
  let driving: Promise<void> | undefined
  try {
    const [row] = await asked(runner, client.query(statement, { timeoutMs: acquireTimeoutMs }))
    if (row?.run == null) return false
    driving = drive(runner, definition, { json: JSON.parse(row.run), askedAt })
    return true
  } finally {
    givePlaceBack(runner, driving)
  }
}

async function findRun<Tx>(runner: RunnerState<Tx>, id: string): Promise<FoundRunJson | undefined> {
  const { client, statements, acquireTimeoutMs } = runner
  const timeoutMs = acquireTimeoutMs
  const [row] = await asked(runner, client.query(statements.findRun(id), { timeoutMs }))
  return row === undefined ? undefined : JSON.parse(row.run)
}

async function asked<Tx, T>({ schema }: RunnerState<Tx>, asking: Promise<T>): Promise<T> {
  return await asking.catch((error) => {
    throw sagaStoreError(error, schema)
  })
}

function checkSame(
  { name }: Definition,
  { id, fingerprint }: ResolvedRequest,
  found: FoundRunJson,
): void {
  if (found.saga === name && found.fingerprint === fingerprint) return
  const what = found.saga === name ? 'another input' : `saga "${found.saga}"`
  throw new SagaError('saga-input-mismatch', `Run ${id} was begun with ${what}; it is as it was.`, {
    runId: id,
  })
}

function isOver({ state }: FoundRunJson): boolean {
  return state !== 'running' && state !== 'compensating'
}

function resultOf(id: string, found: FoundRunJson, definition: Definition | undefined): unknown {
  const { state, saga, error } = found
  const step = failedStepOf(found) ?? undefined
  const about = {
    runId: id,
    step,
    ...(error !== null && { cause: errorOf(error) }),
  }
  const why = error === null ? '' : `: ${error.message}`
  switch (state) {
    case 'completed': {
      const run = { input: found.input, state: found.results }
      return definition === undefined ? found.results : definition.result(run)
    }
    case 'compensated':
      throw new SagaError(
        'saga-compensated',
        `Saga "${saga}" was undone${step === undefined ? '' : ` because step "${step}" failed`}${why}`,
        about,
      )
    case 'compensation-failed':
      throw new SagaError(
        'saga-compensation-failed',
        `Saga "${saga}" failed${why}; and what it had done could not be undone yet.`,
        about,
      )
    case 'settled':
      throw new SagaError(
        'saga-settled',
        `Saga "${saga}" was ended by hand: ${found.note ?? ''}`,
        about,
      )
    default:
      throw new SagaError(
        'saga-stuck',
        `Saga "${saga}" waits for an operator at step "${found.stuck?.step}".`,
        about,
      )
  }
}

function unknownDefinition<Tx>(
  { definitions }: RunnerState<Tx>,
  runId: string,
  found: FoundRunJson,
): SagaError {
  const why = whyUnknown(found, definitions)
  return new SagaError('saga-unknown', `Run ${runId} cannot go on here. ${why}`, { runId })
}

/** Waits, but no longer than whoever waits does. */
async function patiently(
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
  // A pause ends with the signal, too, and may have been the first to hear of it.
  signal?.throwIfAborted()
}

function vanished(id: string): SagaError {
  return new SagaError(
    'saga-unknown',
    `There is no run ${id} of a saga any more: it was purged, or the database lost it again and again.`,
    { runId: id },
  )
}

function inProgress(runId: string): SagaError {
  return new SagaError('saga-in-progress', `Run ${runId} has not ended yet; it goes on.`, { runId })
}

function draining(): OncekeyError {
  return new OncekeyError('draining', 'This process is shutting down and begins nothing more.')
}

const FIRST_LOOK_MS = 10
const LOOK_MS = 500
const LOOKS_APART_MS = 5
const MAX_BEGINNINGS = 3

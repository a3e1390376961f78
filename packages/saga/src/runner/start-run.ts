import { randomUUID } from 'node:crypto'
import type { Definition } from '../definition/definition.ts'
import type { ResolvedRequest } from '../run/run-request.ts'
import { draining } from '../state/draining.ts'
import type { RunnerState } from '../state/runner-state.ts'
import { sagaStoreError } from '../state/store-error.ts'
import type { Taken } from './drive.ts'

/**
 * Records a new run; `undefined` if a run with that id exists. Throws `draining` if none is to be
 * recorded any more (`isOver`).
 */
export async function startRun<Tx>(
  runner: RunnerState<Tx>,
  definition: Definition,
  { id, input, fingerprint, traceparent }: ResolvedRequest,
  owner: string | null,
  isOver: () => boolean,
): Promise<Taken | undefined> {
  const { client, statements, leaseMs, acquireTimeoutMs, schema } = runner
  const [first] = definition.steps
  // Whoever takes a run without an owner begins its pivot, and so knows that its attempt is the
  // first.
  const isBegun = first?.local === false && (owner !== null || first.kind !== 'pivot')
  const begun = isBegun ? first.name : null
  const move = randomUUID()
  const statement = statements.startRun({
    id,
    move,
    saga: definition.name,
    version: definition.version,
    definition: definition.id,
    plan: JSON.stringify(definition.plan),
    input,
    fingerprint,
    leaseMs: owner === null ? 0 : leaseMs,
    owner,
    begun,
    traceparent,
  })
  const ask = () => client.query(statement, { timeoutMs: acquireTimeoutMs })
  const taken = await runner.unanswered.taking(id, ask, isOver).catch((error) => {
    throw sagaStoreError(error, schema)
  })
  if (taken === undefined) throw draining()
  const { answer, askedAt } = taken
  if (answer.length === 0) return undefined
  const state = 'begun' as const
  const row = { attempts: 0, compensation_attempts: 0, result: null, state, isNew: true as const }
  return {
    askedAt,
    json: {
      id,
      saga: definition.name,
      version: definition.version,
      definition: definition.id,
      state: 'running',
      input: JSON.parse(input),
      traceparent,
      epoch: 1,
      move,
      lost: 0,
      steps: begun === null ? [] : [{ ...row, position: 0, name: begun }],
    },
  }
}

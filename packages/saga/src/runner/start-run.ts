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
  const begun = first === undefined || first.local ? null : first.name
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
  const row = { attempts: 0, compensation_attempts: 0, result: null, state: 'begun' as const }
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

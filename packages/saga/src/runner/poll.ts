import type { RunnerState } from '../state/runner-state.ts'
import { sagaStoreError } from '../state/store-error.ts'
import type { ClaimedJson } from '../statements/work.ts'
import { drive } from './drive.ts'

/**
 * Claims up to `limit` due runs and drives each of them. Waits while a suspect is to be alone. In a
 * process that is shutting down it claims none.
 */
export async function takeDue<Tx>(
  runner: RunnerState<Tx>,
  limit: number,
): Promise<Promise<void>[]> {
  const { client, definitions, statements, node, leaseMs, acquireTimeoutMs, schema } = runner
  const known = [...definitions.keys()]
  await runner.suspects.quiet()
  const ask = () =>
    runner.suspects.asking((takable) => {
      const statement = statements.claimRuns({ known, owner: node, leaseMs, limit, ...takable })
      return client.query(statement, { timeoutMs: acquireTimeoutMs })
    })
  const taking = runner.unanswered.taking(undefined, ask, () => runner.draining)
  const taken = await runner.questions.asked(taking).catch((error) => {
    throw sagaStoreError(error, schema)
  })
  if (taken === undefined) return []
  const { answer, askedAt } = taken
  const [row] = answer
  const claimed: ClaimedJson = row?.runs == null ? [] : JSON.parse(row.runs)
  return claimed.flatMap((json) => {
    const definition = definitions.get(json.definition)
    return definition === undefined ? [] : [drive(runner, definition, { json, askedAt })]
  })
}

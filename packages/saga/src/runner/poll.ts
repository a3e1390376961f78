import type { RunnerState } from '../state/runner-state.ts'
import { sagaStoreError } from '../state/store-error.ts'
import type { ClaimedJson } from '../statements/work.ts'
import { drive } from './drive.ts'

/** Claims up to `limit` due runs and drives each of them. */
export async function takeDue<Tx>(
  runner: RunnerState<Tx>,
  limit: number,
): Promise<Promise<void>[]> {
  const { client, definitions, statements, node, leaseMs, acquireTimeoutMs, schema } = runner
  const statement = statements.claimRuns({
    known: [...definitions.keys()],
    owner: node,
    leaseMs,
    limit,
  })
  const ask = () => client.query(statement, { timeoutMs: acquireTimeoutMs })
  const { answer, askedAt } = await runner.unanswered.taking(undefined, ask).catch((error) => {
    throw sagaStoreError(error, schema)
  })
  const [row] = answer
  const claimed: ClaimedJson = row?.runs == null ? [] : JSON.parse(row.runs)
  return claimed.flatMap((json) => {
    const definition = definitions.get(json.definition)
    return definition === undefined ? [] : [drive(runner, definition, { json, askedAt })]
  })
}

import { backoff } from '@oncekey/outbox'
import {
  type AnySaga,
  createSagaRunner,
  type Retry,
  type SagaAlert,
  type SagaRunner,
  type SagaRunnerOptions,
} from '@oncekey/saga'
import type { PoolClient } from 'pg'
import { sagaDatabase } from './saga-database.ts'

export const database = sagaDatabase()
export const AT_ONCE = backoff({ baseMs: 1, capMs: 1 })
export const retry: Retry = { maxAttempts: 3, backoff: AT_ONCE }

export const note = (tx: PoolClient, run: string, step: string) =>
  tx.query('insert into effects values ($1, $2)', [run, step])

export const effectsOf = async (run: string) =>
  (await database.query<{ step: string }>('select step from effects where run = $1', [run])).map(
    ({ step }) => step,
  )

/**
 * Commits a step's transaction. Its guard does not see this COMMIT in a session in which a
 * backslash escapes the quote behind it.
 */
export async function commitUnseen(tx: PoolClient): Promise<void> {
  await tx.query('set local standard_conforming_strings = off')
  await tx.query("select '\\''; commit; select ''")
}

export function runnerOf(
  sagas: AnySaga<PoolClient>[],
  options: Partial<SagaRunnerOptions<PoolClient>> = {},
): { sagas: SagaRunner<PoolClient>; alerts: SagaAlert[] } {
  const alerts: SagaAlert[] = []
  const made = createSagaRunner<PoolClient>({
    client: database.pool(),
    sagas,
    onAlert: (alert) => alerts.push(alert),
    ...options,
  })
  return { sagas: made, alerts }
}

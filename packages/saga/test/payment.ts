import { PermanentError, type SagaRunner, type StepContext, saga } from '@oncekey/saga'
import type { PoolClient } from 'pg'
import { database, retry } from './failing-steps.ts'

export type Context = StepContext<null, object, PoolClient>

/** A payment that reserves, and captures outside as its pivot; and what happened, in order. */
export function payment(
  name: string,
  capture: (context: Context) => unknown,
  options: { isPermanent?: (error: unknown) => boolean; timeoutMs?: number; local?: boolean } = {},
) {
  const story: string[] = []
  const flow = saga<null, PoolClient>(name, { version: 1 })
    .step('reserve', {
      run: () => void story.push('reserved'),
      compensate: () => void story.push('freed'),
    })
    .step('capture', {
      kind: 'pivot',
      retry,
      ...options,
      run(context) {
        story.push('capturing')
        return capture(context)
      },
    })
  return { flow, story }
}

export const declined = () => {
  throw new PermanentError('declined')
}
export const declinedForAll = () => {
  throw new PermanentError('declined', { ofEveryAttempt: true })
}
export const gone = () => {
  throw new Error('ECONNRESET')
}
export const ended = async (sagas: SagaRunner<PoolClient>, id: string) =>
  (await sagas.get(id))?.state
export const due = (id: string) =>
  database.query('update oncekey.saga_work set due_at = now() where run_id = $1', [id])

import {
  type AnySaga,
  createSagaRunner,
  type SagaRunner,
  type SagaRunnerOptions,
  saga,
} from '@oncekey/saga'
import type { PoolClient } from 'pg'
import { sagaDatabase } from './saga-database.ts'

export const database = sagaDatabase()

export const runnerOf = (
  sagas: AnySaga<PoolClient>[],
  options: Partial<SagaRunnerOptions<PoolClient>> = {},
): SagaRunner<PoolClient> =>
  createSagaRunner<PoolClient>({ client: database.pool(), sagas, ...options })

export const stepOf = async (sagas: SagaRunner<PoolClient>, id: string, name: string) =>
  (await sagas.get(id))?.steps.find((step) => step.name === name)

/**
 * A payment whose charge blocks until the test releases it, and which logs what happens in order.
 */
export function payment(kind: 'outside' | 'in its transaction' = 'outside') {
  const story: unknown[] = []
  let letGo = () => {}
  const held = new Promise<void>((resolve) => {
    letGo = resolve
  })
  const flow = saga<null, PoolClient>(`payment-${kind.replaceAll(' ', '-')}`, { version: 1 })
    .step('charge', {
      async run({ signal, transaction, runId }) {
        const tx = kind === 'outside' ? undefined : await transaction()
        await tx?.query('insert into effects values ($1, $2)', [runId, 'charge'])
        story.push('charging')
        signal.addEventListener('abort', () => story.push('asked to stop'))
        await held
        story.push('charged')
        return { reference: 'ch_1' }
      },
      compensate: ({ result }) => {
        story.push(['refunded', result])
      },
    })
    .step('ship', { run: () => void story.push('shipped') })
  return { flow, story, letGo }
}

import { randomUUID } from 'node:crypto'
import { migrate } from '@oncekey/postgres'
import { createSagaRunner, type Saga, type SagaRunner, saga, sagaMigrations } from '@oncekey/saga'
import { Pool, type PoolClient } from 'pg'
import { insertOrder, ORDER } from '../contenders/order.ts'
import { type OpenSagas, SAGA_POOL_SIZE, STEPS } from './saga-contender.ts'

/** Local steps, or steps that ask for a transaction after a call that here takes no time. */
export function oncekey(local: boolean): OpenSagas {
  return async (url) => {
    const pool = new Pool({ connectionString: url, max: SAGA_POOL_SIZE })
    await migrate(pool, { also: [sagaMigrations] })
    const running = new Map<string, () => void>()
    let flow: Saga<null, object, PoolClient, unknown> = saga<null, PoolClient>('bench', {
      version: 1,
    })
    for (let step = 1; step <= STEPS; step += 1) {
      flow = flow.step(`step-${step}`, {
        local,
        async run({ runId, transaction }) {
          running.get(runId)?.()
          const { id } = await insertOrder(await transaction(), ORDER)
          return { id }
        },
      })
    }
    const sagas: SagaRunner<PoolClient> = createSagaRunner({ client: pool, sagas: [flow] })
    return {
      async run(onStep) {
        const id = randomUUID()
        running.set(id, onStep)
        await sagas.execute(flow, { id, input: null })
        running.delete(id)
      },
      close: () => pool.end(),
    }
  }
}

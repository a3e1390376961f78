import { randomUUID } from 'node:crypto'
import { DBOS } from '@dbos-inc/dbos-sdk'
import { Pool } from 'pg'
import { insertOrder, ORDER } from '../contenders/order.ts'
import { type OpenSagas, SAGA_POOL_SIZE, STEPS } from './saga-contender.ts'

/**
 * A workflow that its own process starts and runs, without a queue: of the two ways that DBOS
 * measures itself, the faster one. A step is `DBOS.runStep`, which inserts in autocommit and then
 * records the step in a commit of its own. A transaction step does that too and puts a second
 * record into the insert's transaction, so it is slower; and the packages with transaction steps
 * that npm has need version 4.
 */
export const dbos: OpenSagas = async (url) => {
  const pool = new Pool({ connectionString: url, max: SAGA_POOL_SIZE })
  DBOS.setConfig({
    name: 'bench',
    systemDatabaseUrl: url,
    systemDatabasePoolSize: SAGA_POOL_SIZE,
    // Not derived from the source, and nothing that is not a fault is logged.
    applicationVersion: '1',
    logLevel: 'error',
  })
  const running = new Map<string, () => void>()
  const workflow = DBOS.registerWorkflow(
    async (id: string): Promise<void> => {
      for (let step = 1; step <= STEPS; step += 1) {
        await DBOS.runStep(
          async () => {
            running.get(id)?.()
            const placed = await insertOrder(pool, ORDER)
            return { id: placed.id }
          },
          { name: `step-${step}` },
        )
      }
    },
    { name: 'bench' },
  )
  await DBOS.launch()
  return {
    async run(onStep) {
      const id = randomUUID()
      running.set(id, onStep)
      await workflow(id)
      running.delete(id)
    },
    async close() {
      await DBOS.shutdown()
      await pool.end()
    },
  }
}

import { Pool } from 'pg'
import { insertOrder, ORDER } from '../contenders/order.ts'
import { type OpenSagas, SAGA_POOL_SIZE, STEPS } from './saga-contender.ts'

/** BEGIN, the insert and COMMIT for each step, and no memory of it. */
export const bareSteps: OpenSagas = async (url) => {
  const pool = new Pool({ connectionString: url, max: SAGA_POOL_SIZE })
  return {
    async run(onStep) {
      for (let step = 1; step <= STEPS; step += 1) {
        onStep()
        const client = await pool.connect()
        try {
          await client.query('BEGIN')
          await insertOrder(client, ORDER)
          await client.query('COMMIT')
        } finally {
          client.release()
        }
      }
    },
    close: () => pool.end(),
  }
}

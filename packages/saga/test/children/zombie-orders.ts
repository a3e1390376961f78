// Drives orders. Each waits at the point that its id names until another process has ended it.
import { subscribe } from 'node:diagnostics_channel'
import { createSagaRunner, type SagaLostMessage } from '@oncekey/saga'
import { waitFor } from '@oncekey/test-servers'
import { Pool } from 'pg'
import { gatewayAt } from '../gateway-server.ts'
import { orderSaga } from '../order-saga.ts'

const pool = new Pool({ connectionString: process.env.DATABASE_URL })
pool.on('error', () => {})
const order = orderSaga(gatewayAt(process.env.GATEWAY_URL ?? ''), async (name, runId) => {
  if (!runId.endsWith(`: ${name}`)) return
  console.log(`at ${runId}`)
  await waitFor(
    async () =>
      (
        await pool.query('select from oncekey.saga_runs where id = $1 and ended_at is not null', [
          runId,
        ])
      ).rowCount,
    { what: `${runId} to be ended by another`, timeoutMs: 30_000 },
  )
})
subscribe('oncekey:saga-lost', (message) => {
  console.log(`lost ${(message as SagaLostMessage).runId}`)
})
const sagas = createSagaRunner({ client: pool, sagas: [order], leaseMs: 120_000 })
for (const id of JSON.parse(process.env.RUNS ?? '[]')) {
  // Another process ends the run; this one notices when it polls.
  void sagas
    .execute(order, { id, input: { item: 'kettle' } })
    .then((result) => console.log(`result ${id} ${result}`))
}
console.log(JSON.stringify({ ready: true }))

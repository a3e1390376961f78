// Drives orders. Each hangs forever at the point that its id names, and reports it.
import { createSagaRunner } from '@oncekey/saga'
import { Pool } from 'pg'
import { gatewayAt } from '../gateway-server.ts'
import { type OrderInput, orderSaga } from '../order-saga.ts'

const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 30 })
pool.on('error', () => {})
const order = orderSaga(gatewayAt(process.env.GATEWAY_URL ?? ''), async (name, runId) => {
  if (!runId.endsWith(`: ${name}`)) return
  console.log(`at ${runId}`)
  await new Promise(() => {})
})
const sagas = createSagaRunner({
  client: pool,
  sagas: [order],
  leaseMs: 120_000,
  concurrency: 40,
  executeConcurrency: 40,
  pollMs: 50,
})
const runs: { id: string; input: OrderInput }[] = JSON.parse(process.env.RUNS ?? '[]')
for (const run of runs) void sagas.execute(order, run)
if (runs.length === 0) sagas.start()
console.log(JSON.stringify({ ready: true }))

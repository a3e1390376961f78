// A process of one release: starts orders and drives due runs until it is stopped or killed.
import { createSagaRunner } from '@oncekey/saga'
import { Pool, type PoolClient } from 'pg'
import { deployedOrders } from '../deployed-orders.ts'
import { gatewayAt } from '../gateway-server.ts'

const { DATABASE_URL, GATEWAY_URL = '', RELEASE = '1', NAME = '' } = process.env
const pool = new Pool({ connectionString: DATABASE_URL, max: 8 })
pool.on('error', () => {})
const { first, second } = deployedOrders(gatewayAt(GATEWAY_URL))
const sagas = createSagaRunner<PoolClient>({
  client: pool,
  sagas: RELEASE === '1' ? [first] : [first, second],
  leaseMs: 2_000,
  pollMs: 20,
})
sagas.start()

let n = 0
let isStopping = false
process.on('SIGTERM', async () => {
  isStopping = true
  await sagas.stop({ timeoutMs: 5 })
  process.exit(0)
})
console.log(JSON.stringify({ ready: true }))
while (!isStopping && n < 12) {
  await sagas.submit(RELEASE === '1' ? first : second, { id: `${NAME}/${++n}`, input: null })
  await new Promise((resolve) => setTimeout(resolve, 15))
}

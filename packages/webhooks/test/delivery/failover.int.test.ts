import { createRelay } from '@oncekey/outbox'
import { migrate, postgresLog } from '@oncekey/postgres'
import { startPostgres, startStandby, waitFor } from '@oncekey/test-servers'
import { webhookMigrations, webhooks } from '@oncekey/webhooks'
import { Pool, type PoolClient } from 'pg'
import { expect, test } from 'vitest'
import { startReceiver } from '../servers/receiver.ts'
import { emitEvents, LOCAL } from '../servers/webhooks-database.ts'

const RULES = { schedule: () => 50, cooldownMs: 20, maxCooldownMs: 100, timeoutMs: 5_000 } as const
const some = (subject: string) =>
  Array.from({ length: 20 }, () => ({ type: 'order.paid', subject }))

test('a worker and a relay that live on through an asynchronous failover deliver all that the new primary has', async () => {
  const primary = await startPostgres()
  const { hostname: host, username: user, password, port } = new URL(primary.url)
  const pool = new Pool({ host, user, password, port: Number(port), database: 'postgres', max: 8 })
  pool.on('error', () => {})
  await migrate(pool, { also: [webhookMigrations] })
  const standby = await startStandby(primary)
  const held: (() => void)[] = []
  let holds = false
  const receiver = await startReceiver((_, response) => {
    const answer = () => void response.writeHead(200).end()
    if (holds) held.push(answer)
    else answer()
  })
  const hooks = webhooks<PoolClient>({ client: pool, ...LOCAL, ...RULES })
  await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
  const worker = hooks.createWorker({ leaseMs: 6_000, pollMs: 50, concurrency: 10 })
  const relay = createRelay<PoolClient>({
    log: postgresLog({ client: pool }),
    consumers: [hooks.consumer],
    leaseMs: 2_000,
    minPollMs: 5,
    maxPollMs: 50,
  })
  try {
    await relay.runOnce()
    relay.start()
    worker.start()
    await emitEvents(pool, some('before'))
    await waitFor(() => receiver.counts().size === 20, { what: 'those before the failover' })
    await emitEvents(pool, some('known'))
    await standby.caughtUp()
    // From this point on, nothing that is claimed, delivered or emitted reaches the new primary.
    standby.cutOff()
    await emitEvents(pool, some('lost'))
    await waitFor(() => receiver.counts().size === 60, { what: 'all of them', timeoutMs: 30_000 })
    holds = true
    await emitEvents(pool, some('under way'))
    await waitFor(() => held.length > 0, { what: 'a delivery to be under way' })

    await primary.crash()
    await standby.promote()
    Object.assign(pool.options, { port: standby.port })
    holds = false
    for (const answer of held) answer()
    const after = await waitFor(() => emitEvents(pool, some('after')).catch(() => false as const), {
      what: 'the new primary to take events',
      timeoutMs: 20_000,
    })
    const inDatabase = async () =>
      (await pool.query<{ id: string }>('select id::text as id from oncekey.outbox')).rows
    const delivered = async () => {
      const { rows } = await pool.query<{ state: string; count: string }>(
        'select state, count(*) from oncekey.webhook_deliveries group by state',
      )
      const kept = await inDatabase()
      return (
        rows.length === 1 && rows[0]?.state === 'delivered' && Number(rows[0].count) === kept.length
      )
    }
    await waitFor(delivered, { what: 'every event to be delivered', timeoutMs: 60_000 })
    const received = receiver.counts()
    const kept = (await inDatabase()).map(({ id }) => id)
    expect(kept).toHaveLength(60)
    expect(kept.filter((id) => !received.has(id))).toEqual([])
    expect(after.filter((id) => !received.has(id))).toEqual([])
  } finally {
    await relay.stop()
    await worker.stop({ timeoutMs: 1_000 })
    await pool.end()
    await standby.stop()
    await primary.stop()
  }
}, 300_000)

import { type ConsumerContext, consumer, createRelay } from '@oncekey/outbox'
import { postgresLog } from '@oncekey/postgres'
import { startProxy, waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { expect, test } from 'vitest'
import { logDatabase, quick } from '../databases/log-database.ts'

const database = logDatabase()

class NetworkError extends Error {}

// A bug: an `isPermanent` that names the errors worth a retry was asked about the lost answer to a
// COMMIT. The event became a dead letter, whether or not it had taken effect.
test.each<{ name: string; at: string; drop: 'dropAfter' | 'dropBefore' }>([
  { name: 'transaction-after', at: 'end_attempt_3(', drop: 'dropAfter' },
  { name: 'transaction-before', at: 'end_attempt_3(', drop: 'dropBefore' },
  { name: 'emit-after', at: 'emit_once(', drop: 'dropAfter' },
  { name: 'emit-before', at: 'emit_once(', drop: 'dropBefore' },
])('isPermanent is not asked about a commit without an answer ($name)', async (given) => {
  const { name, at, drop } = given
  const proxy = await startProxy(Number(new URL(database.url()).port))
  const connectionString = proxy.through(database.url())
  const asked: unknown[] = []
  const log = postgresLog({ client: database.pool({ connectionString }) })
  const relay = createRelay<PoolClient>({
    ...quick,
    leaseMs: 60_000,
    log,
    consumers: [
      consumer<PoolClient>({
        name,
        types: ['order.created'],
        startAt: 'now',
        backoff: () => 5,
        isPermanent: (error) => {
          asked.push(error)
          return !(error instanceof NetworkError)
        },
        async handle({ event, transaction, emit }: ConsumerContext<PoolClient>) {
          emit({ type: 'order.taken', subject: name })
          if (name.startsWith('emit')) return
          const tx = await transaction()
          await tx.query('insert into effects values ($1, $2)', [name, event.subject])
        },
      }),
    ],
  })
  const emitted = async () =>
    await database.query('select 1 from oncekey.outbox where type = $1 and subject = $2', [
      'order.taken',
      name,
    ])
  try {
    await relay.runOnce()
    relay.start()
    const lost = proxy[drop](at)
    await database.emit(name)
    await lost
    const isOver = async () =>
      (await database.query('select 1 from oncekey.deliveries where consumer = $1', [name]))
        .length === 0 && (await emitted()).length > 0
    await waitFor(isOver, { what: 'the effect' })
  } finally {
    await relay.stop()
    await proxy.stop()
  }
  expect(asked).toEqual([])
  expect(await emitted()).toHaveLength(1)
  expect(await database.effects(name)).toEqual(name.startsWith('emit') ? {} : { [name]: 1 })
})

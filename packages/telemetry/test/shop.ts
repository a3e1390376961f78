import { once as emitted } from 'node:events'
import type { AddressInfo } from 'node:net'
import { idempotency } from '@oncekey/express'
import { consumer, createRelay, PermanentError } from '@oncekey/outbox'
import { migrate, postgresLog, postgresStore } from '@oncekey/postgres'
import { freshDatabase, waitFor } from '@oncekey/test-servers'
import express from 'express'
import { Pool } from 'pg'
import type { Registry } from 'prom-client'
import { inject } from 'vitest'

/**
 * A shop on Postgres: Express takes orders and emits an event for each, and a consumer fails one of
 * them.
 */
export async function startShop({ register }: { readonly register?: Registry } = {}) {
  const database = await freshDatabase(inject('postgresUrl'))
  const pool = new Pool({ connectionString: database.url, max: 6 })
  // `end()` resolves before its sockets are closed, and the database is dropped beneath them.
  pool.on('error', () => {})
  await migrate(pool)
  const store = postgresStore({ client: pool })
  const log = postgresLog({ client: pool })
  const once = idempotency({ store, scope: 'dangerously-shared' })
  const app = express().use(express.json())
  app.post('/orders/:id', once, (req, res, next) => {
    const { item } = req.body
    if (item === 'broken') return next(new Error('It broke.'))
    once.of(req).emit({ type: 'order.placed', subject: item, data: { item } })
    res.status(item === 'refused' ? 422 : 201).json({ item })
  })
  app.get('/metrics', async (_, res) => {
    res.type(register?.contentType ?? 'text').send(await register?.metrics())
  })
  app.use(((_error, _req, res, _next) => {
    res.status(500).end()
  }) satisfies express.ErrorRequestHandler)
  const server = app.listen(0, '127.0.0.1')
  await emitted(server, 'listening')
  let tried = 0
  const relay = createRelay({
    log,
    consumers: [
      consumer({
        name: 'mailer',
        types: ['order.placed'],
        handle({ event }) {
          tried += 1
          if (event.subject === 'unmailable') throw new PermanentError('No such address.')
        },
      }),
    ],
  })
  const { port } = server.address() as AddressInfo

  return {
    address: `127.0.0.1:${port}`,
    log,
    store,
    pool,
    order: async (key: string, item: string, headers: Record<string, string> = {}) => {
      const response = await fetch(`http://127.0.0.1:${port}/orders/${key}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': key, ...headers },
        body: JSON.stringify({ item }),
      })
      return response.status
    },
    /** Resolves when the consumer has been called this many times. */
    async deliver(times: number) {
      relay.start()
      await waitFor(async () => tried === times && (await log.lag('mailer')).events === 0, {
        what: 'the mailer to have all events',
      })
      await relay.stop()
    },
    async stop() {
      await relay.stop()
      server.close()
      await pool.end()
      await database.drop()
    },
  }
}

export type Shop = Awaited<ReturnType<typeof startShop>>

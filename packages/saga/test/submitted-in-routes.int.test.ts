import { randomUUID } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { idempotency } from '@oncekey/express'
import { postgresStore } from '@oncekey/postgres'
import { createSagaRunner, saga } from '@oncekey/saga'
import express from 'express'
import { expect, test } from 'vitest'
import { sagaDatabase } from './saga-database.ts'

const database = sagaDatabase()

const flow = saga<{ item: string }>('ship', { version: 1 }).step('ship', { run: () => null })

// The documentation did not say what becomes of a run whose route then fails.
test.each(
  (['transaction', 'lease'] as const).flatMap((mode) => [
    { mode, end: 'release', isReused: false },
    // The key is free for another request then, the run is not.
    { mode, end: 'release', isReused: true },
    { mode, end: '404', isReused: false },
    { mode, end: '500', isReused: false },
  ]),
)('a run stays that a route submitted: $mode, $end, $isReused', async ({ mode, end, isReused }) => {
  const client = database.pool()
  const sagas = createSagaRunner({ client, sagas: [flow] })
  const once = idempotency({ store: postgresStore({ client, mode }), scope: () => 'customer-1' })
  const submitted: { id: string; isNew: boolean }[] = []
  const app = express().post('/orders', express.json(), once, async (req, res) => {
    const context = once.of(req)
    submitted.push(await sagas.submit(flow, { context, input: { item: req.body.item } }))
    const isFirst = submitted.length === 1
    if (isFirst && end === 'release') context.release()
    res.status(isFirst && end !== 'release' ? Number(end) : 202).end()
  })
  const refused: unknown[] = []
  app.use((error: unknown, _req: unknown, res: express.Response, _next: unknown) => {
    refused.push(error)
    res.status(500).end()
  })
  const server = app.listen(0, '127.0.0.1')
  await new Promise((listening) => server.once('listening', listening))
  try {
    const key = randomUUID()
    const post = async (item: string) => {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/orders`
      const headers = { 'content-type': 'application/json', 'idempotency-key': key }
      const body = JSON.stringify({ item })
      return (await fetch(url, { method: 'POST', headers, body })).status
    }
    await post('kettle')
    expect((await sagas.get(submitted[0]!.id))?.state).toBe('running')

    if (isReused) {
      expect(await post('toaster')).toBe(500)
      expect(refused).toMatchObject([{ code: 'saga-input-mismatch' }])
      return
    }
    // A 404 is stored, and the handler does not run again.
    expect(await post('kettle')).toBe(end === '404' ? 404 : 202)
    expect(submitted.slice(1)).toEqual(
      end === '404' ? [] : [{ id: submitted[0]!.id, isNew: false }],
    )
  } finally {
    server.closeAllConnections()
    server.close()
    await sagas.stop()
  }
})

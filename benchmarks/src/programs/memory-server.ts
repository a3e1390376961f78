import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/express'
import express from 'express'
import { answer, cpuMicros } from '../verbs.ts'

const verbs = {
  async listen(kind: 'bare' | 'oncekey'): Promise<number> {
    const app = express()
    app.use(express.json())
    if (kind === 'oncekey') {
      const store = memoryStore({ maxRecords: 10_000_000 })
      app.use(idempotency({ store, scope: () => 'account-1' }))
    }
    app.post('/orders', (req, res) => {
      const { customer, item, cents } = req.body
      res.status(201).json({ id: 'order-1', customer, item, cents, state: 'placed' })
    })
    const server = app.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  },
  cpuMicros,
}

export type MemoryServer = typeof verbs

answer(verbs)

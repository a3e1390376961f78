import { randomUUID } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { once } from '@oncekey/core'
import { createRelay } from '@oncekey/outbox'
import { migrate, postgresLog, postgresStore } from '@oncekey/postgres'
import { webhookMigrations, webhooks } from '@oncekey/webhooks'
import { type ClientBase, Pool } from 'pg'
import { monotonicMs } from '../clock.ts'
import { insertOrder, ORDER } from '../contenders/order.ts'
import { type Load, openLoop } from '../load.ts'
import { answer } from '../verbs.ts'

const committed: number[] = []
let request: (n: number) => Promise<void>

/** An application that takes requests, relays their events and sends the webhooks. */
const verbs = {
  async open(url: string, receiver: number): Promise<void> {
    const pool = new Pool({ connectionString: url, max: 20, idleTimeoutMillis: 0 })
    await migrate(pool, { also: [webhookMigrations] })
    const hooks = webhooks<ClientBase>({
      client: pool,
      allowHttp: true,
      allowAddresses: ['127.0.0.1'],
    })
    for (let n = 0; n < ENDPOINTS; n += 1) {
      const endpoint = `http://127.0.0.1:${receiver}/timed/${n}`
      await hooks.endpoints.register({ url: endpoint, types: [`order.placed.${n}`] })
    }
    const requests = once({
      store: postgresStore<ClientBase>({ client: pool }),
      namespace: 'bench',
    })
    request = async (n) => {
      const run = { scope: 'account-1', key: randomUUID(), input: ORDER }
      await requests.run(run, async (context) => {
        const placed = await insertOrder(await context.transaction(), ORDER)
        context.emit({
          type: `order.placed.${n % ENDPOINTS}`,
          subject: placed.id,
          data: { n, ...placed },
        })
        return placed
      })
    }
    const log = postgresLog<ClientBase>({ client: pool })
    createRelay({ log, consumers: [hooks.consumer] }).start()
    hooks.createWorker().start()
  },

  /** Sends requests at a fixed rate, numbered from `from` on. */
  send(from: number, perSecond: number, seconds: number): Promise<Load> {
    return openLoop({ perSecond, until: setTimeout(seconds * 1_000) }, async (index) => {
      await request(from + index)
      committed[from + index] = monotonicMs()
    })
  },

  /** When the commit of each request was known. */
  committed: (from: number, to: number): number[] => committed.slice(from, to),
}

/** Each gets every tenth event. */
const ENDPOINTS = 10

export type DeliveryApp = typeof verbs

answer(verbs)

import { subscribe } from 'node:diagnostics_channel'
import { migrate } from '@oncekey/postgres'
import {
  generateSecret,
  signWebhook,
  type WebhookAttemptMessage,
  webhookMigrations,
  webhooks,
} from '@oncekey/webhooks'
import { Pool } from 'pg'
import { Webhook } from 'standardwebhooks'
import { answer, cpuMicros } from '../verbs.ts'
import { WEBHOOK_BODY } from '../webhook-body.ts'

let delivered = 0
let onDelivered = (): void => {}
subscribe('oncekey:webhook-attempt', (message) => {
  if ((message as WebhookAttemptMessage).state !== 'delivered') return
  delivered += 1
  onDelivered()
})

let pool: Pool

const verbs = {
  async open(url: string): Promise<void> {
    pool = new Pool({ connectionString: url, max: 10 })
    await migrate(pool, { also: [webhookMigrations] })
  },

  /** Seconds until every living endpoint has every event. */
  async deliver(given: {
    port: number
    events: number
    living: number
    dead: number
    concurrency: number
  }): Promise<number> {
    const hooks = webhooks({ client: pool, allowHttp: true, allowAddresses: ['127.0.0.1'] })
    await pool.query('truncate oncekey.webhook_endpoints cascade')
    await pool.query('truncate oncekey.webhook_messages, oncekey.webhook_deliveries')
    await pool.query('truncate oncekey.webhook_attempts')
    const base = `http://127.0.0.1:${given.port}`
    // The dead endpoints are registered first, so that they come first in every order.
    for (let n = 0; n < given.dead; n += 1) {
      await hooks.endpoints.register({ url: `${base}/dead`, types: ['*'] })
    }
    for (let n = 0; n < given.living; n += 1) {
      await hooks.endpoints.register({ url: `${base}/${n}`, types: ['*'] })
    }
    await pool.query(
      `with m as (
         insert into oncekey.webhook_messages (id, type, source, headers, body, occurred_at)
           select gen_random_uuid(), 'order.created', '/', '{}', convert_to($2, 'UTF8'), now()
             from generate_series(1, $1::int)
           returning id
       ) insert into oncekey.webhook_deliveries (message_id, endpoint_id)
           select m.id, e.id from m, oncekey.webhook_endpoints e`,
      [given.events, WEBHOOK_BODY],
    )
    await pool.query('analyze oncekey.webhook_deliveries')
    delivered = 0
    const all = new Promise<void>((resolve) => {
      onDelivered = () => {
        if (delivered === given.events * given.living) resolve()
      }
    })
    const worker = hooks.createWorker({ concurrency: given.concurrency })
    const startedAt = performance.now()
    worker.start()
    await all
    const seconds = (performance.now() - startedAt) / 1000
    await worker.stop({ timeoutMs: 0 })
    return seconds
  },

  /** Seconds for this many signatures. */
  sign(by: 'ours' | 'standardwebhooks', bytes: number, count: number): number {
    const secret = generateSecret()
    const body = 'x'.repeat(bytes)
    const theirs = new Webhook(secret)
    const id = 'msg_2KWPBgLlAfxdpx2AI54pPJ85f4W'
    const startedAt = performance.now()
    for (let n = 0; n < count; n += 1) {
      if (by === 'ours') signWebhook({ id, body, secrets: [secret] })
      else theirs.sign(id, new Date(), body)
    }
    return (performance.now() - startedAt) / 1000
  },

  cpuMicros,

  close: (): Promise<void> => pool.end(),
}

export type WebhookSender = typeof verbs

answer(verbs)

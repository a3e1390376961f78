import { type Dashboard, dashboard } from '@oncekey/dashboard'
import { postgresConsumers, postgresEvents, postgresLog, postgresStore } from '@oncekey/postgres'
import { sagaOperator } from '@oncekey/saga'
import { prometheus } from '@oncekey/telemetry/prometheus'
import { webhooks } from '@oncekey/webhooks'
import { Pool } from 'pg'
import { Registry } from 'prom-client'
import { answer } from '../verbs.ts'

let show: Dashboard
let register: Registry

const verbs = {
  /** Shows this database. Returns the id of a consumer's dead letter. */
  async open(url: string): Promise<string> {
    const pool = new Pool({ connectionString: url, max: 10, idleTimeoutMillis: 0 })
    const store = postgresStore({ client: pool, mode: 'lease' })
    const log = postgresLog({ client: pool })
    const hooks = webhooks({ client: pool })
    const sagas = sagaOperator({ client: pool })
    const deadLetters = [log.deadLetters, hooks.deadLetters, sagas.deadLetters]
    const lag = { log, consumers: ['mailer', 'printer'] }
    register = new Registry()
    prometheus({ register, deadLetters, lag, keys: store.keys })
    show = dashboard({
      store,
      deadLetters,
      lag,
      consumers: postgresConsumers({ client: pool }),
      events: postgresEvents({ client: pool }),
      webhooks: hooks,
      sagas,
      authorize: () => ({ actor: 'maria@shop.example', may: 'all' }),
    })
    const [letter] = (await log.deadLetters.list({}, { limit: 1 })).items
    if (letter === undefined) throw new Error('The database has no dead letter.')
    return letter.id
  },

  /** Milliseconds in which a page is answered, each time. */
  page: (path: string, times: number): Promise<number[]> =>
    timed(times, async () => {
      const response = await show(new Request(`http://shop.example/${path}`))
      const text = await response.text()
      if (response.status !== 200) throw new Error(`/${path}: ${response.status} ${text}`)
    }),

  /** Milliseconds in which all metrics are collected, each time. */
  scrape: (times: number): Promise<number[]> =>
    timed(times, async () => {
      const text = await register.metrics()
      if (/oncekey_scrape_failed\{.*\} 1/.test(text)) throw new Error(text)
    }),
}

export type OperatorPages = typeof verbs

answer(verbs)

/** One after the other. */
async function timed(times: number, work: () => Promise<void>): Promise<number[]> {
  const milliseconds: number[] = []
  for (let left = times; left > 0; left -= 1) {
    const startedAt = performance.now()
    await work()
    milliseconds.push(performance.now() - startedAt)
  }
  return milliseconds
}

import { once as emitted } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { idempotency } from '@oncekey/express'
import { migrate, postgresStore } from '@oncekey/postgres'
import { freshDatabase, startProxy, type TcpProxy } from '@oncekey/test-servers'
import express, { type Request } from 'express'
import { Pool } from 'pg'

/**
 * An API that takes payments, on Postgres, behind a proxy that loses the requests or answers that a
 * test names.
 */
export interface PaymentsApi {
  /** The address of the proxy. */
  readonly url: string
  readonly port: number
  readonly proxy: TcpProxy
  /**
   * From now on handlers stop after their insert. Call the returned function to let them continue.
   */
  hold(): () => void
  /** The requests that reached the API with this amount: the key and the status of each. */
  requests(cents: number): readonly Exchange[]
  /** The committed rows. */
  payments(cents: number): Promise<number>
  stop(): Promise<void>
}

export interface Exchange {
  readonly key: string | undefined
  /** `undefined` until it is answered. */
  status: number | undefined
}

/** Starts the API on a database of its own. */
export async function startPaymentsApi(postgresUrl: string): Promise<PaymentsApi> {
  const database = await freshDatabase(postgresUrl)
  const pool = new Pool({ connectionString: database.url })
  pool.on('error', () => {})
  await migrate(pool)
  await pool.query('create table payments (id serial primary key, cents int not null)')

  const exchanges = new Map<number, Exchange[]>()
  let held = Promise.resolve()
  const app = paymentsApp(pool, {
    held: () => held,
    note(cents, exchange) {
      exchanges.set(cents, [...(exchanges.get(cents) ?? []), exchange])
    },
  })
  const server = createServer(app)
  server.listen(0, '127.0.0.1')
  await emitted(server, 'listening')
  const proxy = await startProxy((server.address() as AddressInfo).port)

  return {
    url: `http://127.0.0.1:${proxy.port}`,
    port: proxy.port,
    proxy,
    hold() {
      let release = (): void => {}
      held = new Promise((resolve) => {
        release = resolve
      })
      return release
    },
    requests: (cents) => exchanges.get(cents) ?? [],
    async payments(cents) {
      const sql = 'select count(*)::int from payments where cents = $1'
      return (await pool.query(sql, [cents])).rows[0].count
    },
    async stop() {
      await proxy.stop()
      server.closeAllConnections()
      server.close()
      await pool.end()
      await database.drop()
    },
  }
}

function paymentsApp(
  pool: Pool,
  watch: { held(): Promise<void>; note(cents: number, exchange: Exchange): void },
) {
  const once = idempotency({
    store: postgresStore({ client: pool }),
    scope: (req: Request) => req.get('authorization') ?? 'public',
    // Stripe uses the second name.
    replayedHeader: ['X-Idempotency-Replayed', 'Idempotent-Replayed'],
  })
  const app = express()
  app.use(express.json(), express.urlencoded())
  app.use((req, res, next) => {
    const exchange: Exchange = { key: req.get('idempotency-key'), status: undefined }
    watch.note(Number(req.body.cents ?? req.body.amount), exchange)
    // The status that was sent, whether or not the client received it.
    const { end } = res
    res.end = ((...args: Parameters<typeof end>) => {
      exchange.status = res.statusCode
      return end.apply(res, args)
    }) as typeof end
    next()
  })

  async function insertPayment(req: Request, cents: number): Promise<number> {
    const tx = await once.of(req).transaction()
    const { rows } = await tx.query('insert into payments (cents) values ($1) returning id', [
      cents,
    ])
    await watch.held()
    return rows[0].id
  }

  app.post('/payments', once, async (req, res) => {
    const { cents } = req.body
    res.json({ id: await insertPayment(req, cents), cents })
  })

  // As much of Stripe's wire format as its SDK needs: forms come in, and objects and `error` go
  // out.
  app.post('/v1/payment_intents', once, async (req, res) => {
    const { amount, currency, payment_method: method } = req.body
    const id = await insertPayment(req, Number(amount))
    res.set('request-id', `req_${id}`)
    if (method === 'pm_card_chargeDeclined') {
      const message = 'Your card was declined.'
      const error = { type: 'card_error', code: 'card_declined', decline_code: 'generic', message }
      res.status(402).json({ error })
      return
    }
    const object = 'payment_intent'
    res.json({ id: `pi_${id}`, object, amount: Number(amount), currency, status: 'succeeded' })
  })
  return app
}

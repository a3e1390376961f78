import { randomUUID } from 'node:crypto'
import { generateSecret, signWebhook } from '@oncekey/webhooks'
import { Pool } from 'pg'
import { Agent, request } from 'undici'
import { answer, cpuMicros } from '../verbs.ts'
import { WEBHOOK_BODY } from '../webhook-body.ts'

let pool: Pool

/** A sender of webhooks as one writes it in an afternoon, with no promise to anybody. */
const verbs = {
  async open(url: string): Promise<void> {
    pool = new Pool({ connectionString: url, max: 10 })
    await pool.query(
      `create table plain_deliveries (
        id bigint generated always as identity primary key,
        url text not null,
        secret text not null,
        message_id uuid not null,
        body text not null,
        status integer,
        delivered_at timestamptz
      )`,
    )
  },

  /**
   * Seconds until every endpoint has every event. Deliveries are read a batch at a time, and each
   * is marked as delivered by an UPDATE in autocommit after its answer.
   */
  async deliver(given: PlainDeliveries): Promise<number> {
    await fill(given)
    const agent = new Agent(
      given.keepAlive ? { connections: given.concurrency, pipelining: 1 } : { pipelining: 0 },
    )
    const startedAt = performance.now()
    const deliveries = unsent()
    const sendAll = async (): Promise<void> => {
      for (;;) {
        const { value, done } = await deliveries.next()
        if (done) return
        await send(value, agent)
      }
    }
    await Promise.all(Array.from({ length: given.concurrency }, sendAll))
    const seconds = (performance.now() - startedAt) / 1000
    await agent.close()
    return seconds
  },

  /** How many rows are marked as delivered. */
  async delivered(): Promise<number> {
    const { rows } = await pool.query<{ count: number }>(
      'select count(*)::int as count from plain_deliveries where status = 204',
    )
    return rows[0]?.count ?? 0
  },

  cpuMicros,

  close: (): Promise<void> => pool.end(),
}

export interface PlainDeliveries {
  readonly port: number
  readonly events: number
  readonly living: number
  readonly concurrency: number
  /** Whether a connection is used again; otherwise each delivery opens its own. */
  readonly keepAlive: boolean
}

interface Delivery {
  readonly id: string
  readonly url: string
  readonly secret: string
  readonly message_id: string
  readonly body: string
}

async function fill({ port, events, living }: PlainDeliveries): Promise<void> {
  await pool.query('truncate plain_deliveries')
  const secrets = Array.from({ length: living }, generateSecret)
  await pool.query(
    `insert into plain_deliveries (url, secret, message_id, body)
       select $1 || n, ($2::text[])[n + 1], m.id, $3
         from unnest($4::uuid[]) m(id), generate_series(0, $5::int - 1) n`,
    [
      `http://127.0.0.1:${port}/`,
      secrets,
      WEBHOOK_BODY,
      Array.from({ length: events }, () => randomUUID()),
      living,
    ],
  )
  await pool.query('analyze plain_deliveries')
}

/** Reads a batch while the previous one is sent. */
async function* unsent(): AsyncGenerator<Delivery, void> {
  let batch = readAfter('0')
  for (let rows = await batch; rows.length > 0; rows = await batch) {
    batch = readAfter((rows.at(-1) as Delivery).id)
    yield* rows
  }
}

async function readAfter(id: string): Promise<Delivery[]> {
  const { rows } = await pool.query<Delivery>(
    `select id, url, secret, message_id, body from plain_deliveries
       where id > $1 and delivered_at is null order by id limit ${BATCH}`,
    [id],
  )
  return rows
}

async function send(delivery: Delivery, dispatcher: Agent): Promise<void> {
  const { id, url, secret, message_id, body } = delivery
  const signed = signWebhook({ id: message_id, body, secrets: [secret] })
  const response = await request(url, {
    dispatcher,
    method: 'POST',
    headers: { 'content-type': 'application/json', ...signed },
    body,
  })
  await response.body.dump()
  await pool.query('update plain_deliveries set status = $2, delivered_at = now() where id = $1', [
    id,
    response.statusCode,
  ])
}

const BATCH = 1_000

export type PlainSender = typeof verbs

answer(verbs)

import { createHash } from 'node:crypto'
import type { Contender, ContenderOptions } from './contender.ts'
import { insertOrder, type Order, type PlacedOrder } from './order.ts'
import { appendByHand } from './outbox-by-hand.ts'

export const PEER_KEYS_TABLE = `create table peer_keys (
  key text primary key,
  fingerprint text not null,
  status integer,
  body text,
  claimed_at timestamptz not null default now()
)`

/**
 * Does what a middleware does that cannot use the handler's transaction: it commits a claim, lets
 * the handler work, and commits the response. These are three commits; after a crash between them
 * the record of the key does not tell whether the work was done. The code is as lean as possible.
 */
export function claimThenWork({ pool, event }: ContenderOptions): Contender {
  async function once(
    key: string,
    order: Order,
  ): Promise<{ status: number; body: string | undefined }> {
    const fingerprint = createHash('sha256').update(JSON.stringify(order)).digest('base64url')
    const claimed = await pool.query(
      'insert into peer_keys (key, fingerprint) values ($1, $2) on conflict do nothing',
      [key, fingerprint],
    )
    if (claimed.rowCount === 0) {
      const { rows } = await pool.query('select status, body from peer_keys where key = $1', [key])
      return rows[0].status === null ? { status: 409, body: undefined } : rows[0]
    }
    const body = JSON.stringify(await work(order))
    await pool.query('update peer_keys set status = $2, body = $3 where key = $1', [key, 201, body])
    return { status: 201, body }
  }

  async function work(order: Order): Promise<PlacedOrder> {
    const client = await pool.connect()
    try {
      await client.query('BEGIN')
      const placed = await insertOrder(client, order)
      if (event) await appendByHand(client, placed)
      await client.query('COMMIT')
      return placed
    } catch (error) {
      await client.query('ROLLBACK')
      throw error
    } finally {
      client.release()
    }
  }

  return {
    mount(app) {
      app.post('/orders', async (req, res) => {
        const { status, body } = await once(String(req.headers['idempotency-key']), req.body)
        res.status(status).type('json').send(body)
      })
    },
    async place({ key, order }) {
      const { status } = await once(key as string, order)
      return status
    },
  }
}

import type { Contender, ContenderOptions, PlaceRequest } from './contender.ts'
import { insertOrder, type Order, type PlacedOrder } from './order.ts'
import { appendByHand } from './outbox-by-hand.ts'

/**
 * Does the work in a transaction and nothing else, so a retry does it twice. No contender can be
 * faster.
 */
export function bareTransaction({ pool, event }: ContenderOptions): Contender {
  async function place(order: Order, refused: boolean): Promise<PlacedOrder | undefined> {
    const client = await pool.connect()
    try {
      await client.query('BEGIN')
      const placed = await insertOrder(client, order)
      if (event) await appendByHand(client, placed)
      await client.query(refused ? 'ROLLBACK' : 'COMMIT')
      return refused ? undefined : placed
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
        res.status(201).json(await place(req.body, false))
      })
    },
    async place({ order, refused = false }: PlaceRequest) {
      const placed = await place(order, refused)
      // Costs the same as the route's res.json().
      JSON.stringify(placed)
      return placed === undefined ? 422 : 201
    },
  }
}

import type { Pool, PoolClient } from 'pg'
import { insertOrder, ORDER } from '../contenders/order.ts'

/** The order and what a peer adds to its transaction. */
export async function bareRequest(
  pool: Pool,
  add: (client: PoolClient) => Promise<unknown>,
): Promise<void> {
  const client = await pool.connect()
  try {
    await client.query('BEGIN')
    await insertOrder(client, ORDER)
    await add(client)
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK')
    throw error
  } finally {
    client.release()
  }
}

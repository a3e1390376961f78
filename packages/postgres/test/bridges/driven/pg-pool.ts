import { Pool } from 'pg'
import type { Bridge, BridgeOptions } from './bridge.ts'

/** A pool of `pg` in the role of a bridge. */
export function pgPool({
  url,
  max,
}: BridgeOptions): { pool: Pool } & Pick<Bridge, 'exhaust' | 'end'> {
  const pool = new Pool({ connectionString: url, max })
  pool.on('error', () => {})
  return { pool, exhaust: () => allOf(pool), end: () => pool.end() }
}

export async function allOf(pool: Pool): Promise<() => void> {
  const taken = Array.from({ length: pool.options.max }, () => pool.connect())
  const clients = await Promise.all(taken)
  return () => {
    for (const client of clients) client.release()
  }
}

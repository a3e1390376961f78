import { purge } from '@oncekey/postgres'
import { Pool } from 'pg'
import { answer } from '../verbs.ts'

let pool: Pool

const verbs = {
  open(url: string): void {
    pool = new Pool({ connectionString: url, max: 1 })
  },

  /** As one would schedule it, batch after batch, but only for so long. */
  async purgeFor(ms: number): Promise<{ results: number; keys: number; more: boolean }> {
    const until = performance.now() + ms
    const total = { results: 0, keys: 0, more: true }
    while (total.more && performance.now() < until) {
      const { results, keys, more } = await purge(pool)
      total.results += results
      total.keys += keys
      total.more = more
    }
    return total
  },
}

export type Purger = typeof verbs

answer(verbs)

import { setTimeout as sleep } from 'node:timers/promises'
import { purge } from '@oncekey/postgres'
import { Pool } from 'pg'
import { answer } from '../verbs.ts'

let pool: Pool

const verbs = {
  open(url: string): void {
    pool = new Pool({ connectionString: url, max: 1 })
  },

  /** Purges batch after batch as a schedule would, but only for this long. */
  async purgeFor(
    ms: number,
    pauseMs: number,
  ): Promise<{ results: number; keys: number; more: boolean }> {
    const until = performance.now() + ms
    const total = { results: 0, keys: 0, more: true }
    while (total.more && performance.now() < until) {
      const { results, keys, more } = await purge(pool)
      total.results += results
      total.keys += keys
      total.more = more
      await sleep(pauseMs)
    }
    return total
  },
}

export type Purger = typeof verbs

answer(verbs)

import { setTimeout as sleep } from 'node:timers/promises'
import type { Store } from '@oncekey/core'
import type { Pool, PoolClient } from 'pg'

/**
 * Deliberately wrong stores, to see that a campaign finds them.
 *
 * - `writes-beside`: commits the handler's writes one by one, as a middleware does that keeps its
 *   records in its own transaction
 * - `each-for-itself`: the broken store of that name in the conformance package: its records are in
 *   the memory of one process, invisible to others and lost when it ends
 * - `ends-waiting-commits`: cancels a COMMIT that waits for its standby; Postgres answers with a
 *   success, and only the primary has the commit
 * - `runs-anyway`: if the database accepts no claim, keeps one in its own memory and runs the
 *   handler
 * - `reused-buffer`: the next request overwrites the body that it stores
 */
export const BROKEN = [
  'writes-beside',
  'each-for-itself',
  'ends-waiting-commits',
  'runs-anyway',
  'reused-buffer',
] as const
export type Broken = (typeof BROKEN)[number]

/** The store with its fault; handlers write through the pool. */
export async function brokenStore(
  broken: Broken,
  store: Store<PoolClient>,
  pool: Pool,
): Promise<Store<PoolClient>> {
  if (broken === 'reused-buffer') return reusedBuffer(store)
  if (broken === 'ends-waiting-commits') {
    endWaitingCommits(pool)
    return store
  }
  if (broken === 'runs-anyway') {
    const own = await fromConformance()
    return { ...store, begin: (claim) => store.begin(claim).catch(() => own.begin(claim)) }
  }
  const faulty = broken === 'writes-beside' ? store : await fromConformance()
  const transaction = async (): Promise<PoolClient> => pool as unknown as PoolClient
  return {
    ...faulty,
    async begin(claim) {
      const decision = await faulty.begin(claim)
      if (decision.kind !== 'run') return decision
      return { kind: 'run', attempt: { ...decision.attempt, transaction } }
    },
  }
}

function reusedBuffer(store: Store<PoolClient>): Store<PoolClient> {
  const shared = Buffer.alloc(64 * 1024)
  return {
    ...store,
    async begin(claim) {
      const decision = await store.begin(claim)
      if (decision.kind !== 'run') return decision
      const { attempt } = decision
      const complete: typeof attempt.complete = async (completion) => {
        const { body } = completion.response
        if (body === null) return attempt.complete(completion)
        shared.set(body)
        await sleep(5)
        const response = { ...completion.response, body: shared.subarray(0, body.length) }
        return attempt.complete({ ...completion, response })
      }
      return { kind: 'run', attempt: { ...attempt, complete } }
    },
  }
}

function endWaitingCommits(pool: Pool): void {
  const look = setInterval(() => {
    // Errors are ignored: while the database is away, no commit waits that could be ended.
    pool
      .query(`select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'`)
      .catch(() => {})
  }, 100)
  look.unref()
}

async function fromConformance(): Promise<Store<PoolClient>> {
  const { eachForItself } = await import(
    '../../../../packages/conformance/test/broken-stores/of-claims/each-for-itself.ts'
  )
  return eachForItself.create('transaction').store as unknown as Store<PoolClient>
}

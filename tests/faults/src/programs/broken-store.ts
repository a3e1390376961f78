import type { Store } from '@oncekey/core'
import type { Pool, PoolClient } from 'pg'

/**
 * Stores that are wrong, to see that a campaign finds it.
 *
 * - `writes-beside`: the handler's writes are committed one by one, as they are by every middleware
 *   that keeps its records in a transaction of its own
 * - `each-for-itself`: the broken store of that name from the conformance package: records of one
 *   process that no other sees, and that are gone with it
 */
export const BROKEN = ['writes-beside', 'each-for-itself'] as const
export type Broken = (typeof BROKEN)[number]

/** The store with its fault; handlers write through the pool. */
export async function brokenStore(
  broken: Broken,
  store: Store<PoolClient>,
  pool: Pool,
): Promise<Store<PoolClient>> {
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

async function fromConformance(): Promise<Store<PoolClient>> {
  const { eachForItself } = await import(
    '../../../../packages/conformance/test/broken-stores/each-for-itself.ts'
  )
  return eachForItself.create('transaction').store as unknown as Store<PoolClient>
}

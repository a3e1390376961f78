import assert from 'node:assert/strict'
import type { Claim } from '@oncekey/core'
import { postgresStore } from '@oncekey/postgres'
import type { Pool } from 'pg'
import {
  again,
  attemptOf,
  claimOf,
  kept,
  said,
} from '../../../packages/postgres/test/database/claims.ts'

/** Serves requests in both modes while other work is done in the same schemas. */
export interface Traffic {
  /**
   * Serves requests on these schemas until `work` is done. `work` may wait until each schema has
   * been served since its start.
   */
  during(
    schemas: readonly string[],
    work: (alongside: () => Promise<void>) => Promise<void>,
  ): Promise<void>
  /**
   * Expects that every earlier answer is replayed, and that the attempt that was running all the
   * time completes.
   */
  expectAllThere(schema: string): Promise<void>
}

/** From now on an attempt in lease mode runs in each schema until the end. */
export async function traffic(pool: Pool, schemas: readonly string[]): Promise<Traffic> {
  const sites = new Map(
    await Promise.all(
      schemas.map(async (schema) => {
        const store = postgresStore({ client: pool, schema })
        const leasing = postgresStore({ client: pool, schema, mode: 'lease' })
        const long = claimOf()
        const running = attemptOf(await leasing.begin(long))
        return [schema, { store, leasing, long, running, served: [] as Claim[] }] as const
      }),
    ),
  )

  function site(schema: string) {
    const found = sites.get(schema)
    if (found === undefined) throw new Error(`There is no traffic in ${schema}`)
    return found
  }

  async function serve(schema: string): Promise<void> {
    const { store, leasing, served } = site(schema)
    for (const each of [store, leasing]) {
      const claim = claimOf()
      assert.equal(await attemptOf(await each.begin(claim)).complete(kept('done')), 'stored')
      served.push(claim)
    }
  }

  return {
    async during(schemas, work) {
      let isOver = false
      let rounds = 0
      const serving = (async () => {
        for (; !isOver; rounds += 1) for (const schema of schemas) await serve(schema)
      })()
      // The error is thrown when the traffic ends; until then it must not count as unhandled.
      serving.catch(() => {})
      const alongside = async (): Promise<void> => {
        const enough = rounds + 2
        while (rounds < enough) {
          await Promise.race([serving, new Promise((resolve) => setTimeout(resolve, 5))])
        }
      }
      try {
        await work(alongside)
      } finally {
        isOver = true
        await serving
      }
    },

    async expectAllThere(schema) {
      const { store, long, running, served } = site(schema)
      assert.ok(served.length > 0)
      for (const claim of served) {
        assert.equal(said(await store.begin(again(claim))), 'replay 201 done')
      }
      assert.equal(await running.complete(kept('at last')), 'stored')
      assert.equal(said(await store.begin(again(long))), 'replay 201 at last')
    },
  }
}

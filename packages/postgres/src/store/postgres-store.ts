import type { Store } from '@oncekey/core'
import { begin } from './begin.ts'
import { keylessAttempt } from './keyless-attempt.ts'
import { type PostgresStoreOptions, resolveOptions } from './options.ts'
import { storeState } from './store-state.ts'

/**
 * Records in PostgreSQL, in the handler's own transaction: response, writes and events are one
 * commit, and a process that dies at any point leaves the key free and nothing behind.
 *
 * @example
 * ```ts
 * const pool = new Pool({ connectionString, max: 20, pipeline: true })
 * await migrate(pool)
 * const once = idempotency({ store: postgresStore({ client: pool }), scope: (req) => req.user.id })
 * ```
 */
export function postgresStore<Tx>(options: PostgresStoreOptions<Tx>): Store<Tx> {
  const state = storeState(resolveOptions(options))

  return {
    capabilities: {
      name: 'postgres',
      mode: 'transaction',
      transactions: true,
      concurrency: state.client.concurrency,
    },
    begin: (claim) => begin(state, claim),
    open: async ({ leaseMs }) => keylessAttempt(state, leaseMs),
  }
}

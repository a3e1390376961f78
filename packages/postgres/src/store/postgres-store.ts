import type { Store } from '@oncekey/core'
import { postgresOperations } from '../operator/audit/operations.ts'
import { postgresKeys } from '../operator/keys.ts'
import { keylessAttempt } from './attempt/keyless-attempt.ts'
import {
  type PostgresStoreOptions,
  type ResolvedOptions,
  resolveOptions,
} from './attempt/options.ts'
import { storeState } from './attempt/store-state.ts'
import { beginLease } from './lease/begin-lease.ts'
import { leaseState } from './lease/lease-state.ts'
import { begin } from './transaction/begin.ts'

/**
 * Keeps records in PostgreSQL, in the handler's own transaction: the response, the handler's writes
 * and its events are one commit. A process that dies at any point leaves the key free and nothing
 * behind.
 *
 * `mode: 'lease'` is for handlers that call other systems, which no transaction can undo: see
 * {@link PostgresStoreOptions.mode}. The response, the writes and the events are one commit there,
 * too.
 *
 * @example
 * ```ts
 * const pool = new Pool({ connectionString, max: 20, pipeline: true })
 * await migrate(pool)
 * const once = idempotency({ store: postgresStore({ client: pool }), scope: (req) => req.user.id })
 * ```
 */
export function postgresStore<Tx>(options: PostgresStoreOptions<Tx>): Store<Tx> {
  const resolved = resolveOptions(options)
  if (resolved.mode === 'lease') return leaseStore(resolved)
  const state = storeState(resolved)

  return {
    capabilities: {
      name: 'postgres',
      mode: 'transaction',
      transactions: true,
      concurrency: state.client.concurrency,
    },
    begin: (claim) => begin(state, claim),
    open: async (time) => keylessAttempt(state, time),
    settle: ({ withinMs }) => state.lateEnds.settled(withinMs),
    keys: postgresKeys(state),
    operations: postgresOperations(state),
  }
}

function leaseStore<Tx>(options: ResolvedOptions<Tx>): Store<Tx> {
  const state = leaseState(options)
  return {
    capabilities: { name: 'postgres', mode: 'lease', transactions: true, concurrency: 'many' },
    begin: (claim) => beginLease(state, claim),
    open: async (time) => keylessAttempt(state, time),
    async settle({ withinMs }) {
      const open = [state.lateEnds.settled(withinMs), state.giveBack.settled(withinMs)]
      return (await Promise.all(open)).reduce((sum, each) => sum + each)
    },
    keys: postgresKeys(state),
    operations: postgresOperations(state),
  }
}

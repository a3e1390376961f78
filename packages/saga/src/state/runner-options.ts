import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { OptionsError } from '@oncekey/core'
import { wholeNumber } from '@oncekey/core/options'
import {
  atReadCommitted,
  type PostgresClient,
  quotedSchema,
  type SqlClient,
  sqlClientOf,
} from '@oncekey/postgres/client'
import type { Definition } from '../definition/definition.ts'
import { type AnySaga, definition } from '../definition/saga.ts'
import type { SagaAlert } from '../telemetry/alert.ts'

export interface SagaRunnerOptions<Tx> {
  /** A Pool of `pg`, or another client wrapped by a bridge. It stays yours: you close it. */
  readonly client: PostgresClient<Tx>
  /** The sagas, in every version that still has runs. */
  readonly sagas: readonly AnySaga<Tx>[]
  /** The schema that `migrate` created. @default 'oncekey' */
  readonly schema?: string
  /**
   * The name of this process in the runs it owns. A random part is added to it, since two that live
   * side by side in a deploy must not have the same. @default host name and process id
   */
  readonly node?: string
  /**
   * How long a process owns a run without renewing its lease; after a crash, other processes wait
   * that long. A lease is renewed three times in that time. From 100 to 2_147_483_647.
   * Milliseconds. @default 15_000
   */
  readonly leaseMs?: number
  /**
   * How many runs `start` and `runOnce` drive at once, in addition to those of `execute`. @default
   * half of the pool, at least 1
   */
  readonly concurrency?: number
  /**
   * How many runs `execute` drives at once. Further runs are recorded and queued.
   * @default the size of the pool minus `concurrency` and one connection for renewals, at least 1
   */
  readonly executeConcurrency?: number
  /** How often the loop polls for due runs. Milliseconds. @default 500 */
  readonly pollMs?: number
  /**
   * How many processes in a row may die during a step before the step counts as failed; at least 2.
   * The first may have died of another run beside it. While a later one had it, it began no other
   * run for the time of a lease. @default 5
   */
  readonly maxLost?: number
  /** The largest result of a step, and the largest input, as JSON text. Bytes. @default 262_144 */
  readonly maxResultBytes?: number
  /** How long to wait for a connection, and for a reply. Milliseconds. @default 5000 */
  readonly acquireTimeoutMs?: number
  /**
   * How long to wait for the reply to a commit before asking the database how the commit ended.
   * Milliseconds. @default 30_000
   */
  readonly commitTimeoutMs?: number
  /**
   * Whether to use named prepared statements. Leave it off behind a pooler in transaction mode.
   * @default false
   */
  readonly prepare?: boolean
  /** The CloudEvents `source` of events that steps emit. @default '/saga/' + the saga's name */
  readonly eventSource?: string
  /**
   * Called when a run needs a person. It is not awaited; if it throws or rejects, the error is
   * published on `oncekey:saga-error`. @default a process warning, unless `oncekey:saga-alert` has
   * a subscriber
   */
  readonly onAlert?: (alert: SagaAlert) => unknown
}

export interface ResolvedOptions<Tx> {
  readonly client: SqlClient<Tx>
  readonly schema: string
  readonly quotedSchema: string
  readonly node: string
  readonly leaseMs: number
  readonly concurrency: number
  readonly executeConcurrency: number
  readonly pollMs: number
  readonly maxLost: number
  readonly maxResultBytes: number
  readonly acquireTimeoutMs: number
  readonly commitTimeoutMs: number
  readonly eventSource: string | undefined
  readonly onAlert: ((alert: SagaAlert) => unknown) | undefined
  /** The registered definitions by their `id`. */
  readonly definitions: ReadonlyMap<string, Definition>
}

export function resolveOptions<Tx>(options: SagaRunnerOptions<Tx>): ResolvedOptions<Tx> {
  const schema = options?.schema ?? 'oncekey'
  const given = sqlClientOf(options?.client, { prepare: options?.prepare ?? false })
  const client = atReadCommitted(given)
  const half = Math.max(1, Math.floor(client.poolSize / 2))
  const concurrency = wholeNumber('concurrency', options.concurrency ?? half, 1)
  const left = Math.max(1, client.poolSize - concurrency - 1)
  return {
    client,
    schema,
    quotedSchema: quotedSchema(schema),
    node: `${options.node ?? `${hostname()}/${process.pid}`}/${randomUUID().slice(0, 8)}`,
    leaseMs: wholeNumber('leaseMs', options.leaseMs ?? 15_000, 100),
    concurrency,
    executeConcurrency: wholeNumber('executeConcurrency', options.executeConcurrency ?? left, 1),
    pollMs: wholeNumber('pollMs', options.pollMs ?? 500, 1),
    maxLost: checkedMaxLost(options.maxLost ?? 5),
    maxResultBytes: wholeNumber('maxResultBytes', options.maxResultBytes ?? 262_144, 1),
    acquireTimeoutMs: wholeNumber('acquireTimeoutMs', options.acquireTimeoutMs ?? 5_000, 1),
    commitTimeoutMs: wholeNumber('commitTimeoutMs', options.commitTimeoutMs ?? 30_000, 1),
    eventSource: options.eventSource,
    onAlert: options.onAlert,
    definitions: definitionsOf(options.sagas),
  }
}

function checkedMaxLost(given: number): number {
  const maxLost = wholeNumber('maxLost', given, 1)
  if (maxLost > 1) return maxLost
  throw new OptionsError(
    'maxLost: write at least 2. When one process has died, nobody knows which of its runs ended it, ' +
      'and all of them would be given up.',
  )
}

function definitionsOf<Tx>(sagas: readonly AnySaga<Tx>[]): Map<string, Definition> {
  if (!Array.isArray(sagas) || sagas.length === 0) {
    throw new OptionsError('sagas is missing: write `sagas: [order]`, what saga(…) returned.')
  }
  const definitions = new Map<string, Definition>()
  for (const each of sagas) {
    const made = definition(each)
    if (made.steps.length === 0) {
      throw new OptionsError(
        `saga "${made.name}" has no steps: write .step('create-order', { run }).`,
      )
    }
    for (const other of definitions.values()) {
      if (other.name !== made.name || other.version !== made.version) continue
      throw new OptionsError(
        `sagas: there are two of "${made.name}" version ${made.version}. Raise the version of the ` +
          'newer one, and keep the older one registered until its last run has ended.',
      )
    }
    definitions.set(made.id, made)
  }
  return definitions
}

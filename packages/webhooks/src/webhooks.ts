import type { DeadLetterSource } from '@oncekey/core'
import type { Consumer } from '@oncekey/outbox'
import { migratePackage } from '@oncekey/postgres/client'
import { deadLetterSource } from './dead-letter-source.ts'
import { type Deliveries, deliveries } from './deliveries.ts'
import { type Endpoints, endpoints } from './endpoints.ts'
import { fanOutConsumer } from './fan-out-consumer.ts'
import { type CustomerWebhooks, forCustomer } from './for-customer.ts'
import { webhookMigrations } from './migrations/all.ts'
import { resolveOptions, type WebhooksOptions } from './options.ts'
import { type PurgedWebhooks, type PurgeWebhooksOptions, purgeWebhooks } from './purge-webhooks.ts'
import { createWorker, type WebhookWorker } from './worker.ts'
import type { WorkerOptions } from './worker-options.ts'

/** Everything there is to do about webhooks that are sent. */
export interface Webhooks<Tx = unknown> {
  /** Creates the tables, or brings them up to this version; when you deploy, as often as you like. */
  migrate(): Promise<void>
  readonly endpoints: Endpoints
  /** For `createRelay`: makes a delivery of each event for every endpoint that wants it, once. */
  readonly consumer: Consumer<Tx>
  /** What sends them; opens nothing and starts nothing by itself. */
  createWorker(options?: WorkerOptions): WebhookWorker
  readonly deliveries: Deliveries
  /** What one customer may see and do, for the routes that customers reach. */
  forCustomer(customer: string): CustomerWebhooks
  /** For `deadLetters()` of `@oncekey/outbox`. */
  readonly deadLetters: DeadLetterSource
  /** Takes away what has been kept long enough; call it now and then, until there is no `more`. */
  purge(options?: PurgeWebhooksOptions): Promise<PurgedWebhooks>
}

/**
 * Events as webhooks to your customers: signed as Standard Webhooks has it, retried, guarded against
 * SSRF, at least once. Throws an `OptionsError` that says what to write instead.
 *
 * @example
 * ```ts
 * const hooks = webhooks({ client: pool, customerOf: (event) => event.headers.customer })
 * await hooks.migrate()
 *
 * const { secret } = await hooks.endpoints.register({ customer, url, types: ['order.*'] })
 *
 * createRelay({ log: postgresLog({ client: pool }), consumers: [hooks.consumer] }).start()
 * hooks.createWorker().start()
 * ```
 */
export function webhooks<Tx = unknown>(options: WebhooksOptions<Tx>): Webhooks<Tx> {
  const resolved = resolveOptions(options)
  const woken = new Set<() => void>()
  const wakeWorkers = (): void => {
    for (const wake of woken) wake()
  }
  const all = endpoints(resolved)
  return {
    migrate: () => migratePackage(resolved.sql, webhookMigrations, { schema: resolved.schemaName }),
    endpoints: all,
    consumer: fanOutConsumer<Tx>(resolved.consumerName, resolved, wakeWorkers),
    createWorker: (worker = {}) => createWorker(resolved, worker, woken),
    deliveries: deliveries(resolved, wakeWorkers),
    forCustomer: (customer) =>
      forCustomer(customer, all, (of) => deliveries(resolved, wakeWorkers, of)),
    deadLetters: deadLetterSource(resolved, wakeWorkers),
    purge: (purgeOptions) => purgeWebhooks(resolved, purgeOptions),
  }
}

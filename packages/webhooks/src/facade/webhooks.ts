import type { DeadLetterSource } from '@oncekey/core'
import type { Consumer } from '@oncekey/outbox'
import { fanOutConsumer } from '../delivery/fan-out-consumer.ts'
import { createWorker, type WebhookWorker } from '../delivery/worker.ts'
import type { WorkerOptions } from '../delivery/worker-options.ts'
import { type Endpoints, endpoints } from '../endpoints/endpoints.ts'
import { deadLetterSource } from '../operator/dead-letter-source.ts'
import { type Deliveries, deliveries } from '../operator/deliveries.ts'
import {
  type PurgedWebhooks,
  type PurgeWebhooksOptions,
  purgeWebhooks,
} from '../operator/purge-webhooks.ts'
import { resolveOptions, type WebhooksOptions } from '../options/options.ts'
import { type CustomerWebhooks, forCustomer } from './for-customer.ts'

/** Sending webhooks: what an app registers, runs and operates. */
export interface Webhooks<Tx = unknown> {
  readonly endpoints: Endpoints
  /**
   * For `createRelay`: the consumer that makes one delivery of each event for every endpoint that
   * wants the event.
   */
  readonly consumer: Consumer<Tx>
  /** Makes a worker, which sends deliveries. It does nothing until it is started. */
  createWorker(options?: WorkerOptions): WebhookWorker
  readonly deliveries: Deliveries
  /** Restricts all calls to one customer, for routes that customers reach. */
  forCustomer(customer: string): CustomerWebhooks
  /** For `deadLetters()` of `@oncekey/outbox`. */
  readonly deadLetters: DeadLetterSource
  /**
   * Removes what is past its retention. Schedule it, and repeat the call while it returns `more:
   * true`.
   */
  purge(options?: PurgeWebhooksOptions): Promise<PurgedWebhooks>
}

/**
 * Sends events to your customers as webhooks: at least once, signed as the Standard Webhooks
 * specification requires, retried, and guarded against SSRF. Throws an `OptionsError` that says
 * what to write instead.
 *
 * @example
 * ```ts
 * await migrate(pool, { also: [webhookMigrations] })
 * const hooks = webhooks({ client: pool, customerOf: (event) => event.headers.customer })
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
  const deadLetters = deadLetterSource(resolved, wakeWorkers)
  return {
    endpoints: all,
    consumer: fanOutConsumer<Tx>(resolved.consumerName, resolved, wakeWorkers),
    createWorker: (worker = {}) => createWorker(resolved, worker, woken, deadLetters.redrives),
    deliveries: deliveries(resolved, wakeWorkers),
    forCustomer: (customer) =>
      forCustomer(customer, all, (of) => deliveries(resolved, wakeWorkers, of)),
    deadLetters,
    purge: (purgeOptions) => purgeWebhooks(resolved, purgeOptions),
  }
}

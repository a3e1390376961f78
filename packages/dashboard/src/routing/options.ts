import {
  type DeadLetterSource,
  type EventLog,
  type Keys,
  type Operations,
  OptionsError,
  type Seal,
  sealedKeys,
} from '@oncekey/core'
import { atOnce } from '@oncekey/core/options'
import type { ConsumersSource } from '../sources/consumers.ts'
import type { EventsSource } from '../sources/events.ts'
import type { SagasSource } from '../sources/sagas.ts'
import type { WebhooksSource } from '../sources/webhooks.ts'
import type { Authorize } from './access.ts'

export interface DashboardOptions {
  /** Called for every request. A sender whom it does not name sees nothing. */
  readonly authorize: Authorize
  /** A store that has `keys` and `operations`: Postgres, Redis, memory. */
  readonly store?: {
    readonly keys?: Keys | undefined
    readonly operations?: Operations | undefined
  }
  /**
   * The engine's `seal`. With it, sealed bodies are opened when a viewer asks for them (and are
   * masked), and responses that `keys.answer` stores are sealed. @default sealed bodies stay sealed
   */
  readonly seal?: Seal
  /** The sources of dead letters: `log.deadLetters`, `hooks.deadLetters`, `sagas.deadLetters`. */
  readonly deadLetters?: readonly DeadLetterSource[]
  /** Shows how far these consumers are behind. */
  readonly lag?: { readonly log: Pick<EventLog, 'lag'>; readonly consumers: readonly string[] }
  /**
   * Shows the relays of each consumer, and can pause consumers: `postgresConsumers({ client })`.
   */
  readonly consumers?: ConsumersSource
  /** Shows the events in the log: `postgresEvents({ client })`. */
  readonly events?: EventsSource
  /** Shows endpoints and deliveries: the result of `webhooks()`. */
  readonly webhooks?: WebhooksSource
  /** Shows runs of sagas: `sagaOperator({ client })`. */
  readonly sagas?: SagasSource
  /**
   * Returns the text that is shown in place of a payload: of an event's data, the body of a stored
   * response or of a receiver's answer, a saga's input, a step's result or the details of its
   * error.
   * @default the payload itself
   */
  readonly mask?: (payload: string, what: Payload) => string
  /** @default 'Oncekey' */
  readonly title?: string
  /**
   * The path at which the dashboard is mounted, without a slash at the end: `/admin/oncekey`.
   * Handlers of `./node` find it out themselves under Express. @default ''
   */
  readonly basePath?: string
}

export type Payload = 'event' | 'response' | 'saga'

export interface ResolvedOptions {
  readonly authorize: Authorize
  readonly keys: Keys | undefined
  readonly operations: Operations | undefined
  readonly deadLetters: readonly DeadLetterSource[]
  readonly lag: DashboardOptions['lag']
  readonly consumers: ConsumersSource | undefined
  readonly events: EventsSource | undefined
  readonly webhooks: WebhooksSource | undefined
  readonly sagas: SagasSource | undefined
  readonly mask: NonNullable<DashboardOptions['mask']>
  /**
   * Whether the app gave a `mask`. A mask needs whole payloads, so pages that show only parts of
   * them, such as the audit, leave these parts out.
   */
  readonly isMasked: boolean
  readonly title: string
  readonly basePath: string
}

export function resolveOptions(options: DashboardOptions): ResolvedOptions {
  const {
    authorize,
    store,
    seal,
    deadLetters = [],
    lag,
    consumers,
    events,
    webhooks,
    sagas,
    title = 'Oncekey',
    basePath = '',
  } = options ?? {}
  if (typeof authorize !== 'function') {
    throw new OptionsError(
      "dashboard: authorize is missing. Write a function of the request that returns { actor: 'maria@shop.example', may: 'read-only' }, or null for whom it must not be shown.",
    )
  }
  if (store !== undefined && store.keys === undefined) {
    throw new OptionsError(
      'dashboard: this store has no `keys`. The Postgres, Redis and memory stores have; leave `store` out for another.',
    )
  }
  const isEmpty = [store, deadLetters[0], lag, consumers, events, webhooks, sagas].every(
    (each) => each === undefined,
  )
  if (isEmpty) {
    throw new OptionsError(
      'dashboard: there is nothing to show. Write at least one of `store`, `deadLetters`, `lag`, `events`, `webhooks` and `sagas`.',
    )
  }
  const names = deadLetters.map(({ name }) => name)
  if (new Set(names).size < names.length) {
    throw new OptionsError(
      `dashboard: two of deadLetters are called the same (${names.join(', ')}). Show each of them once.`,
    )
  }
  if (basePath !== '' && !/^\/.*[^/]$/.test(basePath)) {
    throw new OptionsError(
      `dashboard: basePath must begin with a slash and not end with one: '/admin/oncekey', not ${JSON.stringify(basePath)}.`,
    )
  }
  return {
    authorize,
    keys: store?.keys && seal !== undefined ? sealedKeys(store.keys, seal) : store?.keys,
    operations: store?.operations,
    deadLetters,
    lag,
    consumers,
    events,
    webhooks,
    sagas,
    mask: checkedMask(options.mask),
    isMasked: options.mask !== undefined,
    title,
    basePath,
  }
}

function checkedMask(mask: DashboardOptions['mask']): NonNullable<DashboardOptions['mask']> {
  if (mask === undefined) return (payload) => payload
  if (typeof mask !== 'function') {
    throw new OptionsError('dashboard: mask must be a function that returns the text to show.')
  }
  return (payload, what) => {
    const shown: unknown = atOnce(mask(payload, what))
    if (typeof shown === 'string') return shown
    throw new OptionsError(
      `dashboard: mask returned ${typeof shown} for a payload of kind "${what}": return the text to show, at once.`,
    )
  }
}

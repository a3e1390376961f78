import { checkSealKeys, LONGEST_KEPT_MS, OptionsError, type SealKeys, wholeMs } from '@oncekey/core'
import { callback, flag, wholeNumber } from '@oncekey/core/options'
import {
  atReadCommitted,
  type PostgresClient,
  quotedSchema,
  type SqlClient,
  sqlClientOf,
} from '@oncekey/postgres/client'
import type { Dispatcher } from 'undici'
import { type AddressGuard, addressGuard } from '../dialing/address-guard.ts'
import { AFTER_EXCHANGE_MS, resolveProxy } from '../dialing/egress-proxy.ts'
import type { EndpointTls } from '../dialing/endpoint-tls.ts'
import { guardedAgent } from '../dialing/guarded-agent.ts'
import { nameServers, type ResolveName } from '../dialing/resolve-name.ts'
import { watchedNames } from '../dialing/watched-names.ts'
import { type Classify, classifyByStatus } from '../retry/response-class.ts'
import { type RetrySchedule, resolveSchedule, standardSchedule } from '../retry/retry-schedule.ts'
import type { EndpointPolicy } from '../statements/verdicts.ts'
import type { WebhookEndpointMessage } from '../telemetry/channels.ts'

export interface WebhooksOptions<Tx = unknown> {
  /** A `pg` Pool, or another client through a bridge such as `fromPglite`. */
  readonly client: PostgresClient<Tx>
  /** The schema that holds Oncekey's tables. @default 'oncekey' */
  readonly schema?: string
  /** The name of the consumer, under which its position in the log is kept. @default 'webhooks' */
  readonly consumerName?: string
  /**
   * Returns the customer of an event: only endpoints registered for that customer get it.
   * `undefined` sends the event to nobody. Without this option endpoints have no customer and get
   * every event.
   */
  readonly customerOf?: (event: EventFacts) => string | undefined
  /**
   * How many endpoints a customer may have that are not deleted. Each event of a customer is sent
   * to all of them, maybe to one and the same host. Without customers there is no such limit.
   *
   * @default 100
   */
  readonly maxEndpointsPerCustomer?: number
  /** Seals signing secrets at rest with AES-256-GCM. @default none */
  readonly seal?: SealKeys
  /**
   * Addresses and ranges that may be dialled although they are not public: '10.2.0.7',
   * '10.1.0.0/16'. Every customer who registers an endpoint can reach them.
   * @default []
   */
  readonly allowAddresses?: readonly string[]
  /** Whether an endpoint's URL may begin with `http://`. @default false */
  readonly allowHttp?: boolean
  /**
   * Resolves a host name to addresses, each of which is checked.
   * @default the system's name servers
   */
  readonly resolve?: ResolveName
  /**
   * The proxy that deliveries go through, by CONNECT: `'http://proxy.internal:3128'`. Names are
   * resolved and addresses checked here, and the proxy is given the address. With `resolves: true`
   * it is given the name and trusted to refuse internal addresses.
   * @default none
   */
  readonly proxy?: string | { readonly url: string; readonly resolves?: boolean }
  /** The limit for a whole exchange, including the answer's body. Milliseconds. @default 10_000 */
  readonly timeoutMs?: number
  /** How much of an answer's body is read and stored. Bytes. @default 16_384 */
  readonly maxResponseBytes?: number
  /**
   * Decides what a status means; `standardWebhooks` retries everything but 410.
   *
   * @default transient: 5xx, 408, 409, 421, 423, 425, 429
   */
  readonly classify?: Classify
  /**
   * The waits between attempts, in milliseconds. When they are used up and the last attempt fails,
   * the delivery is dead.
   *
   * @default ten attempts over 76 to 91 hours
   */
  readonly schedule?: RetrySchedule
  /** The longest wait that a `Retry-After` can cause. Milliseconds. @default 3_600_000 */
  readonly maxRetryAfterMs?: number
  /**
   * After this many failures in a row an endpoint gets one delivery at a time, and a cooldown after
   * each that fails.
   *
   * @default 5
   */
  readonly breakerFailures?: number
  /** The first cooldown; each is twice as long as the one before. Milliseconds. @default 5_000 */
  readonly cooldownMs?: number
  /** The longest cooldown. Milliseconds. @default 300_000 */
  readonly maxCooldownMs?: number
  /**
   * After this time without an accepted delivery an endpoint is disabled, if it has also reached
   * `disableAfterAttempts` and `disableAfterEvents`. Milliseconds.
   *
   * @default 432_000_000, five days
   */
  readonly disableAfterMs?: number
  /** How many attempts must also have failed in that time. @default 20 */
  readonly disableAfterAttempts?: number
  /**
   * To how many events those attempts must belong: an endpoint that refuses only a few events may
   * accept others. @default 5
   */
  readonly disableAfterEvents?: number
  /**
   * Called when an endpoint has reached 50, 70, 90 and 100 % of these limits, and when it is
   * disabled. At most once each: if the database's reply is lost or the process ends, nobody is
   * told, so list what is disabled from time to time (`endpoints.list({ status: 'disabled' })`).
   */
  readonly onFailingEndpoint?: (message: WebhookEndpointMessage) => void | Promise<void>
}

/** The properties of an event by which `customerOf` decides. */
export interface EventFacts {
  readonly id: string
  readonly type: string
  readonly source: string
  readonly subject: string | null
  readonly data: unknown
  readonly headers: Readonly<Record<string, string>>
}

/** The options after validation, with every default filled in. */
export interface ResolvedOptions {
  readonly sql: SqlClient
  /** Quoted, for statements. */
  readonly schema: string
  /** The schema's name as it was given, unquoted, for messages. */
  readonly schemaName: string
  readonly consumerName: string
  readonly customerOf: ((event: EventFacts) => string | undefined) | undefined
  readonly maxEndpointsPerCustomer: number
  readonly seal: SealKeys | undefined
  readonly guard: AddressGuard
  readonly allowHttp: boolean
  readonly dispatcher: Dispatcher
  /**
   * Makes a dispatcher for an endpoint with its own certificates. Destroy it after the exchange.
   */
  readonly dispatcherWith: (tls: EndpointTls) => Dispatcher
  readonly timeoutMs: number
  readonly maxResponseBytes: number
  readonly classify: Classify
  readonly waitAfter: (failures: number) => number | undefined
  readonly maxRetryAfterMs: number
  readonly policy: EndpointPolicy
  readonly onFailingEndpoint: (message: WebhookEndpointMessage) => void | Promise<void>
}

/**
 * Validates and completes the options. Throws an `OptionsError` that says what to write instead.
 */
export function resolveOptions<Tx>(options: WebhooksOptions<Tx>): ResolvedOptions {
  if (options?.client === undefined) {
    throw new OptionsError('client is missing: write `webhooks({ client: pool })`.')
  }
  const schemaName = options.schema ?? 'oncekey'
  const guard = addressGuard(options.allowAddresses ?? [])
  const timeoutMs = wholeMs('timeoutMs', options.timeoutMs ?? 10_000, 1, LONGEST_TIMEOUT_MS)
  const dial = {
    // Longer than the exchange, whose own limit is what an attempt records.
    connectTimeoutMs: timeoutMs + AFTER_EXCHANGE_MS,
    // Shorter than the exchange, so that silent name servers do not count as a slow receiver.
    resolve: watchedNames(
      callback('resolve', options.resolve) ?? nameServers(),
      Math.ceil(timeoutMs * 0.9),
    ),
    proxy: resolveProxy(options.proxy, timeoutMs),
  }
  return {
    sql: atReadCommitted(sqlClientOf(options.client, { prepare: false })) as SqlClient,
    schema: quotedSchema(schemaName),
    schemaName,
    consumerName: options.consumerName ?? 'webhooks',
    customerOf: callback('customerOf', options.customerOf),
    maxEndpointsPerCustomer: wholeNumber(
      'maxEndpointsPerCustomer',
      options.maxEndpointsPerCustomer ?? 100,
      1,
    ),
    seal: options.seal === undefined ? undefined : checkSealKeys(options.seal),
    guard,
    allowHttp: flag('allowHttp', options.allowHttp ?? false),
    dispatcher: guardedAgent(guard, dial),
    dispatcherWith: (tls) => guardedAgent(guard, { ...dial, tls }),
    timeoutMs,
    maxResponseBytes: wholeNumber('maxResponseBytes', options.maxResponseBytes ?? 16_384, 0),
    classify: callback('classify', options.classify) ?? classifyByStatus,
    waitAfter: resolveSchedule(options.schedule ?? standardSchedule),
    maxRetryAfterMs: wholeMs('maxRetryAfterMs', options.maxRetryAfterMs ?? 3_600_000, 0),
    policy: {
      breakerFailures: wholeNumber('breakerFailures', options.breakerFailures ?? 5, 1),
      cooldownMs: wholeMs('cooldownMs', options.cooldownMs ?? 5_000, 1),
      maxCooldownMs: wholeMs('maxCooldownMs', options.maxCooldownMs ?? 300_000, 1),
      disableAfterMs: wholeMs('disableAfterMs', options.disableAfterMs ?? 5 * 86_400_000, 1),
      disableAfterAttempts: wholeNumber(
        'disableAfterAttempts',
        options.disableAfterAttempts ?? 20,
        1,
      ),
      disableAfterEvents: wholeNumber('disableAfterEvents', options.disableAfterEvents ?? 5, 1),
    },
    onFailingEndpoint: callback('onFailingEndpoint', options.onFailingEndpoint) ?? (() => {}),
  }
}

/** A day below the longest supported time, because a lease is longer than the timeout. */
const LONGEST_TIMEOUT_MS = LONGEST_KEPT_MS - 86_400_000

import { checkSealKeys, OptionsError, type SealKeys } from '@oncekey/core'
import {
  type PostgresClient,
  quotedSchema,
  type SqlClient,
  sqlClientOf,
} from '@oncekey/postgres/client'
import type { Dispatcher } from 'undici'
import { type AddressGuard, addressGuard } from './address-guard.ts'
import type { WebhookEndpointMessage } from './channels.ts'
import { type Classify, classifyByStatus } from './classify.ts'
import { resolveProxy } from './egress-proxy.ts'
import type { EndpointTls } from './endpoint-tls.ts'
import { guardedAgent } from './guarded-agent.ts'
import { nameServers, type ResolveName } from './resolve-name.ts'
import { type RetrySchedule, resolveSchedule, standardSchedule } from './retry-schedule.ts'
import type { EndpointPolicy } from './statements/settle-deliveries.ts'

export interface WebhooksOptions<Tx = unknown> {
  /** A `pg` Pool, or what a bridge such as `fromPglite` made of another client. */
  readonly client: PostgresClient<Tx>
  /** The schema everything of Oncekey's is in. @default 'oncekey' */
  readonly schema?: string
  /** The name that its place in the log is kept under. @default 'webhooks' */
  readonly consumerName?: string
  /**
   * Whose event it is: only endpoints registered for that `customer` are told of it; `undefined` is
   * nobody's business. Without it endpoints have no customer, and are told of every event.
   */
  readonly customerOf?: (event: EventFacts) => string | undefined
  /** Seals signing secrets at rest with AES-256-GCM. @default none */
  readonly seal?: SealKeys
  /** Addresses and ranges that may be delivered to although they are not public, such as '10.1.0.0/16'. @default [] */
  readonly allowAddresses?: readonly string[]
  /** Whether URLs may begin with `http://`. @default false */
  readonly allowHttp?: boolean
  /** How a name becomes addresses, each of which is checked. @default the name servers of the system */
  readonly resolve?: ResolveName
  /**
   * What deliveries go through, by CONNECT: `'http://proxy.internal:3128'`. Addresses are looked up and
   * checked here, and the proxy is told the address. With `resolves: true` it is told the name, and trusted
   * to refuse what is inside. @default none
   */
  readonly proxy?: string | { readonly url: string; readonly resolves?: boolean }
  /** For a whole exchange, the answer's body included. Milliseconds. @default 10_000 */
  readonly timeoutMs?: number
  /** How much of an answer is read and kept. Bytes. @default 16_384 */
  readonly maxResponseBytes?: number
  /** What a status means; `standardWebhooks` retries everything but 410. @default transient: 5xx, 408, 409, 421, 423, 425, 429 */
  readonly classify?: Classify
  /** The waits between attempts, in milliseconds; after the last one a delivery is dead. @default ten attempts over 75 hours */
  readonly schedule?: RetrySchedule
  /** The longest that a `Retry-After` is obeyed. Milliseconds. @default 3_600_000 */
  readonly maxRetryAfterMs?: number
  /** Failures in a row after which an endpoint gets one delivery at a time, between pauses. @default 5 */
  readonly breakerFailures?: number
  /** The first such pause; each is twice as long as the one before. Milliseconds. @default 5_000 */
  readonly cooldownMs?: number
  /** The longest such pause. Milliseconds. @default 300_000 */
  readonly maxCooldownMs?: number
  /** How long everything sent to an endpoint may fail before it is disabled. Milliseconds. @default 432_000_000, five days */
  readonly disableAfterMs?: number
  /** How many attempts must have failed by then, too. @default 20 */
  readonly disableAfterAttempts?: number
  /** Of how many events: refusing a few says nothing about the endpoint. @default 5 */
  readonly disableAfterEvents?: number
  /** Called when an endpoint has failed 50, 70, 90 and 100 % of all that, and when it is disabled. */
  readonly onFailingEndpoint?: (message: WebhookEndpointMessage) => void | Promise<void>
}

/** What a customer is recognised by. */
export interface EventFacts {
  readonly id: string
  readonly type: string
  readonly source: string
  readonly subject: string | null
  readonly data: unknown
  readonly headers: Readonly<Record<string, string>>
}

/** Options after construction: nothing optional is left to decide. */
export interface ResolvedOptions {
  readonly sql: SqlClient
  /** Quoted, as it goes into statements; and as it was given. */
  readonly schema: string
  readonly schemaName: string
  readonly consumerName: string
  readonly customerOf: ((event: EventFacts) => string | undefined) | undefined
  readonly seal: SealKeys | undefined
  readonly guard: AddressGuard
  readonly allowHttp: boolean
  readonly dispatcher: Dispatcher
  /** One for an endpoint with certificates of its own, to be destroyed after the exchange. */
  readonly dispatcherWith: (tls: EndpointTls) => Dispatcher
  readonly timeoutMs: number
  readonly maxResponseBytes: number
  readonly classify: Classify
  readonly waitAfter: (failures: number) => number | undefined
  readonly maxRetryAfterMs: number
  readonly policy: EndpointPolicy
  readonly onFailingEndpoint: (message: WebhookEndpointMessage) => void | Promise<void>
}

/** Validates and completes options, once. Throws `OptionsError` that says what to write instead. */
export function resolveOptions<Tx>(options: WebhooksOptions<Tx>): ResolvedOptions {
  if (options?.client === undefined) {
    throw new OptionsError('client is missing: write `webhooks({ client: pool })`.')
  }
  const schemaName = options.schema ?? 'oncekey'
  const guard = addressGuard(options.allowAddresses ?? [])
  const timeoutMs = wholeMs('timeoutMs', options.timeoutMs ?? 10_000, 1)
  const dial = {
    connectTimeoutMs: timeoutMs,
    resolve: callback('resolve', options.resolve) ?? nameServers(),
    proxy: resolveProxy(options.proxy, timeoutMs),
  }
  return {
    sql: sqlClientOf(options.client, { prepare: false }) as SqlClient,
    schema: quotedSchema(schemaName),
    schemaName,
    consumerName: options.consumerName ?? 'webhooks',
    customerOf: callback('customerOf', options.customerOf),
    seal: options.seal === undefined ? undefined : checkSealKeys(options.seal),
    guard,
    allowHttp: flag('allowHttp', options.allowHttp ?? false),
    dispatcher: guardedAgent(guard, dial),
    dispatcherWith: (tls) => guardedAgent(guard, { ...dial, tls }),
    timeoutMs,
    maxResponseBytes: whole('maxResponseBytes', options.maxResponseBytes ?? 16_384, 0),
    classify: callback('classify', options.classify) ?? classifyByStatus,
    waitAfter: resolveSchedule(options.schedule ?? standardSchedule),
    maxRetryAfterMs: wholeMs('maxRetryAfterMs', options.maxRetryAfterMs ?? 3_600_000, 0),
    policy: {
      breakerFailures: whole('breakerFailures', options.breakerFailures ?? 5, 1),
      cooldownMs: wholeMs('cooldownMs', options.cooldownMs ?? 5_000, 1),
      maxCooldownMs: wholeMs('maxCooldownMs', options.maxCooldownMs ?? 300_000, 1),
      disableAfterMs: wholeMs('disableAfterMs', options.disableAfterMs ?? 5 * 86_400_000, 1),
      disableAfterAttempts: whole('disableAfterAttempts', options.disableAfterAttempts ?? 20, 1),
      disableAfterEvents: whole('disableAfterEvents', options.disableAfterEvents ?? 5, 1),
    },
    onFailingEndpoint: callback('onFailingEndpoint', options.onFailingEndpoint) ?? (() => {}),
  }
}

/** A whole number; unless told otherwise one that an integer of PostgreSQL can keep. */
export function whole(
  option: string,
  value: number,
  least: number,
  most: number = 2 ** 31 - 1,
): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw new OptionsError(`${option} must be a whole number from ${least} to ${most}, not ${value}.`)
}

/** A length of time that ends: what leases and waits of the database, and exchanges, are bounded by. */
export function wholeMs(option: string, ms: number, leastMs: number): number {
  return whole(option, ms, leastMs, LONG_MS)
}

/** Ten years in milliseconds: more than any retention, and a time that every database can add. */
const LONG_MS: number = 10 * 365 * 86_400_000

function flag(option: string, value: boolean): boolean {
  if (typeof value === 'boolean') return value
  throw new OptionsError(`${option} must be true or false, not ${String(value)}.`)
}

function callback<Callback>(option: string, value: Callback | undefined): Callback | undefined {
  if (value === undefined || typeof value === 'function') return value
  throw new OptionsError(`${option} must be a function, not ${String(value)}.`)
}

import { type ActedBy, actedBy, OncekeyError, OptionsError, patternsOf } from '@oncekey/core'
import { wholeNumber } from '@oncekey/core/options'
import { lockNumber } from '@oncekey/postgres/client'
import { v7 } from 'uuid'
import type { ResolvedOptions } from '../options/options.ts'
import { refusePlain } from '../sealing/refuse-plain.ts'
import { sealSecret } from '../sealing/sealed-secret.ts'
import type { SigningSecret } from '../signing/signing-secret.ts'
import {
  changeEndpoint,
  findEndpoint,
  insertEndpoint,
  listEndpoints,
  setEndpointStatus,
} from '../statements/endpoints.ts'
import { isUuid } from '../statements/ids.ts'
import { isKeptText } from '../statements/kept-text.ts'
import { endDeliveries } from '../statements/purge.ts'
import { firstRow, runStatement } from '../statements/run-statement.ts'
import { deleteSecrets } from '../statements/secrets.ts'
import { type Endpoint, endpointOf } from './endpoint.ts'
import { type EndpointSecrets, endpointSecrets, newSecret } from './endpoint-secrets.ts'
import { parseEndpointUrl } from './endpoint-url.ts'
import { type ChangedWays, type EndpointWays, storedWays } from './endpoint-ways.ts'
import { checkEventTypes } from './event-types.ts'
import { type PingResult, pingEndpoint } from './ping-endpoint.ts'

export interface NewEndpoint extends EndpointWays {
  /**
   * `https://…`. The URL is checked at registration, and its addresses again whenever it is
   * dialled.
   */
  readonly url: string
  /** The event types it gets: `order.created`, `order.*`, or `*` for all. */
  readonly types: readonly string[]
  /** The customer to which the endpoint belongs. Required with `customerOf`, refused without it. */
  readonly customer?: string
  readonly description?: string
  /** `v1` signs with an HMAC, `v1a` with ed25519. @default 'v1' */
  readonly signature?: 'v1' | 'v1a'
  /** A secret of your own instead of a new one: `whsec_…` or `whsk_…`. */
  readonly secret?: SigningSecret
}

export interface RegisteredEndpoint {
  readonly endpoint: Endpoint
  /**
   * What the receiver needs for verifying: the HMAC secret, or the public half of an ed25519 key.
   */
  readonly secret: SigningSecret
}

export interface EndpointFilter {
  readonly customer?: string
  readonly status?: 'enabled' | 'paused' | 'disabled'
  /** Only endpoints that get events of this type. */
  readonly type?: string
  /** The id of the last endpoint of the previous page. */
  readonly after?: string
  /** @default 100 */
  readonly limit?: number
}

/**
 * The endpoints to which events are sent. Every change is committed together with its audit entry;
 * `by` says who makes the change and why. If an endpoint does not exist or was deleted, calls
 * resolve with `undefined`. Invalid input throws an `OptionsError` or `address-forbidden`.
 */
export interface Endpoints extends EndpointSecrets {
  /**
   * Throws `too-many-endpoints` if the customer has `maxEndpointsPerCustomer` that are not deleted.
   */
  register(endpoint: NewEndpoint, by?: ActedBy): Promise<RegisteredEndpoint>
  /** Lists endpoints that are not deleted, the oldest first. */
  list(filter?: EndpointFilter): Promise<Endpoint[]>
  /** Also finds a deleted endpoint, until `purge` removes it. */
  get(id: string): Promise<Endpoint | undefined>
  update(
    id: string,
    changes: {
      readonly url?: string
      readonly types?: readonly string[]
      readonly description?: string
    } & ChangedWays,
    by?: ActedBy,
  ): Promise<Endpoint | undefined>
  /** Sends nothing until `resume`, and keeps the events of that time to send them then. */
  pause(id: string, reason?: string, by?: ActedBy): Promise<Endpoint | undefined>
  resume(id: string, by?: ActedBy): Promise<Endpoint | undefined>
  /** As `pause`, but `purge` ends deliveries that have waited too long. */
  disable(id: string, reason?: string, by?: ActedBy): Promise<Endpoint | undefined>
  /** Sends again, beginning with the events that were kept, and clears the endpoint's failures. */
  enable(id: string, by?: ActedBy): Promise<Endpoint | undefined>
  /** Deletes its secrets and ends its pending deliveries and dead letters. */
  delete(id: string, by?: ActedBy): Promise<Endpoint | undefined>
  /**
   * Sends one `webhook.test` at once, whatever the endpoint's status, and resolves with the result.
   */
  ping(id: string): Promise<PingResult | undefined>
}

export function endpoints(options: ResolvedOptions): Endpoints {
  const { schema, schemaName, maxEndpointsPerCustomer: most } = options
  return {
    async register({ url, types, description = '', signature = 'v1', secret, ...rest }, by) {
      const { customer: given, ...ways } = rest
      const id = v7()
      const made = newSecret(signature, secret)
      const customer = checkCustomer(given, options)
      const row = await firstRow(
        options,
        insertEndpoint(
          schema,
          {
            id,
            customer,
            url: parseEndpointUrl(url, options).href,
            types: checkEventTypes(types),
            description: checkText('description', description),
            secret: sealSecret(made.kept, id, options.seal),
            ways: storedWays(ways, id, options),
          },
          { most, lock: lockNumber(['oncekey:webhook-endpoints', schemaName, customer ?? '']) },
          actedBy('endpoints.register', by),
        ),
      )
      if (row === undefined) throw tooMany(customer, most)
      return { endpoint: endpointOf(row), secret: made.shown }
    },

    async list(filter = {}) {
      const { customer, status, type, after, limit = 100 } = filter
      if ('customer' in filter) checkIsGiven(customer)
      if (after !== undefined && !isUuid(after))
        throw new OptionsError(`after: "${after}" is not an id.`)
      const statement = listEndpoints(schema, {
        customer: customer ?? null,
        status: status ?? null,
        patterns: type === undefined ? null : patternsOf(type),
        after: after ?? null,
        limit: wholeNumber('limit', limit, 1),
      })
      return (await runStatement(options, statement)).map(endpointOf)
    },

    get: (id) => changed(id, () => findEndpoint(schema, id)),

    async update(id, { url, types, description, ...ways }, by) {
      if (isUuid(id) && (ways.headers || ways.tls)) await refusePlain(options, id)
      return changed(id, () =>
        changeEndpoint(
          schema,
          id,
          {
            url: url === undefined ? null : parseEndpointUrl(url, options).href,
            types: types === undefined ? null : checkEventTypes(types),
            description: description === undefined ? null : checkText('description', description),
            ways: storedWays(ways, id, options),
          },
          actedBy('endpoints.update', by),
        ),
      )
    },

    pause: (id, reason, by) => set(id, 'paused', 'pause', by, reason),
    resume: (id, by) => set(id, 'enabled', 'resume', by),
    disable: (id, reason, by) => set(id, 'disabled', 'disable', by, reason),
    enable: (id, by) => set(id, 'enabled', 'enable', by),

    async delete(id, by) {
      const endpoint = await set(id, 'deleted', 'delete', by)
      // One that is deleted already may have been deleted by half: its process died.
      const row = endpoint ?? (await changed(id, () => findEndpoint(schema, id)))
      if (row?.status !== 'deleted') return undefined
      await runStatement(options, deleteSecrets(schema, id))
      // In portions, so that no statement locks many rows. `purge` ends deliveries that this
      // misses.
      while (await endPortion(id));
      return endpoint
    },

    ping: (id) => pingEndpoint(id, options),

    ...endpointSecrets(options),
  }

  function set(
    id: string,
    status: Endpoint['status'],
    verb: string,
    by: ActedBy | undefined,
    reason?: string,
  ): Promise<Endpoint | undefined> {
    const act = { ...actedBy(`endpoints.${verb}`, by), name: `endpoints.${verb}` }
    const why = reason === undefined ? null : checkText('reason', reason)
    return changed(id, () => setEndpointStatus(schema, id, status, why, act))
  }

  async function changed(
    id: string,
    statement: () => ReturnType<typeof findEndpoint>,
  ): Promise<Endpoint | undefined> {
    const row = isUuid(id) ? await firstRow(options, statement()) : undefined
    return row && endpointOf(row)
  }

  async function endPortion(id: string): Promise<boolean> {
    const row = await firstRow(options, endDeliveries(schema, id, PORTION))
    return Number(row?.count) === PORTION
  }
}

/** The customer has to be given: without one an endpoint would get everybody's events, or none. */
function checkCustomer(
  customer: string | undefined,
  { customerOf }: ResolvedOptions,
): string | null {
  if (customerOf === undefined && customer === undefined) return null
  if (customerOf === undefined) {
    throw new OptionsError(
      'customer: webhooks() has no customerOf to tell whose an event is. Write `webhooks({ customerOf: (event) => event.headers.customer })`.',
    )
  }
  if (customer === undefined || customer === '') {
    throw new OptionsError('customer is missing: write the customer that this endpoint belongs to.')
  }
  return checkText('customer', customer)
}

/** A customer that did not come would be no condition, and everybody's endpoints were listed. */
function checkIsGiven(customer: unknown): void {
  if (customer !== undefined && customer !== null) return
  throw new OptionsError(
    `list: the condition "customer" is ${customer}. Leave it out to list the endpoints of all customers.`,
  )
}

function tooMany(customer: string | null, most: number): OncekeyError {
  return new OncekeyError(
    'too-many-endpoints',
    `The customer "${customer}" has as many endpoints as it may have (${most}): delete one, or raise maxEndpointsPerCustomer of webhooks().`,
  )
}

function checkText(name: string, value: string): string {
  if (isKeptText(value)) return value
  throw new OptionsError(`${name} must be text of at most 1,000 characters, without NUL.`)
}

const PORTION = 1_000

import { OptionsError, patternsOf } from '@oncekey/core'
import { v7 } from 'uuid'
import { type Endpoint, endpointOf } from './endpoint.ts'
import { type EndpointSecrets, endpointSecrets, newSecret } from './endpoint-secrets.ts'
import { parseEndpointUrl } from './endpoint-url.ts'
import { type ChangedWays, type EndpointWays, storedWays } from './endpoint-ways.ts'
import { checkEventTypes } from './event-types.ts'
import { type ResolvedOptions, whole } from './options.ts'
import { type PingResult, pingEndpoint } from './ping-endpoint.ts'
import { firstRow, runStatement } from './run-statement.ts'
import { sealSecret } from './sealed-secret.ts'
import type { SigningSecret } from './signing-secret.ts'
import { changeEndpoint } from './statements/change-endpoint.ts'
import { isUuid } from './statements/dead-letter-predicate.ts'
import { deleteSecrets } from './statements/delete-secrets.ts'
import { endDeliveries } from './statements/end-deliveries.ts'
import { findEndpoint } from './statements/find-endpoint.ts'
import { insertEndpoint } from './statements/insert-endpoint.ts'
import { listEndpoints } from './statements/list-endpoints.ts'
import { setEndpointStatus } from './statements/set-endpoint-status.ts'

export interface NewEndpoint extends EndpointWays {
  /** `https://…`. Checked now as far as it can be, and again whenever it is dialled. */
  readonly url: string
  /** What it is told of: `order.created`, `order.*`, or `*` for all. */
  readonly types: readonly string[]
  /** Whose it is; required with `customerOf`, and only then. */
  readonly customer?: string
  readonly description?: string
  /** `v1` signs with an HMAC, `v1a` with ed25519. @default 'v1' */
  readonly signature?: 'v1' | 'v1a'
  /** Yours, instead of a new one: `whsec_…` or `whsk_…`. */
  readonly secret?: SigningSecret
}

export interface RegisteredEndpoint {
  readonly endpoint: Endpoint
  /** What the receiver verifies with: the HMAC secret, or the public half of an ed25519 key. */
  readonly secret: SigningSecret
}

export interface EndpointFilter {
  readonly customer?: string
  readonly status?: 'enabled' | 'paused' | 'disabled'
  /** Only those that are told of events of this type. */
  readonly type?: string
  /** The id of the last one of the page before. */
  readonly after?: string
  /** @default 100 */
  readonly limit?: number
}

/**
 * Where events are sent. What is done to an endpoint that is not there, or was deleted, is
 * `undefined`; an input that cannot be is an `OptionsError` or `address-forbidden`.
 */
export interface Endpoints extends EndpointSecrets {
  register(endpoint: NewEndpoint): Promise<RegisteredEndpoint>
  /** The oldest first. */
  list(filter?: EndpointFilter): Promise<Endpoint[]>
  /** Also one that was deleted, until `purge` has taken it. */
  get(id: string): Promise<Endpoint | undefined>
  update(
    id: string,
    changes: {
      readonly url?: string
      readonly types?: readonly string[]
      readonly description?: string
    } & ChangedWays,
  ): Promise<Endpoint | undefined>
  /** Sends nothing until `resume`; what happens in the meantime is kept, and sent then. */
  pause(id: string, reason?: string): Promise<Endpoint | undefined>
  resume(id: string): Promise<Endpoint | undefined>
  /** The same as `pause`, except that `purge` ends what has waited for too long. */
  disable(id: string, reason?: string): Promise<Endpoint | undefined>
  /** Sends again, what was kept first, and forgets that it ever failed. */
  enable(id: string): Promise<Endpoint | undefined>
  /** Forgets its secrets and ends what was to be sent there, or could not be. */
  delete(id: string): Promise<Endpoint | undefined>
  /** Sends a `webhook.test` now, once, whatever the endpoint's status, and says what came back. */
  ping(id: string): Promise<PingResult | undefined>
}

export function endpoints(options: ResolvedOptions): Endpoints {
  const { schema } = options
  return {
    async register({ url, types, customer, description = '', signature = 'v1', secret, ...ways }) {
      const id = v7()
      const made = newSecret(signature, secret)
      const row = await firstRow(
        options,
        insertEndpoint(schema, {
          id,
          customer: checkCustomer(customer, options),
          url: parseEndpointUrl(url, options).href,
          types: checkEventTypes(types),
          description: checkText('description', description),
          secret: sealSecret(made.kept, id, options.seal),
          ways: storedWays(ways, id, options),
        }),
      )
      return { endpoint: endpointOf(row as NonNullable<typeof row>), secret: made.shown }
    },

    async list({ customer, status, type, after, limit = 100 } = {}) {
      if (after !== undefined && !isUuid(after))
        throw new OptionsError(`after: "${after}" is no id.`)
      const statement = listEndpoints(schema, {
        customer: customer ?? null,
        status: status ?? null,
        patterns: type === undefined ? null : patternsOf(type),
        after: after ?? null,
        limit: whole('limit', limit, 1),
      })
      return (await runStatement(options, statement)).map(endpointOf)
    },

    get: (id) => changed(id, () => findEndpoint(schema, id)),

    update: (id, { url, types, description, ...ways }) =>
      changed(id, () =>
        changeEndpoint(schema, id, {
          url: url === undefined ? null : parseEndpointUrl(url, options).href,
          types: types === undefined ? null : checkEventTypes(types),
          description: description === undefined ? null : checkText('description', description),
          ways: storedWays(ways, id, options),
        }),
      ),

    pause: (id, reason) => set(id, 'paused', reason),
    resume: (id) => set(id, 'enabled'),
    disable: (id, reason) => set(id, 'disabled', reason),
    enable: (id) => set(id, 'enabled'),

    async delete(id) {
      const endpoint = await set(id, 'deleted')
      if (endpoint === undefined) return undefined
      await runStatement(options, deleteSecrets(schema, id))
      // In portions, so that no statement holds many rows; `purge` ends what this one misses.
      while (await ended(id));
      return endpoint
    },

    ping: (id) => pingEndpoint(id, options),

    ...endpointSecrets(options),
  }

  function set(
    id: string,
    status: Endpoint['status'],
    reason?: string,
  ): Promise<Endpoint | undefined> {
    const why = reason === undefined ? null : checkText('reason', reason)
    return changed(id, () => setEndpointStatus(schema, id, status, why))
  }

  async function changed(
    id: string,
    statement: () => ReturnType<typeof findEndpoint>,
  ): Promise<Endpoint | undefined> {
    const row = isUuid(id) ? await firstRow(options, statement()) : undefined
    return row && endpointOf(row)
  }

  async function ended(id: string): Promise<boolean> {
    const row = await firstRow(options, endDeliveries(schema, id, PORTION))
    return Number(row?.count) === PORTION
  }
}

/** Never guessed: an endpoint without its customer would be told of everybody's events, or of none. */
function checkCustomer(
  customer: string | undefined,
  { customerOf }: ResolvedOptions,
): string | null {
  if (customerOf === undefined && customer === undefined) return null
  if (customerOf === undefined) {
    throw new OptionsError(
      'customer: whose event is it? Write `webhooks({ customerOf: (event) => event.headers.customer })`.',
    )
  }
  if (customer === undefined || customer === '') {
    throw new OptionsError('customer is missing: say whose endpoint this is.')
  }
  return checkText('customer', customer)
}

function checkText(name: string, value: string): string {
  const fits =
    typeof value === 'string' &&
    value.length <= 1_000 &&
    !value.includes('\0') &&
    value.isWellFormed()
  if (fits) return value
  throw new OptionsError(`${name} must be text of at most 1,000 characters, without NUL.`)
}

const PORTION = 1_000

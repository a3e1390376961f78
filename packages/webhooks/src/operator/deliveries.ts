import { hash } from 'node:crypto'
import {
  type ActedBy,
  actedBy,
  checkedConditions,
  checkedPace,
  OptionsError,
  type RedriveStart,
} from '@oncekey/core'
import { wholeNumber } from '@oncekey/core/options'
import { type Statement, startRedriveOf } from '@oncekey/postgres/client'
import { endpointOf } from '../endpoints/endpoint.ts'
import type { ResolvedOptions } from '../options/options.ts'
import type { DeliveryJson } from '../statements/deliveries.ts'
import {
  type AttemptJson,
  findDelivery,
  listDeliveries,
  retryDelivery,
} from '../statements/deliveries.ts'
import { findEndpoint } from '../statements/endpoints.ts'
import { isDeliveryId, isUuid } from '../statements/ids.ts'
import { firstRow, runStatement } from '../statements/run-statement.ts'
import { redriveOfWindow, type WindowFilter } from '../statements/window-redrive.ts'
import { deliveryRequest, type WebhookRequest } from './delivery-request.ts'

/** One event for one endpoint. */
export interface WebhookDelivery {
  readonly id: string
  /** The event's id, sent as `webhook-id`. */
  readonly eventId: string
  readonly type: string
  readonly endpointId: string
  /**
   * `pending`: to be sent or retried. `dead`: given up until it is redriven. `discarded`: an
   * operator decided that it is never to be sent. `ended`: its endpoint was deleted, or disabled
   * for too long.
   */
  readonly state: 'pending' | 'delivered' | 'dead' | 'discarded' | 'ended'
  /** Why it is dead or ended: `permanent`, `exhausted`, `poison`, `endpoint-deleted`, `expired`. */
  readonly reason: string | null
  /** A word for how the last attempt failed: `timeout`, `status 500`. */
  readonly error: string | null
  readonly attempts: number
  readonly redrives: number
  readonly dueAt: Date | null
  readonly isUnderWay: boolean
  readonly createdAt: Date
  readonly endedAt: Date | null
}

export interface WebhookDeliveryDetail extends WebhookDelivery {
  /** The body that is sent, byte for byte. */
  readonly payload: string
  /**
   * The last hundred attempts that have ended, in their order. Of attempts in a row that sent
   * nothing because of a fault on our side, such as a proxy that is down, it has the last one.
   */
  readonly history: readonly WebhookAttempt[]
}

export interface WebhookAttempt {
  readonly number: number
  readonly startedAt: Date
  readonly durationMs: number
  readonly status: number | null
  readonly error: string | null
  readonly message: string | null
  /** The beginning of the answer's body. */
  readonly body: string
  readonly isTruncated: boolean
}

export interface DeliveryFilter {
  readonly endpointId?: string
  readonly eventId?: string
  readonly state?: WebhookDelivery['state']
  /** The id of the last delivery of the previous page. */
  readonly before?: string
  /** @default 100 */
  readonly limit?: number
}

export interface Deliveries {
  /** Lists deliveries, the newest first. */
  list(filter?: DeliveryFilter): Promise<WebhookDelivery[]>
  get(id: string): Promise<WebhookDeliveryDetail | undefined>
  /**
   * The delivery as the request that would be sent at this moment, with its signature. Resolves
   * with `undefined` if there is no such delivery, or if its endpoint was deleted.
   */
  request(id: string): Promise<WebhookRequest | undefined>
  /**
   * Schedules a delivery for now and begins its retry schedule anew. This replaces a scheduled try,
   * redrives a dead letter, or sends a delivered one again. Resolves with `held` if the endpoint is
   * paused or disabled (it is sent when that ends), with `under-way` if it is being sent at this
   * moment, with `ended` if it no longer has an endpoint, and with `undefined` if there is no such
   * delivery.
   */
  retry(id: string, by?: ActedBy): Promise<'scheduled' | 'held' | 'under-way' | 'ended' | undefined>
  /**
   * Sends the messages of a period to one endpoint once more: those that it has received, those
   * that are dead, and those that it was not sent because it was registered later. Deliveries that
   * are pending or were discarded are left as they are. This is a redrive on record, which workers
   * carry at its rate. Returns the redrive's id, or `undefined` if there is no such
   * endpoint. Throws `OptionsError`.
   */
  replay(window: WindowFilter, pace?: RedriveStart & ActedBy): Promise<string | undefined>
}

/** The deliveries of all endpoints, or of one customer's. */
export function deliveries(
  options: ResolvedOptions,
  scheduled: () => void,
  customer: string | null = null,
): Deliveries {
  const { schema } = options
  return {
    async list({ endpointId, eventId, state, before, limit = 100 } = {}) {
      for (const [name, id] of Object.entries({ endpointId, eventId })) {
        if (id !== undefined && !isUuid(id))
          throw new OptionsError(`${name}: "${id}" is not an id.`)
      }
      if (before !== undefined && !isDeliveryId(before)) {
        throw new OptionsError(`before: "${before}" is not the id of a delivery.`)
      }
      const statement = listDeliveries(schema, {
        endpointId: endpointId ?? null,
        eventId: eventId ?? null,
        state: state ?? null,
        customer,
        before: before ?? null,
        limit: wholeNumber('limit', limit, 1),
      })
      return (await runStatement(options, statement)).map(({ delivery }) => deliveryOf(delivery))
    },

    async get(id) {
      if (!isDeliveryId(id)) return undefined
      const row = await firstRow(options, findDelivery(schema, id))
      if (row === undefined) return undefined
      const attempts: AttemptJson[] = JSON.parse(row.attempts ?? '[]')
      return {
        ...deliveryOf(row.delivery),
        payload: row.body,
        history: attempts.map((attempt) => ({
          ...attempt,
          startedAt: new Date(attempt.startedAt),
          body: Buffer.from(attempt.body ?? '', 'base64').toString(),
        })),
      }
    },

    request: async (id) => (isDeliveryId(id) ? deliveryRequest(options, id) : undefined),

    async retry(id, by) {
      if (!isDeliveryId(id)) return undefined
      const row = await firstRow(
        options,
        retryDelivery(schema, id, actedBy('deliveries.retry', by)),
      )
      scheduled()
      return row?.outcome as Awaited<ReturnType<Deliveries['retry']>>
    },

    async replay(window, { actor, note, requestId, ...pace } = {}) {
      const { endpointId, since, until } = checkedWindow(window)
      const by = { ...(actor !== undefined && { actor }), ...(note !== undefined && { note }) }
      const row = isUuid(endpointId)
        ? await firstRow(options, findEndpoint(schema, endpointId))
        : undefined
      if (row === undefined || endpointOf(row).status === 'deleted') return undefined
      const filter = { endpointId, since, ...(until !== undefined && { until }) }
      const ask = <Row>(statement: Statement<Row>) => runStatement(options, statement)
      const start = startRedriveOf(ask, schema, redriveOfWindow(schema))
      const named = requestId === undefined ? undefined : nameOf(requestId, customer)
      const id = await start(filter, { ...checkedPace({}, pace), requestId: named }, by)
      scheduled()
      return id
    },
  }
}

/** Names that customers choose never meet: each customer has their own. */
function nameOf(requestId: string, customer: string | null): string {
  if (customer === null || typeof requestId !== 'string' || requestId === '') return requestId
  return hash('sha256', JSON.stringify([customer, requestId]))
}

function checkedWindow(window: WindowFilter): WindowFilter {
  // An `until` that did not come would be none, so that the window had no end.
  const { endpointId, since, until } = checkedConditions('replay', window, [
    'endpointId',
    'since',
    'until',
  ])
  for (const [name, time] of Object.entries({ since, until })) {
    const isTime = time instanceof Date && Number.isFinite(time.getTime())
    if (isTime || (name === 'until' && time === undefined)) continue
    throw new OptionsError(`replay: ${name} must be a Date, such as new Date('2026-11-29T10:00Z').`)
  }
  if (until !== undefined && until <= since) {
    throw new OptionsError('replay: until must be later than since.')
  }
  return { endpointId, since, ...(until !== undefined && { until }) }
}

function deliveryOf(delivery: string): WebhookDelivery {
  const json: DeliveryJson = JSON.parse(delivery)
  return {
    ...json,
    dueAt: json.dueAt === null ? null : new Date(json.dueAt),
    createdAt: new Date(json.createdAt),
    endedAt: json.endedAt === null ? null : new Date(json.endedAt),
  }
}

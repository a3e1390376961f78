import { OptionsError } from '@oncekey/core'
import { type ResolvedOptions, whole } from './options.ts'
import { firstRow, runStatement } from './run-statement.ts'
import { isDeliveryId, isUuid } from './statements/dead-letter-predicate.ts'
import type { DeliveryJson } from './statements/delivery-row.ts'
import { type AttemptJson, findDelivery } from './statements/find-delivery.ts'
import { listDeliveries } from './statements/list-deliveries.ts'
import { retryDelivery } from './statements/retry-delivery.ts'

/** One event for one endpoint. */
export interface WebhookDelivery {
  readonly id: string
  /** The event's, which is `webhook-id`. */
  readonly eventId: string
  readonly type: string
  readonly endpointId: string
  /**
   * `pending`: to be sent, or sent again. `dead`: given up, until it is redriven. `discarded`: dead,
   * and somebody said that it should stay so. `ended`: its endpoint was deleted, or disabled for long.
   */
  readonly state: 'pending' | 'delivered' | 'dead' | 'discarded' | 'ended'
  /** Why it is dead or ended: `permanent`, `exhausted`, `poison`, `endpoint-deleted`, `expired`. */
  readonly reason: string | null
  /** What the last attempt came to, in a word: `timeout`, `status 500`. */
  readonly error: string | null
  readonly attempts: number
  readonly redrives: number
  readonly dueAt: Date | null
  readonly isUnderWay: boolean
  readonly createdAt: Date
  readonly endedAt: Date | null
}

export interface WebhookDeliveryDetail extends WebhookDelivery {
  /** What is sent, to the byte. */
  readonly payload: string
  /** Those that came to an end, the first of them first. */
  readonly history: readonly WebhookAttempt[]
}

export interface WebhookAttempt {
  readonly number: number
  readonly startedAt: Date
  readonly durationMs: number
  readonly status: number | null
  readonly error: string | null
  readonly message: string | null
  /** The beginning of the answer. */
  readonly body: string
  readonly isTruncated: boolean
}

export interface DeliveryFilter {
  readonly endpointId?: string
  readonly eventId?: string
  readonly state?: WebhookDelivery['state']
  /** The id of the last one of the page before. */
  readonly before?: string
  /** @default 100 */
  readonly limit?: number
}

export interface Deliveries {
  /** The newest first. */
  list(filter?: DeliveryFilter): Promise<WebhookDelivery[]>
  get(id: string): Promise<WebhookDeliveryDetail | undefined>
  /**
   * Has it sent now, with a schedule that begins anew: in place of the try that was scheduled, out of
   * the dead letters, or once more although it was delivered. `under-way`: it is being sent at this
   * moment; `held`: its endpoint is paused or disabled, and it goes when that ends; `ended`: there is
   * nowhere to send it any more. `undefined` where there is none of that id.
   */
  retry(id: string): Promise<'scheduled' | 'held' | 'under-way' | 'ended' | undefined>
}

/** Of everybody, or of one customer's endpoints. */
export function deliveries(
  options: ResolvedOptions,
  scheduled: () => void,
  customer: string | null = null,
): Deliveries {
  const { schema } = options
  return {
    async list({ endpointId, eventId, state, before, limit = 100 } = {}) {
      for (const [name, id] of Object.entries({ endpointId, eventId })) {
        if (id !== undefined && !isUuid(id)) throw new OptionsError(`${name}: "${id}" is no id.`)
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
        limit: whole('limit', limit, 1),
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

    async retry(id) {
      if (!isDeliveryId(id)) return undefined
      const row = await firstRow(options, retryDelivery(schema, id))
      scheduled()
      return row?.outcome as Awaited<ReturnType<Deliveries['retry']>>
    },
  }
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

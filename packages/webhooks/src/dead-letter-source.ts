import type {
  AttemptError,
  DeadLetter,
  DeadLetterSource,
  DeadReason,
  Resolution,
} from '@oncekey/core'
import type { ResolvedOptions } from './options.ts'
import { firstRow, runStatement } from './run-statement.ts'
import { countDeadLetters } from './statements/count-dead-letters.ts'
import { isDeliveryId } from './statements/dead-letter-predicate.ts'
import type { DeadLetterJson } from './statements/dead-letter-row.ts'
import { deadLetterStats, type StatsJson } from './statements/dead-letter-stats.ts'
import { deliveryStates } from './statements/delivery-states.ts'
import { discardDeadLetters } from './statements/discard-dead-letters.ts'
import { findDeadLetter } from './statements/find-dead-letter.ts'
import { type AttemptJson, findDelivery } from './statements/find-delivery.ts'
import { listDeadLetters } from './statements/list-dead-letters.ts'
import { redriveDeadLetters } from './statements/redrive-dead-letters.ts'

/** Deliveries that were given up, as `deadLetters()` of `@oncekey/outbox` takes them; their origin is the endpoint. */
export function deadLetterSource(
  options: ResolvedOptions,
  scheduled: () => void,
): DeadLetterSource {
  const { schema } = options
  return {
    name: 'webhooks',

    async list(filter, page) {
      const rows = await runStatement(options, listDeadLetters(schema, filter, page))
      return {
        items: rows.map(({ letter }) => deadLetterOf(JSON.parse(letter))),
        next: rows.length === page.limit ? rows.at(-1)?.place : undefined,
      }
    },

    async get(id) {
      if (!isDeliveryId(id)) return undefined
      const row = await firstRow(options, findDeadLetter(schema, id))
      if (row === undefined) return undefined
      const delivery = await firstRow(options, findDelivery(schema, id))
      const attempts: AttemptJson[] = JSON.parse(delivery?.attempts ?? '[]')
      return {
        ...deadLetterOf(JSON.parse(row.letter)),
        source: row.source,
        data: JSON.stringify(JSON.parse(row.body).data),
        headers: JSON.parse(row.headers),
        history: attempts.flatMap(({ number, startedAt, durationMs, ...attempt }) => {
          const error = errorOf(attempt)
          if (error === null) return []
          return [{ number, startedAt: new Date(startedAt), durationMs, error }]
        }),
      }
    },

    async count(filter) {
      const row = await firstRow(options, countDeadLetters(schema, filter))
      return Number(row?.count)
    },

    async redrive(filter, { limit }) {
      const rows = await runStatement(options, redriveDeadLetters(schema, filter, limit))
      const redriven = rows.map(({ id }) => id)
      scheduled()
      const refused = await resolved((filter.ids ?? []).filter((id) => !redriven.includes(id)))
      return { redriven, refused }
    },

    async discard(ids, note) {
      const valid = ids.filter(isDeliveryId)
      const rows = await runStatement(options, discardDeadLetters(schema, valid, note))
      const discarded = new Set(rows.map(({ id }) => id))
      const others = await resolved(ids.filter((id) => !discarded.has(id)))
      return [...[...discarded].map((id) => ({ id, outcome: 'discarded' as const })), ...others]
    },

    async stats() {
      const row = await firstRow(options, deadLetterStats(schema))
      const stats: StatsJson = JSON.parse(row?.stats ?? '')
      return {
        depth: stats.depth,
        oldestAgeMs: stats.oldestAgeMs === null ? null : Math.round(stats.oldestAgeMs),
        arrivedPerMinute: stats.arrived / 60,
        drainedPerMinute: stats.drained / 60,
        groups: stats.groups.map(({ sample, message, ...group }) => ({
          ...group,
          oldestAt: new Date(group.oldestAt),
          newestAt: new Date(group.newestAt),
          sample: { id: sample, name: NAME, message: message ?? group.fingerprint },
        })),
      }
    },
  }

  async function resolved(ids: readonly string[]): Promise<Resolution[]> {
    if (ids.length === 0) return []
    const rows = await runStatement(options, deliveryStates(schema, ids.filter(isDeliveryId)))
    const states = new Map(rows.map(({ id, state }) => [id, state]))
    return ids.map((id) => ({ id, outcome: OUTCOMES[states.get(id) ?? ''] ?? 'unknown' }))
  }
}

const OUTCOMES: Readonly<Record<string, Resolution['outcome']>> = {
  pending: 'retrying',
  delivered: 'already-done',
  discarded: 'already-discarded',
  ended: 'already-discarded',
  dead: 'not-matched',
}

function deadLetterOf(json: DeadLetterJson): DeadLetter {
  const isRetrying = json.state === 'pending'
  const isDead = json.state === 'dead'
  const error = errorOf({ ...json, isTruncated: true })
  const { id, origin, eventId, type, subject, reason, attempts, redrives, note } = json
  return {
    id,
    origin,
    state: isDead ? 'dead' : isRetrying ? 'retrying' : 'resolved',
    eventId,
    type,
    subject,
    reason: isDead ? (reason as DeadReason) : null,
    error,
    attempts,
    redrives,
    occurredAt: new Date(json.occurredAt),
    firstFailedAt: new Date(json.firstFailedAt),
    deadAt: new Date(json.deadAt),
    resolution: isDead ? null : isRetrying || json.state === 'delivered' ? 'redriven' : 'discarded',
    note: note ?? (json.state === 'ended' ? reason : null),
  }
}

/** A receiver's refusal as an error: the status, and the beginning of what it said. */
function errorOf({
  error,
  status,
  message,
  body,
}: Pick<
  AttemptJson,
  'error' | 'status' | 'message' | 'body' | 'isTruncated'
>): AttemptError | null {
  if (error === null) return null
  const said = Buffer.from(body ?? '', 'base64')
    .toString()
    .slice(0, 200)
  return {
    name: NAME,
    message: message ?? (said === '' ? error : `${error}: ${said}`),
    code: status === null ? error : String(status),
    stack: null,
    fingerprint: error,
  }
}

const NAME = 'WebhookError'

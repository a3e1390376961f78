import {
  type AttemptError,
  actedBy,
  boundedPage,
  checkedFilter,
  checkedRetryingFilter,
  checkJsonText,
  type DeadLetter,
  type DeadLetterSource,
  type DeadReason,
  jsonChanges,
  newEventId,
  type Resolution,
  resolvedAfter,
  rowsToRead,
} from '@oncekey/core'
import { redrivesOf } from '@oncekey/postgres/client'
import { dataOf, webhookBody } from '../delivery/webhook-body.ts'
import type { ResolvedOptions } from '../options/options.ts'
import { redriveOfDeliveries } from '../statements/dead-letter-redrive.ts'
import { deadLetterStats, type StatsJson } from '../statements/dead-letter-stats.ts'
import type { DeadLetterJson } from '../statements/dead-letters.ts'
import {
  countDeadLetters,
  discardDeadLetters,
  findDeadLetter,
  listDeadLetters,
  listRetrying,
  redriveDeadLetters,
} from '../statements/dead-letters.ts'
import { type AttemptJson, deliveryStates, findDelivery } from '../statements/deliveries.ts'
import { isDeliveryId, isUuid } from '../statements/ids.ts'
import { replaceDeadLetter } from '../statements/replace-dead.ts'
import { firstRow, runStatement } from '../statements/run-statement.ts'
import { redriveOfWindow } from '../statements/window-redrive.ts'

/**
 * Dead deliveries, for `deadLetters()` of `@oncekey/outbox`. The origin of a dead letter is its
 * endpoint.
 */
export function deadLetterSource(
  options: ResolvedOptions,
  scheduled: () => void,
): DeadLetterSource {
  const { schema } = options
  return {
    name: 'webhooks',

    redrives: redrivesOf(
      (statement) => runStatement(options, statement),
      schema,
      [redriveOfDeliveries(schema), redriveOfWindow(schema)],
      scheduled,
    ),

    async list(filter, page) {
      const rows = await runStatement(
        options,
        listDeadLetters(schema, checkedFilter('list', filter), page),
      )
      const letters = rows.flatMap(({ letter }) => (letter === null ? [] : [letter]))
      const last = letters.length === page.limit ? rows.at(-1)?.page_token : rows[0]?.looked_to
      return {
        items: letters.map((letter) => deadLetterOf(JSON.parse(letter))),
        next: last ?? undefined,
      }
    },

    async listRetrying(filter, { limit, after }) {
      checkedRetryingFilter('listRetrying', filter)
      if (filter.origin !== undefined && !isUuid(filter.origin)) return EMPTY_PAGE
      const read = rowsToRead(limit)
      const rows = await runStatement(options, listRetrying(schema, filter, read, after))
      const isMeant = (row: (typeof rows)[number]): boolean => row.is_meant === 'true'
      const { shown, last } = boundedPage(rows, { read, limit, isMeant })
      return {
        items: shown.map(({ letter }) => deadLetterOf(JSON.parse(letter))),
        next: last?.page_token,
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
        data: dataOf(row.whole_body),
        replaces: row.replaces,
        replacedBy: row.replaced_by,
        headers: JSON.parse(row.headers),
        history: attempts.flatMap(({ number, startedAt, durationMs, ...attempt }) => {
          const error = errorOf(attempt)
          if (error === null) return []
          return [{ number, startedAt: new Date(startedAt), durationMs, error }]
        }),
      }
    },

    async count(filter) {
      const row = await firstRow(options, countDeadLetters(schema, checkedFilter('count', filter)))
      return Number(row?.count)
    },

    async redrive(filter, { limit, ...given }) {
      const by = actedBy('redrive', given)
      checkedFilter('redrive', filter)
      const rows = await runStatement(options, redriveDeadLetters(schema, filter, limit, by))
      const redriven = rows.map(({ id }) => id)
      scheduled()
      const others = (filter.ids ?? []).filter((id) => !redriven.includes(id))
      return { redriven, refused: await resolvedAfter(redriven, others, outcomesOf) }
    },

    async discard(ids, note, given) {
      const by = actedBy('discard', given)
      const valid = ids.filter(isDeliveryId)
      const rows = await runStatement(options, discardDeadLetters(schema, valid, note, by))
      const discarded = new Set(rows.map(({ id }) => id))
      const left = ids.filter((id) => !discarded.has(id))
      const others = await resolvedAfter(rows, left, outcomesOf)
      return [...[...discarded].map((id) => ({ id, outcome: 'discarded' as const })), ...others]
    },

    async replace(id, data, given) {
      checkJsonText('replace', data)
      const by = actedBy('replace', given)
      const found = isDeliveryId(id)
        ? await firstRow(options, findDeadLetter(schema, id))
        : undefined
      if (found !== undefined) {
        const letter: DeadLetterJson = JSON.parse(found.letter)
        const { type } = letter
        const body = webhookBody({ type, occurredAt: new Date(letter.occurredAt), json: data })
        const messageId = newEventId()
        const changes = JSON.stringify(jsonChanges(dataOf(found.whole_body), data))
        const replacement = { id, messageId, body, changes, ...by }
        const made = await firstRow(options, replaceDeadLetter(schema, replacement))
        scheduled()
        if (made !== undefined) return { outcome: 'replaced', id: made.id, eventId: messageId }
      }
      const [state] = await outcomesOf([id])
      const outcome = state?.outcome ?? 'unknown'
      return { outcome: outcome === 'discarded' ? 'already-discarded' : outcome }
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

  async function outcomesOf(ids: readonly string[]): Promise<Resolution[]> {
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
    deadAt: json.deadAt === null ? null : new Date(json.deadAt),
    dueAt: json.dueAt === null ? null : new Date(json.dueAt),
    resolution: resolutionOf(json),
    note: note ?? (json.state === 'ended' ? reason : null),
  }
}

/** A delivery that was dead, and is pending or delivered at present, was redriven. */
function resolutionOf({ state, deadAt, isReplaced }: DeadLetterJson): DeadLetter['resolution'] {
  if (state === 'dead' || deadAt === null) return null
  if (isReplaced) return 'replaced'
  return state === 'pending' || state === 'delivered' ? 'redriven' : 'discarded'
}

/** A receiver's refusal in the form of an error: the status and the beginning of the answer. */
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
    ...(message === null && said !== '' && { quotes: 'response' as const }),
  }
}

const NAME = 'WebhookError'

const EMPTY_PAGE = { items: [], next: undefined }

import {
  actedBy,
  boundedPage,
  checkedFilter,
  checkedRetryingFilter,
  checkJsonText,
  type DeadLetter,
  type DeadLetterDetail,
  type DeadLetterSource,
  type DeadReason,
  jsonChanges,
  newEventId,
  type Resolution,
  resolvedAfter,
  rowsToRead,
} from '@oncekey/core'
import { redrivesOf } from '../operator/redrives/redrives-of.ts'
import { pageToken, partsOfToken } from '../sql/page-token.ts'
import type { LogState } from './log-state.ts'
import { isId } from './statements/dead-letter-filter.ts'
import { redriveOfConsumers } from './statements/dead-letter-redrive.ts'
import {
  countDead,
  deadGroups,
  deadStats,
  discardDead,
  listDead,
  redriveDead,
} from './statements/dead-letters.ts'
import {
  type AttemptJson,
  type DeliveryRow,
  deliveryStates,
  findDelivery,
  listRetrying,
  type RetryingCursor,
} from './statements/delivery-list.ts'
import { replaceDead } from './statements/replace-dead.ts'

/** The dead letters of the log's consumers: deliveries that are `dead`. */
export function logDeadLetters<Tx>({ ask, schema }: LogState<Tx>): DeadLetterSource {
  return {
    name: 'consumers',

    redrives: redrivesOf((statement) => ask(statement), schema, [redriveOfConsumers(schema)]),

    async list(filter, { limit, after }) {
      const [deadAt, id] = after?.split('.') ?? []
      const from = deadAt === undefined || id === undefined ? undefined : ([deadAt, id] as const)
      const rows = await ask(listDead(schema)(checkedFilter('list', filter), limit, from))
      const letters = rows.flatMap((row) => (row.id === null ? [] : [{ ...row, id: row.id }]))
      const last = letters.length === limit ? letters.at(-1) : undefined
      return {
        items: letters.map(deadLetterOf),
        next: last ? `${last.dead_at_exact}.${last.id}` : (rows[0]?.looked_to ?? undefined),
      }
    },

    async listRetrying(filter, { limit, after }) {
      checkedRetryingFilter('listRetrying', filter)
      const read = rowsToRead(limit)
      const [consumer, slot, dueAt, id] =
        after === undefined ? [] : partsOfToken('listRetrying', after, [4])
      const cursor: RetryingCursor | undefined =
        consumer === undefined ? undefined : [consumer, slot ?? '', dueAt ?? '', id ?? '']
      const rows = await ask(listRetrying(schema)(filter, read, cursor))
      const isMeant = (row: (typeof rows)[number]): boolean => row.is_meant === 'true'
      const { shown, last } = boundedPage(rows, { read, limit, isMeant })
      return {
        items: shown.map(deadLetterOf),
        next: last && pageToken([last.consumer, last.slot, last.due_exact, last.id]),
      }
    },

    async get(id) {
      if (!isId(id)) return undefined
      const [row] = await ask(findDelivery(schema)(id))
      if (row === undefined) return undefined
      const history: readonly AttemptJson[] = JSON.parse(row.history)
      const detail: DeadLetterDetail = {
        ...deadLetterOf(row),
        source: row.source,
        replaces: row.replaces,
        replacedBy: row.replaced_by,
        data: row.data,
        headers: JSON.parse(row.headers),
        history: history.map(({ number, started_at, duration_ms, ...error }) => ({
          number,
          startedAt: new Date(started_at),
          durationMs: duration_ms,
          error,
        })),
      }
      return detail
    },

    async count(filter) {
      const [row] = await ask(countDead(schema)(checkedFilter('count', filter)))
      return Number(row?.count)
    },

    async redrive(filter, { limit, ...given }) {
      const by = actedBy('redrive', given)
      checkedFilter('redrive', filter)
      const rows = filter.retired === true ? [] : await ask(redriveDead(schema)(filter, limit, by))
      const redriven = rows.filter(({ outcome }) => outcome === 'redriven').map(({ id }) => id)
      const done = rows
        .filter(({ outcome }) => outcome === 'already-done')
        .map(({ id }): Resolution => ({ id, outcome: 'already-done' }))
      const touched = new Set(rows.map(({ id }) => id))
      const left = (filter.ids ?? []).filter((id) => !touched.has(id))
      const others = await resolvedAfter(redriven, left, statesOf)
      return { redriven, refused: [...done, ...others] }
    },

    async discard(ids, note, given) {
      const by = actedBy('discard', given)
      const rows = await ask(discardDead(schema)(ids.filter(isId), note, by))
      const discarded = new Set(rows.map(({ id }) => id))
      const others = ids.filter((id) => !discarded.has(id))
      return [
        ...rows.map(({ id }): Resolution => ({ id, outcome: 'discarded' })),
        ...(await resolvedAfter(rows, others, statesOf)),
      ]
    },

    async replace(id, data, given) {
      checkJsonText('replace', data)
      const by = actedBy('replace', given)
      const [found] = isId(id) ? await ask(findDelivery(schema)(id)) : []
      const eventId = newEventId()
      const changes = JSON.stringify(found === undefined ? [] : jsonChanges(found.data, data))
      const [made] =
        found === undefined
          ? []
          : await ask(replaceDead(schema)({ id, eventId, data, changes, ...by }))
      if (made !== undefined) return { outcome: 'replaced', id: made.id, eventId }
      const [state] = await statesOf([id])
      const outcome = state?.outcome ?? 'unknown'
      return { outcome: outcome === 'discarded' ? 'already-discarded' : outcome }
    },

    async stats() {
      const [[stats], groups] = await Promise.all([ask(deadStats(schema)), ask(deadGroups(schema))])
      return {
        depth: Number(stats?.depth),
        oldestAgeMs: stats?.oldest_age_ms == null ? null : Number(stats.oldest_age_ms),
        arrivedPerMinute: Number(stats?.arrived) / 60,
        drainedPerMinute: Number(stats?.drained) / 60,
        groups: groups.map((row) => ({
          origin: row.consumer,
          fingerprint: row.fingerprint,
          count: Number(row.count),
          oldestAt: new Date(Number(row.oldest_at)),
          newestAt: new Date(Number(row.newest_at)),
          sample: { id: row.sample, name: row.name ?? '', message: row.message ?? '' },
        })),
      }
    },
  }

  async function statesOf(ids: readonly string[]): Promise<Resolution[]> {
    if (ids.length === 0) return []
    const rows = await ask(deliveryStates(schema)(ids.filter(isId)))
    const states = new Map(rows.map((row) => [row.id, row]))
    return ids.map((id): Resolution => {
      const row = states.get(id)
      if (row === undefined) return { id, outcome: 'unknown' }
      if (row.state === 'retrying') return { id, outcome: 'retrying' }
      if (row.state === 'dead') return { id, outcome: 'not-matched' }
      if (row.state === 'retired') return { id, outcome: 'retired' }
      return { id, outcome: row.resolution === 'discarded' ? 'already-discarded' : 'already-done' }
    })
  }
}

function deadLetterOf(row: DeliveryRow): DeadLetter {
  return {
    id: row.id,
    origin: row.consumer,
    state: row.state,
    eventId: row.event_id,
    type: row.type,
    subject: row.subject,
    reason: row.reason as DeadReason | null,
    error:
      row.error_name === null
        ? null
        : {
            name: row.error_name,
            message: row.error_message ?? '',
            code: row.error_code,
            fingerprint: row.fingerprint ?? '',
          },
    attempts: Number(row.attempts),
    redrives: Number(row.redrives),
    occurredAt: new Date(Number(row.occurred_at)),
    firstFailedAt: new Date(Number(row.first_failed_at)),
    deadAt: row.dead_at === null ? null : new Date(Number(row.dead_at)),
    dueAt: row.due_at === null ? null : new Date(Number(row.due_at)),
    resolution: row.resolution as DeadLetter['resolution'],
    note: row.note,
  }
}

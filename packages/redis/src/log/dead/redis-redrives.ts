import {
  boundedPage,
  checkedAct,
  checkedPace,
  checkedRequestId,
  checkPageLimit,
  checkSameStart,
  type DeadLetterFilter,
  OptionsError,
  type Redrive,
  type Redrives,
  rowsToRead,
} from '@oncekey/core'
import { actedIn } from '../acts/acted-in.ts'
import { allSlots } from '../keys/slot-keys.ts'
import { lastDeathScript } from '../scripts/dead/last-death.ts'
import {
  cancelRedriveScript,
  findRedrivesScript,
  listPortionsScript,
  startRedriveScript,
} from '../scripts/redrives/redrive-records.ts'
import type { LogState } from '../state/log-state.ts'
import { carryRedrives } from './carry-redrives.ts'

/** Redrives on record in Redis. The letters of a redrive may be on any node of a cluster. */
export function redisRedrives(
  log: LogState,
  count: (filter: DeadLetterFilter) => Promise<number>,
): Redrives {
  return {
    async start(filter, { requestId: named, ...given }, by) {
      const { ratePerSecond, limit } = checkedPace(filter, given)
      const requestId = checkedRequestId(named)
      const { actor, note } = actedIn('redrives.start', by)
      const matched = await count(filter)
      const last = await log.askSlots(lastDeathScript, allSlots, (slots) => ({ slots }))
      const asked = JSON.parse(JSON.stringify(filter))
      const id = await log.ask(startRedriveScript, {
        requestId,
        filter: JSON.stringify(asked),
        rate: ratePerSecond,
        most: limit,
        matched,
        actor,
        note,
        lastDeathUs: Math.max(...last),
        detail: JSON.stringify({
          source: 'consumers',
          kind: 'dead-letters',
          filter: asked,
          matched,
        }),
      })
      const known = requestId === undefined ? undefined : await find(log, id)
      if (requestId !== undefined && known !== undefined) {
        checkSameStart(known, { kind: 'dead-letters', filter: asked, limit })
      }
      return id
    },

    carry: () => carryRedrives(log),

    get: (id) => find(log, id),

    async list({ source = 'consumers', state }, { limit, after }) {
      checkPageLimit('redrives.list', limit)
      const last = after === undefined ? undefined : numberIn('redrives.list', after) - 1
      const read = rowsToRead(limit)
      const rows = last === 0 ? [] : await log.ask(findRedrivesScript, { from: last, count: read })
      const isMeant = (each: Redrive): boolean =>
        source === each.source && (state === undefined || state === each.state)
      const page = boundedPage(rows, { read, limit, isMeant })
      return { items: page.shown, next: page.last?.id }
    },

    async portions(id, { limit, after }) {
      checkPageLimit('redrives.portions', limit)
      const skip = after === undefined ? 0 : numberIn('redrives.portions', after)
      if (!isId(id)) return { items: [], next: undefined, last: undefined }
      const rows = await log.ask(listPortionsScript, { id, skip, count: limit })
      const last = rows.length === 0 ? undefined : String(skip + rows.length)
      return {
        last,
        items: rows.map(({ at, taken }) => ({ at: new Date(at), ...JSON.parse(taken) })),
        next: rows.length === limit ? last : undefined,
      }
    },

    async cancel(id, act) {
      const { actor, note } = checkedAct('redrives.cancel', act)
      return isId(id) ? await log.ask(cancelRedriveScript, { id, actor, note }) : 'unknown'
    },
  }
}

async function find(log: LogState, id: string): Promise<Redrive | undefined> {
  if (!isId(id)) return undefined
  const [found] = await log.ask(findRedrivesScript, { from: Number(id), count: 1 })
  return found
}

function isId(id: string): boolean {
  return /^[1-9]\d{0,14}$/.test(id)
}

function numberIn(list: string, token: string): number {
  if (isId(token)) return Number(token)
  throw new OptionsError(`${list}: \`after\` must be the \`next\` of a page of the same list.`)
}

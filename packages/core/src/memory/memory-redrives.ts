import { actedBy, actTarget, checkedAct } from '../acts/act.ts'
import type { DeadLetterFilter } from '../contracts/dead-letter-filter.ts'
import { checkPageLimit } from '../contracts/keys.ts'
import {
  checkedPace,
  checkedRequestId,
  checkSameStart,
  type Redrive,
  type RedrivePortion,
  type Redrives,
} from '../contracts/redrives.ts'
import type { Resolution } from '../contracts/resolution.ts'
import type { MemoryDelivery } from './memory-deliveries.ts'
import type { MemoryTrail } from './memory-trail.ts'

/** A redrive with how far it has come. */
interface Kept {
  redrive: Redrive
  readonly filter: DeadLetterFilter
  readonly requestId: string | undefined
  readonly startedAt: number
  nextAt: number
  /** The last letter that the redrive has looked at. */
  cursor: { readonly at: number; readonly id: number }
  readonly portions: RedrivePortion[]
}

/** The redrives of a memory log: all that are running, and at least the last 1,000 that ended. */
export function memoryRedrives(on: {
  now(): number
  readonly trail: MemoryTrail
  /** The dead letters that match, the oldest first. */
  meant(filter: DeadLetterFilter): readonly MemoryDelivery[]
  putBack(delivery: MemoryDelivery): 'redriven' | 'already-done'
}): Redrives {
  const { now, trail, meant, putBack } = on
  const all = new Map<string, Kept>()
  let ids = 0

  return {
    async start(filter, { requestId, ...given }, actedFor) {
      const pace = checkedPace(filter, given)
      const by = actedBy('redrives.start', actedFor)
      const asked = checkedRequestId(requestId)
      const known = [...all.values()].find((each) => asked && each.requestId === asked)
      if (asked !== undefined && known !== undefined) {
        checkSameStart(known.redrive, { kind: 'dead-letters', filter, limit: pace.limit })
        return known.redrive.id
      }
      ids += 1
      const id = String(ids)
      const startedAt = now()
      const redrive: Redrive = {
        id,
        source: 'consumers',
        kind: 'dead-letters',
        filter: JSON.parse(JSON.stringify(filter)),
        ...pace,
        state: 'running',
        matched: meant(filter).length,
        redriven: 0,
        refused: 0,
        actor: by.actor ?? 'this process',
        note: by.note ?? '',
        startedAt: new Date(startedAt),
        endedAt: null,
      }
      const cursor = { at: Number.NEGATIVE_INFINITY, id: 0 }
      const kept = { filter, requestId: asked, startedAt, nextAt: startedAt, cursor }
      all.set(id, { redrive, ...kept, portions: [] })
      forgetOldest()
      const { source, kind, matched } = redrive
      acted('redrives.start', id, by, { source, kind, filter: redrive.filter, matched })
      return id
    },

    async carry() {
      let redriven = 0
      for (const kept of running()) if (dueAt(kept) <= now()) redriven += carryPortion(kept)
      const left = running().map(dueAt)
      return { redriven, nextInMs: left.length === 0 ? null : Math.ceil(Math.min(...left) - now()) }
    },

    get: async (id) => all.get(id)?.redrive,

    async list({ source, state }, { limit, after }) {
      checkPageLimit('redrives.list', limit)
      const found = [...all.values()]
        .map(({ redrive }) => redrive)
        .filter(({ id }) => after === undefined || Number(id) < Number(after))
        .filter((each) => (source ?? each.source) === each.source)
        .filter((each) => (state ?? each.state) === each.state)
        .reverse()
      const items = found.slice(0, limit)
      return { items, next: found.length > limit ? items.at(-1)?.id : undefined }
    },

    async portions(id, { limit, after = '0' }) {
      checkPageLimit('redrives.portions', limit)
      const portions = all.get(id)?.portions ?? []
      const start = Number(after)
      const items = portions.slice(start, start + limit)
      const last = items.length === 0 ? undefined : String(start + items.length)
      return { items, last, next: start + items.length < portions.length ? last : undefined }
    },

    async cancel(id, act) {
      const by = checkedAct('redrives.cancel', act)
      const kept = all.get(id)
      if (kept === undefined) return 'unknown'
      if (kept.redrive.state !== 'running') return 'over'
      kept.redrive = { ...kept.redrive, state: 'cancelled', endedAt: new Date(now()) }
      const { matched, redriven } = kept.redrive
      acted('redrives.cancel', id, by, { matched, redriven })
      return 'cancelled'
    },
  }

  /** Takes the next letters behind the cursor, moves it and counts, without an await. */
  function carryPortion(kept: Kept): number {
    const { redrive, filter, startedAt, cursor } = kept
    const { ratePerSecond, limit } = redrive
    const most = limit === null ? Number.POSITIVE_INFINITY : limit - redrive.redriven
    const size = Math.max(1, Math.min(1_000, Math.ceil(ratePerSecond / 10), most))
    // After the clock was put back, a letter that dies again may have died before the start.
    const taken = new Set(kept.portions.flatMap(({ redriven }) => redriven))
    const left = meant(filter).filter((letter) => {
      const at = letter.deadAt ?? 0
      const isBehind = at > cursor.at || (at === cursor.at && Number(letter.id) > cursor.id)
      return isBehind && at <= startedAt && !taken.has(letter.id)
    })
    const picked = left.slice(0, size)
    const last = picked.at(-1)
    if (last !== undefined) kept.cursor = { at: last.deadAt ?? 0, id: Number(last.id) }

    const redriven: string[] = []
    const refused: Resolution[] = []
    for (const letter of picked) {
      if (putBack(letter) === 'redriven') redriven.push(letter.id)
      else refused.push({ id: letter.id, outcome: 'already-done' })
    }
    if (picked.length > 0) kept.portions.push({ at: new Date(now()), redriven, refused })
    kept.nextAt = Math.max(dueAt(kept), now() - 1_000) + (picked.length * 1_000) / ratePerSecond
    const isOver = picked.length === left.length || redriven.length >= most
    kept.redrive = {
      ...redrive,
      redriven: redrive.redriven + redriven.length,
      refused: redrive.refused + refused.length,
      ...(isOver && { state: 'done', endedAt: new Date(now()) }),
    }
    return redriven.length
  }

  /**
   * When the next portion is due. The rate limits how far ahead that can be; a time further ahead
   * is of a clock that was put back since.
   */
  function dueAt({ nextAt, redrive }: Kept): number {
    const furthest = now() + 10_000 + 1_000 / redrive.ratePerSecond
    return nextAt > furthest ? now() : nextAt
  }

  function running(): Kept[] {
    return [...all.values()].filter(({ redrive }) => redrive.state === 'running')
  }

  function forgetOldest(): void {
    if (all.size < 2 * MOST_KEPT) return
    const ended = [...all].filter(([, { redrive }]) => redrive.state !== 'running')
    for (const [id] of ended.slice(0, -MOST_KEPT)) all.delete(id)
  }

  function acted(
    act: string,
    id: string,
    by: ReturnType<typeof actedBy>,
    detail: Readonly<Record<string, unknown>>,
  ): void {
    trail.add({ atMs: now(), ...by, act, target: actTarget('redrive', id), detail })
  }
}

const MOST_KEPT = 1_000

import { randomUUID } from 'node:crypto'
import {
  checkedFilter,
  checkedRetryingFilter,
  type DeadLetterFilter,
  type DeadLetterSource,
  failedLetters,
  OncekeyError,
  type Resolution,
  resolvedAfter,
} from '@oncekey/core'
import { actedIn } from '../acts/acted-in.ts'
import { allSlots } from '../keys/slot-keys.ts'
import { countDeadScript } from '../scripts/dead/count-dead.ts'
import { discardDeadScript } from '../scripts/dead/discard-dead.ts'
import { redriveDeadScript } from '../scripts/dead/redrive-dead.ts'
import { type FoundDelivery, findDeliveriesScript } from '../scripts/deliveries/find-deliveries.ts'
import type { LogState, ToldBySlots } from '../state/log-state.ts'
import { eventOnFile } from '../state/logged-entry.ts'
import { deadGroups } from './dead-groups.ts'
import { deadInOrder, pageOfDead } from './dead-in-order.ts'
import { deadLetterOf, pastAttempt, triesOf } from './dead-letter.ts'
import type { DeadOne } from './dead-place.ts'
import { byConsumerInSlot, inPortions, slotsOf } from './dead-portions.ts'
import { consumersOf, listRetrying } from './list-retrying.ts'
import { redisRedrives } from './redis-redrives.ts'

/** The dead letters of the log's consumers: deliveries that are `dead`. */
export function logDeadLetters(log: LogState): DeadLetterSource {
  return {
    name: 'consumers',

    redrives: redisRedrives(log, count),

    list: async (filter, page) => pageOfDead(log, checkedFilter('list', filter), page),

    listRetrying: async (filter, page) =>
      listRetrying(log, checkedRetryingFilter('listRetrying', filter), page),

    async get(id) {
      const [found] = await find(log, [id])
      if (found === undefined) return undefined
      const { source, headers, data } = eventOnFile(found.event, found.data)
      const forgotten = triesOf(found) - found.tries.length
      return {
        ...deadLetterOf(found.slot, found),
        source,
        data,
        headers: JSON.parse(headers),
        history: found.tries.map((text, at) => pastAttempt(text, forgotten + at + 1)),
      }
    },

    count,

    async redrive(filter, { limit, ...given }) {
      const by = actedIn('redrive', given)
      checkedFilter('redrive', filter)
      const id = randomUUID()
      const taken: DeadOne[] = []
      const there = new Set(await consumersOf(log))
      if (limit > 0 && filter.retired !== true) {
        for await (const each of deadInOrder(log, filter)) {
          // If the consumer does not exist, an earlier release retired it and left its letters
          // unchanged.
          if (!there.has(each.letter.origin)) continue
          taken.push(each)
          if (taken.length === limit) break
        }
      }
      const groups = byConsumerInSlot(
        taken.map(({ slot, number, letter }) => ({ slot, number, consumer: letter.origin })),
      )
      const told = await soFar(inPortions(groups), (asked) =>
        log.askSlotsTold(redriveDeadScript, asked, (slots) => ({ ...by, id, slots })),
      )
      const outcomes = told.outcomes
      const redriven = new Set(
        outcomes.filter(({ outcome }) => outcome === 'redriven').map(({ id }) => id),
      )
      const meanwhile = outcomes.filter((each): each is Resolution => each.outcome !== 'redriven')
      const touched = new Set(outcomes.map(({ id }) => id))
      const untold = told.failed === undefined ? [] : taken.map(({ letter }) => letter.id)
      const failed = failedLetters(
        untold.filter((id) => !touched.has(id)),
        told.failed,
      )
      for (const { id } of failed) touched.add(id)
      const others = (filter.ids ?? []).filter((id) => !touched.has(id))
      const left = await resolvedAfter(outcomes, others, (ids) => statesOf(log, ids, there))
      return {
        redriven: taken.map(({ letter }) => letter.id).filter((id) => redriven.has(id)),
        refused: [...meanwhile, ...failed, ...left],
      }
    },

    async discard(ids, note, given) {
      const { actor } = actedIn('discard', given)
      const question = { note, actor, id: randomUUID() }
      const slotsAsked = slotsOf(ids)
      const { outcomes, failed } = await soFar(inPortions(slotsAsked), (asked) =>
        log.askSlotsTold(discardDeadScript, asked, (slots) => ({ ...question, slots })),
      )
      const byId = new Map(outcomes.map((each) => [each.id, each]))
      const asked = new Set(
        slotsAsked.flatMap(({ slot, numbers }) => numbers.map((number) => `${slot}-${number}`)),
      )
      return ids.flatMap((id): Resolution[] => {
        const told = byId.get(id)
        if (told !== undefined) return [told]
        if (failed !== undefined && asked.has(id)) return failedLetters([id], failed)
        return [{ id, outcome: 'unknown' }]
      })
    },

    async stats() {
      const counts = await log.askSlots(countDeadScript, allSlots, (slots) => ({ slots }))
      const sum = (of: (each: (typeof counts)[number]) => number): number =>
        counts.reduce((total, each) => total + of(each), 0)
      const depth = sum((each) => each.depth)
      return {
        depth,
        oldestAgeMs: depth === 0 ? null : Math.max(...counts.map((each) => each.oldestAgeMs)),
        arrivedPerMinute: sum((each) => each.arrived) / 60,
        drainedPerMinute: sum((each) => each.drained) / 60,
        groups: depth === 0 ? [] : await deadGroups(deadInOrder(log, {})),
      }
    },
  }

  async function count(filter: DeadLetterFilter): Promise<number> {
    checkedFilter('count', filter)
    if (Object.values(filter).every((wanted) => wanted === false)) {
      const counts = await log.askSlots(countDeadScript, allSlots, (slots) => ({ slots }))
      return counts.reduce((total, { depth }) => total + depth, 0)
    }
    let count = 0
    for await (const _ of deadInOrder(log, filter)) {
      count += 1
      if (count === MOST_COUNTED) break
    }
    return count
  }
}

/**
 * Asks one portion after the other. If one fails, or a node of a cluster refuses or is away, what
 * was told by then is kept, with the error: it is done. If nothing was told, the error is thrown.
 */
async function soFar<Outcome, Portion>(
  portions: readonly Portion[],
  ask: (portion: Portion) => Promise<ToldBySlots<unknown, readonly Outcome[]>>,
): Promise<{ readonly outcomes: Outcome[]; readonly failed: unknown }> {
  const outcomes: Outcome[] = []
  let failed: unknown
  for (const portion of portions) {
    const { replies, away, error } = await ask(portion)
    outcomes.push(...replies.flat())
    if (error !== undefined && outcomes.length === 0) throw error
    if (error !== undefined) return { outcomes, failed: error }
    if (away.length > 0) failed ??= nodeAway()
  }
  return { outcomes, failed }
}

/**
 * The highest count where letters have to be read to be counted. It is the limit of the rates in
 * `stats` on Postgres.
 */
const MOST_COUNTED = 100_000

async function statesOf(
  log: LogState,
  ids: readonly string[],
  there: ReadonlySet<string>,
): Promise<Resolution[]> {
  const found = new Map((await find(log, ids)).map((each) => [`${each.slot}-${each.number}`, each]))
  return ids.map((id): Resolution => {
    const each = found.get(id)
    if (each === undefined) return { id, outcome: 'unknown' }
    const { state, origin, resolution } = deadLetterOf(each.slot, each)
    if (state === 'retrying') return { id, outcome: 'retrying' }
    if (state === 'dead') return { id, outcome: there.has(origin) ? 'not-matched' : 'retired' }
    if (state === 'retired') return { id, outcome: 'retired' }
    return { id, outcome: resolution === 'discarded' ? 'already-discarded' : 'already-done' }
  })
}

/** Finds deliveries by their ids; unknown ids are left out. */
async function find(log: LogState, ids: readonly string[]): Promise<FoundDelivery[]> {
  const found: FoundDelivery[] = []
  for (const asked of inPortions(slotsOf(ids))) {
    const some = await log.askSlots(findDeliveriesScript, asked, (slots) => ({ slots }))
    found.push(...some.flat())
  }
  return found
}

function nodeAway(): OncekeyError {
  return new OncekeyError('store-unavailable', 'A node of the cluster does not answer.')
}

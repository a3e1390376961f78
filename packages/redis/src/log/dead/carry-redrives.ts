import type { Carried, DeadLetterFilter, Resolution } from '@oncekey/core'
import {
  endPortionScript,
  planPortionScript,
  putOffRedriveScript,
  type RunningRedrive,
  runningRedrivesScript,
  type TakenOutcome,
  takePlannedScript,
} from '../scripts/redrives/carry-redrives.ts'
import type { LogState } from '../state/log-state.ts'
import { isMeant, lookedAt } from './dead-in-order.ts'
import { type Place, placeOf } from './dead-place.ts'
import { byConsumerInSlot, inPortions } from './dead-portions.ts'
import { consumersOf } from './list-retrying.ts'

/** Which letters a portion will put back, decided before it does so. */
interface Plan {
  /** The oldest first. */
  readonly letters: readonly PlannedLetter[]
  /** The place of the last letter that was looked at, in the order of all dead letters. */
  readonly cursor: string
  readonly isLast: boolean
}

interface PlannedLetter {
  readonly slot: number
  readonly number: number
  readonly consumer: string
}

/**
 * Carries the redrives that are due, one portion of each. The letters of a portion are in many
 * slots, which one script cannot touch in a cluster, so a portion has three steps: its plan is
 * stored, its letters are put back slot by slot, and what became of them is counted. If the process
 * dies in between, the plan stays, and the next process carries it out. Each letter stores which
 * portion put it back, so it is put back and counted once.
 */
export async function carryRedrives(log: LogState): Promise<Carried> {
  const running = await log.ask(runningRedrivesScript, { most: AT_ONCE })
  let redriven = 0
  const failures: unknown[] = []
  for (const redrive of running) {
    if (redrive.dueInMs > 0 && redrive.plan === undefined) continue
    try {
      redriven += await carryPortion(log, redrive)
    } catch (error) {
      // A redrive whose portion fails, because a node is away, must not hold up the others.
      failures.push(error)
      // If the node of the redrives is away, this fails as well, and all of them wait.
      await log.ask(putOffRedriveScript, { id: redrive.id }).catch(() => {})
    }
  }
  if (redriven === 0 && failures.length > 0) throw failures[0]
  if (running.length === 0) return { redriven, nextInMs: null }
  const [next] = await log.ask(runningRedrivesScript, { most: 1 })
  return { redriven, nextInMs: next === undefined ? null : next.dueInMs }
}

async function carryPortion(log: LogState, redrive: RunningRedrive): Promise<number> {
  const { id, portions } = redrive
  const kept =
    redrive.plan ??
    (await log.ask(planPortionScript, {
      id,
      portions,
      plan: JSON.stringify(await planOf(log, redrive)),
    }))
  // The redrive was cancelled, or another process has ended this portion meanwhile.
  if (kept === undefined) return 0
  const { letters, cursor, isLast }: Plan = JSON.parse(kept)
  const outcomes = new Map<string, TakenOutcome['outcome']>()
  for (const asked of inPortions(byConsumerInSlot(letters))) {
    const portion = `${id}:${portions}`
    const taken = await log.askSlots(takePlannedScript, asked, (slots) => ({ portion, slots }))
    for (const { id: letter, outcome } of taken.flat()) outcomes.set(letter, outcome)
  }
  const redriven: string[] = []
  const refused: Resolution[] = []
  for (const { slot, number } of letters) {
    const letter = `${slot}-${number}`
    const outcome = outcomes.get(letter) ?? 'unknown'
    if (outcome === 'redriven') redriven.push(letter)
    else refused.push({ id: letter, outcome })
  }
  const hasEnded = await log.ask(endPortionScript, {
    id,
    plan: kept,
    redriven,
    refused,
    cursor,
    isLast,
  })
  return hasEnded ? redriven.length : 0
}

/**
 * Plans the next portion: the next letters behind the cursor that match and were dead when the
 * redrive started.
 */
async function planOf(log: LogState, redrive: RunningRedrive): Promise<Plan> {
  const { rate, left, startedUs, cursor } = redrive
  const filter = withTimes(JSON.parse(redrive.filter))
  const size = Math.max(1, Math.min(MOST_IN_PORTION, Math.ceil(rate / 10), left))
  const there = new Set(await consumersOf(log))
  const letters: PlannedLetter[] = []
  let at = cursor ?? ''
  let looked = 0
  for await (const one of lookedAt(log, filter, cursor as Place | undefined)) {
    if (Number(one.diedAtUs) > startedUs) break
    at = placeOf(one)
    looked += 1
    const { slot, number, letter } = one
    // If the consumer does not exist, an earlier release retired it and left its letters unchanged.
    // A letter that died again may have a place before the end of the redrive if the clock was put
    // back.
    if (isMeant(letter, filter) && there.has(letter.origin) && one.takenBy !== redrive.id) {
      letters.push({ slot, number, consumer: letter.origin })
    }
    if (letters.length === size || looked === LOOKED_AT) {
      return { letters, cursor: at, isLast: false }
    }
  }
  return { letters, cursor: at, isLast: true }
}

/** Restores a filter from JSON, which has turned its dates into texts. */
function withTimes(filter: Record<string, unknown>): DeadLetterFilter {
  const times = ['deadBefore', 'deadAfter'].flatMap((name) =>
    typeof filter[name] === 'string' ? [[name, new Date(filter[name] as string)]] : [],
  )
  return { ...filter, ...Object.fromEntries(times) }
}

/** How many redrives one call carries. */
const AT_ONCE = 20
const MOST_IN_PORTION = 1_000
/** How many letters one portion looks at: half a second of a server that does nothing else. */
const LOOKED_AT = 5_000

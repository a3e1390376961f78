import type { Resolution } from '@oncekey/core'
import { integerIn, listIn, type Script, script, textIn } from '../../../client/script.ts'
import { dueKey, redriveKeys, slotKeys } from '../../keys/slot-keys.ts'
import { OUTCOMES, outcomesOf } from '../dead/each-dead.ts'
import { endPortionLua, planPortionLua, runningRedrivesLua, takePlannedLua } from './lua.ts'

/** The redrives that are running, the soonest first. */
export const runningRedrivesScript: Script<{ readonly most: number }, RunningRedrive[]> = script({
  name: 'running-redrives',
  text: runningRedrivesLua,
  keys: () => [redriveKeys.redrives],
  args: ({ most }) => [most],
  reply: (raw) =>
    listIn(raw).map((each) => {
      const [id, filter, rate, most, redriven, startedUs, cursor, portions, plan, dueInMs] = listIn(
        each,
      ).map(textIn) as [string, string, ...string[]]
      return {
        id,
        filter,
        rate: Number(rate),
        left: most === '' ? Number.POSITIVE_INFINITY : Number(most) - Number(redriven),
        startedUs: Number(startedUs),
        cursor: cursor === '' ? undefined : cursor,
        portions: portions ?? '',
        plan: plan === '' ? undefined : plan,
        dueInMs: Number(dueInMs),
      }
    }),
})

export interface RunningRedrive {
  readonly id: string
  /** JSON. */
  readonly filter: string
  readonly rate: number
  /** How many more its limit lets it take. */
  readonly left: number
  readonly startedUs: number
  /** The place of the last letter that was looked at. */
  readonly cursor: string | undefined
  /** How many have ended. */
  readonly portions: string
  /** The portion that is being taken, as JSON. */
  readonly plan: string | undefined
  readonly dueInMs: number
}

/** Keeps what a portion is going to take; returns that, or the plan that was there first. */
export const planPortionScript: Script<PlanPortionQuestion, string | undefined> = script({
  name: 'plan-portion',
  text: planPortionLua,
  keys: () => [redriveKeys.redrives],
  args: ({ id, portions, plan }) => [id, portions, plan],
  reply: (raw) => textIn(raw) || undefined,
})

export interface PlanPortionQuestion {
  readonly id: string
  readonly portions: string
  readonly plan: string
}

/**
 * Puts back the letters of a portion that are still dead. Carried out again, it takes nothing more
 * and says the same of those that it has.
 */
export const takePlannedScript: Script<TakePlannedQuestion, TakenOutcome[]> = script({
  name: 'take-planned',
  text: takePlannedLua,
  keys: ({ slots }) =>
    slots.flatMap(({ slot, consumer }) => {
      const { consumers, dead, deliveries, operations } = slotKeys(slot)
      return [deliveries, dead, dueKey(slot, consumer), consumers, operations]
    }),
  args: ({ portion, slots }) => [
    portion,
    ...slots.flatMap(({ numbers }) => [numbers.length, ...numbers]),
  ],
  reply: (raw, { slots }) => outcomesOf(raw, slots, ['redriven', ...OUTCOMES]),
})

export interface TakePlannedQuestion {
  /** The id of the redrive and the number of the portion. */
  readonly portion: string
  readonly slots: readonly PlannedLetters[]
}

export interface PlannedLetters {
  readonly slot: number
  readonly consumer: string
  readonly numbers: readonly number[]
}

export interface TakenOutcome {
  readonly id: string
  readonly outcome: 'redriven' | Resolution['outcome']
}

/** Counts a portion and moves on, unless somebody else has ended it. Returns whether it has. */
export const endPortionScript: Script<EndPortionQuestion, boolean> = script({
  name: 'end-portion',
  text: endPortionLua,
  keys: () => [redriveKeys.redrives],
  args: ({ id, plan, redriven, refused, cursor, isLast }) => [
    id,
    plan,
    redriven.length,
    refused.length,
    JSON.stringify({ redriven, refused }),
    cursor,
    isLast ? '1' : '0',
  ],
  reply: (raw) => integerIn(raw) === 1,
})

export interface EndPortionQuestion {
  readonly id: string
  readonly plan: string
  readonly redriven: readonly string[]
  readonly refused: readonly Resolution[]
  readonly cursor: string
  readonly isLast: boolean
}

import type { Resolution } from '@oncekey/core'
import { integerIn, listIn, type Script, script, textIn } from '../../../client/script.ts'
import { dueKey, redriveKeys, slotKeys } from '../../keys/slot-keys.ts'
import { OUTCOMES, outcomesOf } from '../dead/each-dead.ts'
import {
  endPortionLua,
  planPortionLua,
  putOffRedriveLua,
  runningRedrivesLua,
  takePlannedLua,
} from './lua.ts'

/** Reads the running redrives, the one that is due first at the beginning. */
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
  /** The filter, as JSON. */
  readonly filter: string
  readonly rate: number
  /** How many more letters its limit lets it take. */
  readonly left: number
  readonly startedUs: number
  /** The place of the last letter that was looked at, in the order of all dead letters. */
  readonly cursor: string | undefined
  /** How many portions have ended. */
  readonly portions: string
  /** The plan of the portion that is under way, as JSON. */
  readonly plan: string | undefined
  readonly dueInMs: number
}

/**
 * Makes a redrive whose portion has failed due later, so that the others come first: only so many
 * are carried at once.
 */
export const putOffRedriveScript: Script<{ readonly id: string }, boolean> = script({
  name: 'put-off-redrive',
  text: putOffRedriveLua,
  keys: () => [redriveKeys.redrives],
  args: ({ id }) => [id, PUT_OFF_MS],
  reply: (raw) => integerIn(raw) === 1,
})

const PUT_OFF_MS = 5_000

/**
 * Stores the plan of a portion and returns it. If another process has stored one for the same
 * portion before, returns that; if the portion has ended, nothing.
 */
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
 * Puts back the letters of a portion that are still dead. If it is sent again, it puts back nothing
 * more, and replies the same for the letters that the portion has put back.
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

/**
 * Counts a portion and moves the redrive's cursor, unless another process has ended the portion.
 * Returns whether it did.
 */
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

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type Definition,
  definitionOf,
  type ResolvedStep,
  resolveStep,
} from '../src/definition/definition.ts'
import type { StepKind } from '../src/definition/step.ts'
import { beginStep, ended, failed, type Move, succeeded } from '../src/run/move.ts'
import { nextAction } from '../src/run/next-action.ts'
import type { Run, StepRow } from '../src/run/run.ts'

/** What a step does, and how its attempts end. The last entry repeats for all further attempts. */
interface Plan {
  readonly local: boolean
  readonly compensates: boolean
  readonly run: readonly Way[]
  readonly undo: readonly Way[]
}
type Way = 'ok' | 'transient' | 'permanent' | 'poison'

const way = fc.constantFrom<Way>('ok', 'ok', 'ok', 'transient', 'transient', 'permanent', 'poison')
const ways = fc.array(way, { minLength: 1, maxLength: 4 })
const plan: fc.Arbitrary<Plan> = fc.record({
  local: fc.boolean(),
  compensates: fc.boolean(),
  run: ways,
  undo: ways,
})
const plans = fc.record({
  compensatable: fc.array(plan, { maxLength: 4 }),
  pivot: fc.option(plan, { nil: undefined }),
  retriable: fc.array(plan, { maxLength: 3 }),
})
type Plans = typeof plans extends fc.Arbitrary<infer Value> ? Value : never

const MAX_ATTEMPTS = 3

describe('a saga of any steps, with any outcomes of its attempts', () => {
  test('ends as the rules say, with each effect once and in order', () => {
    fc.assert(
      fc.property(plans, (given) => {
        const { definition, all } = sagaOf(given)
        fc.pre(all.length > 0)
        const { effects, kept, last } = play(definition, all)
        const { forwardFrom } = definition
        const ran = effects.filter(({ what }) => what === 'ran').map(({ at }) => at)
        const undone = effects.filter(({ what }) => what === 'undone').map(({ at }) => at)

        // Each step runs once, in order; each is undone once, in reverse order, and only before the
        // pivot.
        expect(ran).toEqual(ran.map((_, at) => at))
        expect(undone).toEqual([...new Set(undone)].sort((a, b) => b - a))
        expect(undone.every((at) => at < forwardFrom)).toBe(true)
        switch (last.json.run?.state) {
          case 'completed':
            expect(ran).toHaveLength(all.length)
            expect(undone).toEqual([])
            break
          case 'compensated':
            // Every step before the pivot that was done and has a compensation is undone; the pivot
            // itself was not done.
            expect(ran.every((at) => at < forwardFrom)).toBe(true)
            for (const at of ran) if (all[at]?.compensates) expect(undone).toContain(at)
            break
          case 'stuck':
            expect(undone).toEqual([])
            expect(ran.length).toBeGreaterThanOrEqual(forwardFrom)
            break
          case 'compensation-failed':
            expect(ran.every((at) => at < forwardFrom)).toBe(true)
            break
          default:
            expect.unreachable(`ended as ${last.json.run?.state}`)
        }
        expect(kept.attempts).toBeLessThanOrEqual(MAX_ATTEMPTS)
      }),
      { numRuns: 500 },
    )
  })

  test('continues in the same way when every move is made from recorded data only', () => {
    fc.assert(
      fc.property(plans, (given) => {
        const { definition, all } = sagaOf(given)
        fc.pre(all.length > 0)
        const carried = play(definition, all)
        const readBack = play(definition, all, { crashes: true })
        expect(readBack.effects).toEqual(carried.effects)
        expect(readBack.last.json.run).toEqual(carried.last.json.run)
      }),
      { numRuns: 300 },
    )
  })
})

function sagaOf({ compensatable, pivot, retriable }: Plans): {
  definition: Definition
  all: Plan[]
} {
  const kinds: [StepKind, Plan][] = [
    ...compensatable.map((plan): [StepKind, Plan] => ['compensatable', plan]),
    ...(pivot === undefined ? [] : [['pivot', pivot] as [StepKind, Plan]]),
    ...retriable.map((plan): [StepKind, Plan] => ['retriable', plan]),
  ]
  const retry = { maxAttempts: MAX_ATTEMPTS, backoff: () => 0 }
  const steps = [] as ResolvedStep[]
  for (const [at, [kind, plan]] of kinds.entries()) {
    const compensate = kind === 'compensatable' && plan.compensates ? { compensate() {} } : {}
    const step = {
      kind,
      local: plan.local,
      retry,
      compensationRetry: retry,
      run() {},
      ...compensate,
    }
    steps.push(resolveStep('any', steps, `step-${at}`, step))
  }
  return {
    definition: definitionOf('any', 1, steps, ({ state }) => state),
    all: kinds.map(([, plan]) => plan),
  }
}

interface Played {
  /** What took effect, in order. */
  readonly effects: { readonly what: 'ran' | 'undone'; readonly at: number }[]
  readonly kept: { readonly attempts: number }
  readonly last: Move
}

/** Drives a run until it stops. With crashes, each move is made from recorded data only. */
function play(definition: Definition, all: Plan[], { crashes = false } = {}): Played {
  const effects: Played['effects'] = []
  const rows = new Map<number, StepRow>()
  let state: Run['state'] = 'running'
  let carried = runFrom(rows, state)
  let attempts = 0

  for (let moves = 0; moves < 200; moves++) {
    const run = crashes ? runFrom(rows, state) : carried
    const move = nextMove(run)
    for (const row of move.json.steps) {
      rows.set(row.position, {
        position: row.position,
        name: row.name,
        state: row.state,
        attempts: row.attempts,
        compensationAttempts: row.compensation_attempts,
        result:
          row.result === null ? (rows.get(row.position)?.result ?? null) : JSON.parse(row.result),
      })
      attempts = Math.max(attempts, row.attempts, row.compensation_attempts)
    }
    if (move.json.run?.state === 'compensating') state = 'compensating'
    if (move.course === 'ended' || move.course === 'parked') {
      return { effects, kept: { attempts }, last: move }
    }
    carried = move.run
  }
  throw new Error('The run does not end')

  function nextMove(run: Run): Move {
    const action = nextAction(definition, run)
    if (action === undefined) return ended(run)
    const { direction, position, step, attempt } = action
    if (direction === 'run' && !step.local && !run.steps.has(position))
      return beginStep(definition, run, action)
    const plan = all[position] as Plan
    const list = direction === 'run' ? plan.run : plan.undo
    const how = list[Math.min(attempt, list.length) - 1] as Way
    if (how !== 'ok') {
      const hadNoEffect = how === 'permanent' && direction === 'run'
      return failed(definition, run, action, { error: how, durationMs: 1, kind: how, hadNoEffect })
    }
    effects.push({ what: direction === 'run' ? 'ran' : 'undone', at: position })
    return succeeded(definition, run, action, JSON.stringify({ position }))
  }
}

function runFrom(rows: ReadonlyMap<number, StepRow>, state: Run['state']): Run {
  const about = { id: 'x', saga: 'any', version: 1, definition: 'any', input: null, lost: 0 }
  return { ...about, traceparent: undefined, state, steps: new Map(rows) }
}

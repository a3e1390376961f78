import { setImmediate as nextTurn } from 'node:timers/promises'
import { type ActorOptions, act } from './actor.ts'
import { newWorld, stateOf, type World } from './world.ts'

export interface Bounds {
  readonly actors: readonly ActorOptions[]
  /** How often a lease may run out; `crashes` is how many processes may die. */
  readonly lapses: number
  readonly crashes: number
}

export interface Explored {
  /** The number of distinct states, and how many of them were final. */
  readonly states: number
  readonly ends: number
  /** The first violation, with the steps that lead to it. */
  readonly violation: { readonly what: string; readonly steps: readonly string[] } | undefined
}

/**
 * Explores every order of the actors' steps, expiring leases and dying processes. To explore a
 * path, the search starts over and repeats the path's steps. Paths that reach the same state are
 * continued only once.
 */
export async function explore(bounds: Bounds): Promise<Explored> {
  const seen = new Set<string>()
  const ways: string[][] = [[]]
  let ends = 0
  for (let way = ways.pop(); way !== undefined; way = ways.pop()) {
    const { world, close } = await play(bounds, way)
    const what = violationIn(world) ?? (await stuckIn(bounds, world, way))
    if (what !== undefined) {
      await close()
      return { states: seen.size, ends, violation: { what, steps: way } }
    }
    const state = stateOf(world, usedUp(way))
    if (!seen.has(state)) {
      seen.add(state)
      const choices = choicesIn(bounds, world, way)
      if (world.waiting.size === 0) ends++
      for (const choice of choices) ways.push([...way, choice])
    }
    await close()
  }
  return { states: seen.size, ends, violation: undefined }
}

async function play(
  { actors }: Bounds,
  way: readonly string[],
): Promise<{ world: World; close(): Promise<void> }> {
  const world = newWorld()
  const running = actors.map((options, actor) => act(world, actor, options).catch(() => {}))
  await allStand(world, actors.length)
  for (const choice of way) {
    make(world, choice)
    await allStand(world, actors.length)
  }
  return {
    world,
    async close() {
      for (const actor of actors.keys()) crash(world, actor)
      await Promise.all(running)
    },
  }
}

/** Waits until every actor has reached its next step or its end. */
async function allStand(world: World, actors: number): Promise<void> {
  const { waiting, answers, crashed } = world
  for (;;) {
    await nextTurn()
    const stands = (actor: number): boolean =>
      waiting.has(actor) || answers.has(actor) || crashed.has(actor)
    if (Array.from({ length: actors }, (_, actor) => actor).every(stands)) return
  }
}

function choicesIn({ lapses, crashes }: Bounds, world: World, way: readonly string[]): string[] {
  const { row, waiting } = world
  const used = (what: string): number => way.filter((choice) => choice.startsWith(what)).length
  const steps = [...waiting].map(([actor, { name }]) => `actor ${actor}: ${name}`)
  if (used('lease') < lapses && row.state === 'running' && !row.leaseRanOut) {
    steps.push('lease runs out')
  }
  if (used('crash') < crashes) {
    steps.push(...[...waiting.keys()].map((actor) => `crash of actor ${actor}`))
  }
  return steps
}

/**
 * The lapses and crashes that a path has used, which are a part of its state because they bound how
 * it can continue.
 */
function usedUp(way: readonly string[]): string {
  const count = (what: string): number => way.filter((choice) => choice.startsWith(what)).length
  return `${count('lease')} ${count('crash')}`
}

function make(world: World, choice: string): void {
  if (choice === 'lease runs out') {
    world.row.leaseRanOut = true
    return
  }
  const actor = Number(/actor (\d+)/.exec(choice)?.[1])
  if (choice.startsWith('crash')) crash(world, actor)
  else world.waiting.get(actor)?.take()
}

/** Ends an actor's process: its connection is gone, and so are its locks. */
function crash(world: World, actor: number): void {
  world.crashed.add(actor)
  if (world.row.lockedBy === actor) world.row.lockedBy = undefined
  world.waiting.get(actor)?.never()
}

function violationIn({ row, committed, events, answers }: World): string | undefined {
  if (committed.length > 1) return `written by actors ${committed.join(' and ')}`
  if (events.length !== committed.length)
    return `${committed.length} writes, ${events.length} events`
  for (const [actor, answer] of answers) {
    if (answer.startsWith('201') && answer !== row.body) {
      return `the client of actor ${actor} has "${answer}", on record is "${row.body}"`
    }
  }
  return undefined
}

/** Checks that a retry need not wait when no actor is left and the lease is over. */
async function stuckIn(
  bounds: Bounds,
  world: World,
  way: readonly string[],
): Promise<string | undefined> {
  if (world.waiting.size > 0) return undefined
  const [first] = bounds.actors
  if (first === undefined) return undefined
  const retry = bounds.actors.length
  const again = await play(
    { ...bounds, actors: [...bounds.actors, { ...first, fails: false }] },
    way,
  )
  again.world.row.leaseRanOut = true
  for (let step = again.world.waiting.get(retry); step !== undefined; ) {
    step.take()
    await allStand(again.world, retry + 1)
    step = again.world.waiting.get(retry)
  }
  const answer = again.world.answers.get(retry)
  const problem = violationIn(again.world)
  await again.close()
  return answer === 'in-progress' ? 'a retry is told to wait for nobody' : problem
}

import {
  checkedPace,
  type DeadLetterFilter,
  type DeadLetterSource,
  messageOf,
  OncekeyError,
  OptionsError,
  type Redrives,
  type Resolution,
  sleep,
} from '@oncekey/core'
import type { RedriveOptions, RedriveResult } from './redrive-options.ts'

/**
 * Starts a redrive on record, carries it out together with the relay, worker or runner of the
 * source, and waits for its end. If this process dies, the others continue the redrive.
 */
export async function redrive(
  source: DeadLetterSource,
  filter: DeadLetterFilter,
  options: RedriveOptions,
): Promise<RedriveResult> {
  const { ratePerSecond, limit } = checkedPace(filter, options)
  if (options.preview === true) {
    return { matched: await source.count(filter), preview: true, redriven: [], refused: [] }
  }
  const redrives = requiredRedrives(source, 'redrive')
  const { actor, note, requestId, signal } = options
  const by = { ...(actor !== undefined && { actor }), ...(note !== undefined && { note }) }
  const pace = {
    ratePerSecond,
    ...(limit !== null && { limit }),
    ...(requestId !== undefined && { requestId }),
  }
  signal?.throwIfAborted()
  const id = await redrives.start(filter, pace, by)
  options.onStart?.(id)
  const redriven: string[] = []
  const refused: Resolution[] = []
  let after: string | undefined
  let isCancelled = false
  const patience = patienceOf(id, ratePerSecond)
  for (;;) {
    if (signal?.aborted && !isCancelled) {
      await redrives.cancel(id, { actor: actor ?? 'the caller', note: 'Aborted by its signal.' })
      isCancelled = true
    }
    const nextInMs = await patience.carried(redrives)
    const state = await redrives.get(id)
    after = await collect(redrives, id, after, { redriven, refused })
    if (state === undefined) break
    options.onProgress?.({ redriven: redriven.length, matched: state.matched })
    if (state.state !== 'running') {
      const untaken = await leftOf(source, filter, redriven, refused)
      return { id, matched: state.matched, preview: false, redriven, refused: untaken }
    }
    patience.seen(redriven.length + refused.length)
    await sleep(Math.min(Math.max(nextInMs ?? 0, 1), LOOK_EVERY_MS), signal)
  }
  // The redrive was purged while this function waited for it.
  return { id, matched: redriven.length, preview: false, redriven, refused }
}

/**
 * Carries redrives although that fails: what fails may be a portion of another redrive, and this
 * one is on record, where others carry it, too. It is given up once it has not got on for three
 * times as long as its rate needs for a letter, and for half a minute at least.
 */
function patienceOf(id: string, ratePerSecond: number) {
  const longestMs = Math.max(LEAST_PATIENCE_MS, 3_000 / ratePerSecond)
  let done = 0
  let since = performance.now()
  let failure: { readonly error: unknown } | undefined

  return {
    async carried(redrives: Redrives): Promise<number | null> {
      try {
        return (await redrives.carry()).nextInMs
      } catch (error) {
        failure ??= { error }
        return LOOK_EVERY_MS
      }
    },

    /** Takes how many letters were dealt with. Throws once it is given up. */
    seen(count: number): void {
      if (count !== done) {
        done = count
        since = performance.now()
        failure = undefined
      }
      if (failure === undefined || performance.now() - since < longestMs) return
      const { error } = failure
      throw new OncekeyError(
        'store-unavailable',
        `Redrive ${id} is on record, and has not got on for ${Math.round(longestMs / 1_000)} s: ` +
          `${messageOf(error)}. It goes on once it can; look at it, or cancel it, by its id.`,
        { cause: error },
      )
    },
  }
}

const LEAST_PATIENCE_MS = 30_000

/** The redrives of a source. Throws `OptionsError` if it keeps none. */
export function requiredRedrives(source: DeadLetterSource, verb: string): Redrives {
  if (source.redrives !== undefined) return source.redrives
  throw new OptionsError(
    `${verb}: ${source.name} keeps no redrives on record. Write \`source.redrive(filter, { limit: 100 })\`, ` +
      'which puts one portion back, or give that source `redrives`.',
  )
}

/** Adds the letters that portions took since `after`, and returns where the next call continues. */
async function collect(
  redrives: Redrives,
  id: string,
  after: string | undefined,
  into: { readonly redriven: string[]; readonly refused: Resolution[] },
): Promise<string | undefined> {
  let from = after
  for (;;) {
    const page = await redrives.portions(id, { limit: 100, ...(from && { after: from }) })
    for (const portion of page.items) {
      into.redriven.push(...portion.redriven)
      into.refused.push(...portion.refused)
    }
    if (page.last !== undefined) from = page.last
    if (page.next === undefined) return from
  }
}

/**
 * For a redrive of given ids: adds the ids that were neither redriven nor refused so far, each with
 * the reason.
 */
async function leftOf(
  source: DeadLetterSource,
  { ids }: DeadLetterFilter,
  redriven: readonly string[],
  refused: readonly Resolution[],
): Promise<readonly Resolution[]> {
  const told = new Set([...redriven, ...refused.map(({ id }) => id)])
  const others = (ids ?? []).filter((id) => !told.has(id))
  if (others.length === 0) return refused
  const left = await source.redrive({ ids: others }, { limit: 0 })
  return [...refused, ...left.refused]
}

const LOOK_EVERY_MS = 200

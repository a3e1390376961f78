import { type ListAges, listAges, OncekeyError } from '@oncekey/core'
import { type ScriptRunner, scriptRunner } from '../../client/run-script.ts'
import type { Script } from '../../client/script.ts'
import { isErrorReply, storeError } from '../../client/store-error.ts'
import { oneAtATime } from './one-at-a-time.ts'
import type { ResolvedLogOptions } from './options.ts'

/** The state that the parts of one log share. */
export interface LogState extends ResolvedLogOptions {
  /** Runs a script on one slot. Rejects with one of the contract's codes. */
  ask<Question, Reply>(script: Script<Question, Reply>, question: Question): Promise<Reply>
  /**
   * Runs a script on many slots: in one call on a single server, slot by slot in a cluster, where
   * no script may touch two. Does nothing for no slots.
   */
  askSlots<Item, Question, Reply>(
    script: Script<Question, Reply>,
    items: readonly Item[],
    question: (some: readonly Item[]) => Question,
  ): Promise<Reply[]>
  /**
   * As `askSlots`, but only for the slots whose node replies: in a cluster, a node that is away
   * does not block the slots of other nodes. Rejects if no node replies, or if one refuses the
   * command.
   */
  askSlotsThere<Item, Question, Reply>(
    script: Script<Question, Reply>,
    items: readonly Item[],
    question: (some: readonly Item[]) => Question,
  ): Promise<{ readonly replies: readonly Reply[]; readonly away: readonly Item[] }>
  /**
   * As `askSlotsThere`, but does not reject: what it would reject with is `error`, beside what the
   * other slots have replied. They may have done what they were asked. `away` then also has the
   * slots that refused.
   */
  askSlotsTold<Item, Question, Reply>(
    script: Script<Question, Reply>,
    items: readonly Item[],
    question: (some: readonly Item[]) => Question,
  ): Promise<ToldBySlots<Item, Reply>>
  /**
   * As `askSlotsThere`, for what a relay sends again until it succeeds: nothing is sent while the
   * client has a command of this script for the same consumer, in a cluster for the same slot.
   */
  writeSlots<Item, Question extends { readonly consumer: string }, Reply>(
    script: Script<Question, Reply>,
    items: readonly Item[],
    question: (some: readonly Item[]) => Question,
  ): Promise<{ readonly replies: readonly Reply[]; readonly away: readonly Item[] }>
  readonly scripts: ScriptRunner
  /**
   * How long ago each consumer's lists of types were last seen, by this process's monotonic clock.
   */
  readonly listAges: ListAges
  /** Splits items into the portions of `askSlots`. */
  portions<Item>(items: readonly Item[]): readonly (readonly Item[])[]
}

export interface ToldBySlots<Item, Reply> {
  readonly replies: readonly Reply[]
  readonly away: readonly Item[]
  /** `undefined` if some node replied and none refused. */
  readonly error: unknown
}

/**
 * Whether the error means that the node did not reply, or cannot serve its slots at present: it
 * loads, has lost its primary or its replicas, cannot write to its disk, or is a replica by now. A
 * node that refuses a command for another reason is not away: that reason is in the settings, and
 * not in the state, of the node.
 */
export function isAway(error: unknown): boolean {
  if (!(error instanceof OncekeyError) || error.code !== 'store-unavailable') return false
  const { cause } = error
  return !isErrorReply(cause) || AWAY.test(cause.message) || OF_A_PROXY.test(cause.message)
}

/** In Redis 6 the code follows the script's own name and a dash. */
const AWAY = /^(CLUSTERDOWN|MASTERDOWN|LOADING|TRYAGAIN)|(^|-)(NOREPLICAS|MISCONF|READONLY)/
/** A server's error begins with a code in capitals; a proxy's about a server may not. */
const OF_A_PROXY = /^(?![A-Z]{2,} )/

export function logState(options: ResolvedLogOptions): LogState {
  const scripts: ScriptRunner = scriptRunner(options)

  const portions = <Item>(items: readonly Item[]): readonly (readonly Item[])[] => {
    if (options.client.isCluster === true) return items.map((item) => [item])
    return items.length === 0 ? [] : [items]
  }

  const ask = <Question, Reply>(
    script: Script<Question, Reply>,
    question: Question,
  ): Promise<Reply> => told(scripts.run(script, question))

  const write = oneAtATime(scripts, options.commandTimeoutMs)

  async function askSlotsTold<Item, Question, Reply>(
    script: Script<Question, Reply>,
    items: readonly Item[],
    question: (some: readonly Item[]) => Question,
    send: (question: Question) => Promise<Reply> = (one) => ask(script, one),
  ): Promise<ToldBySlots<Item, Reply>> {
    const asked = portions(items)
    const answers = await Promise.allSettled(asked.map((some) => send(question(some))))
    const failed = answers.filter((answer) => answer.status === 'rejected')
    const first = failed.find(({ reason }) => !isAway(reason)) ?? failed[0]
    const isAllAway = failed.length === answers.length
    return {
      replies: answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : [])),
      away: asked.flatMap((some, at) => (answers[at]?.status === 'rejected' ? some : [])),
      error: isAllAway || !isAway(first?.reason) ? first?.reason : undefined,
    }
  }

  return {
    ...options,
    scripts,
    listAges: listAges(),
    ask,
    portions,
    askSlotsTold: (script, items, question) => askSlotsTold(script, items, question),
    askSlotsThere: async (script, items, question) =>
      there(await askSlotsTold(script, items, question)),
    async writeSlots(script, items, question) {
      const nameOf = (one: Parameters<typeof script.keys>[0]): string =>
        [script.name, one.consumer, options.client.isCluster && script.keys(one)[0]].join(' ')
      const send = (one: Parameters<typeof script.keys>[0]) => told(write(nameOf(one), script, one))
      return there(await askSlotsTold(script, items, question, send))
    },
    askSlots: (script, items, question) =>
      Promise.all(portions(items).map((some) => ask(script, question(some)))),
  }
}

/** Rejects with one of the contract's codes. */
async function told<Reply>(asked: Promise<Reply>): Promise<Reply> {
  try {
    return await asked
  } catch (error) {
    if (error instanceof OncekeyError) throw error
    throw storeError('store-unavailable', error)
  }
}

function there<Item, Reply>({
  replies,
  away,
  error,
}: ToldBySlots<Item, Reply>): {
  readonly replies: readonly Reply[]
  readonly away: readonly Item[]
} {
  if (error !== undefined) throw error
  return { replies, away }
}

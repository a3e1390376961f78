import { type ListAges, listAges, OncekeyError } from '@oncekey/core'
import { type ScriptRunner, scriptRunner } from '../../client/run-script.ts'
import type { Script } from '../../client/script.ts'
import { isRefusal, storeError } from '../../client/store-error.ts'
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
 * Whether the error means that the node did not reply, or cannot serve its slots at present. A node
 * that refuses a command is not away.
 */
export function isAway(error: unknown): boolean {
  if (!(error instanceof OncekeyError) || error.code !== 'store-unavailable') return false
  if (!isRefusal(error.cause)) return true
  return /^(CLUSTERDOWN|MASTERDOWN|LOADING|TRYAGAIN)/.test((error.cause as Error).message)
}

export function logState(options: ResolvedLogOptions): LogState {
  const scripts: ScriptRunner = scriptRunner(options)

  const portions = <Item>(items: readonly Item[]): readonly (readonly Item[])[] => {
    if (options.client.isCluster === true) return items.map((item) => [item])
    return items.length === 0 ? [] : [items]
  }

  async function ask<Question, Reply>(
    script: Script<Question, Reply>,
    question: Question,
  ): Promise<Reply> {
    try {
      return await scripts.run(script, question)
    } catch (error) {
      if (error instanceof OncekeyError) throw error
      throw storeError('store-unavailable', error)
    }
  }

  async function askSlotsTold<Item, Question, Reply>(
    script: Script<Question, Reply>,
    items: readonly Item[],
    question: (some: readonly Item[]) => Question,
  ): Promise<ToldBySlots<Item, Reply>> {
    const asked = portions(items)
    const answers = await Promise.allSettled(asked.map((some) => ask(script, question(some))))
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
    askSlotsTold,
    async askSlotsThere(script, items, question) {
      const { replies, away, error } = await askSlotsTold(script, items, question)
      if (error !== undefined) throw error
      return { replies, away }
    },
    askSlots: (script, items, question) =>
      Promise.all(portions(items).map((some) => ask(script, question(some)))),
  }
}

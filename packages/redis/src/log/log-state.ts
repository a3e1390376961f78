import { OncekeyError } from '@oncekey/core'
import { type ScriptRunner, scriptRunner } from '../run-script.ts'
import type { Script } from '../scripts/script.ts'
import { storeError } from '../store-error.ts'
import type { ResolvedLogOptions } from './options.ts'

/** What the parts of one log share. */
export interface LogState extends ResolvedLogOptions {
  /** Runs a script about one slot. Rejects with one of the contract's codes. */
  ask<Question, Reply>(script: Script<Question, Reply>, question: Question): Promise<Reply>
  /**
   * Runs a script about many slots: in one call on a server that has all of them, slot by slot in a
   * cluster, where no script may touch two. Nothing is done for no slots.
   */
  askSlots<Item, Question, Reply>(
    script: Script<Question, Reply>,
    items: readonly Item[],
    question: (some: readonly Item[]) => Question,
  ): Promise<Reply[]>
  /** Cut up as `askSlots` does it. */
  portions<Item>(items: readonly Item[]): readonly (readonly Item[])[]
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
      return await scripts.run(script, question).reply
    } catch (error) {
      if (error instanceof OncekeyError) throw error
      throw storeError('store-unavailable', error)
    }
  }

  return {
    ...options,
    ask,
    portions,
    askSlots: (script, items, question) =>
      Promise.all(portions(items).map((some) => ask(script, question(some)))),
  }
}

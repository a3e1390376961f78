import { randomUUID } from 'node:crypto'
import { type Attempt, type Completion, completionForLater, type Fingerprint } from '@oncekey/core'
import { tooFew } from '../client/replicas.ts'
import type { ScriptRunner, Sent } from '../client/run-script.ts'
import type { Script } from '../client/script.ts'
import { hanging, storeError } from '../client/store-error.ts'
import { appendEventsScript } from '../stream/append-events.ts'
import type { LateEnds } from './late-ends.ts'
import { noTransaction } from './no-transaction.ts'
import type { ResolvedOptions } from './options.ts'
import type { Endings } from './record/endings.ts'
import { openAttemptKeys, type RecordKeys } from './record/record-keys.ts'
import { abandonScript } from './scripts/abandon.ts'
import { completeScript } from './scripts/complete.ts'
import { releaseScript } from './scripts/release.ts'
import { renewScript } from './scripts/renew.ts'

/** How attempts end. An end that got no answer is sent again until Redis answers it. */
export interface Attempts {
  /** The attempt that a claim with this token has won. */
  wonBy(token: string, keys: RecordKeys, won: Won): Attempt<never>
  /** An attempt without a record: it sends nothing to Redis, except its events if it has any. */
  open(): Attempt<never>
}

/** What Redis said of an attempt that was won, and when it was asked. */
export interface Won {
  readonly number: number
  readonly fingerprint: Fingerprint
  /** By `performance.now()`. */
  readonly askedAt: number
}

export function attempts({
  options: { keyRetentionMs, resultRetentionMs, replicas },
  scripts,
  ends,
  late,
}: {
  readonly options: ResolvedOptions
  readonly scripts: ScriptRunner
  readonly ends: Endings
  readonly late: LateEnds
}): Attempts {
  function wonBy(
    token: string,
    keys: RecordKeys,
    { number, fingerprint, askedAt }: Won,
  ): Attempt<never> {
    return {
      number,
      askedAt,
      transaction: noTransaction,

      async complete(completion) {
        const question = {
          ...{ keys, token, number, fingerprint, completion },
          ...{ keyRetentionMs, resultRetentionMs },
        }
        const sent = write(completeScript, question)
        try {
          return await sent.inTime
        } catch (error) {
          const again = { ...question, completion: completionForLater(completion) }
          late.insist(keys.id, sent, () => scripts.send(completeScript, again))
          throw error
        } finally {
          ends.ended(keys.id)
        }
      },

      release: () => end(releaseScript, { keys, token, number }),

      abandon: () => end(abandonScript, { keys, token, number, fingerprint, keyRetentionMs }),

      async renew(leaseMs) {
        const question = { keys, token, number, fingerprint, leaseMs, keyRetentionMs }
        return await scripts.run(renewScript, question).catch((error) => {
          throw storeError('store-unavailable', error)
        })
      },
    }
  }

  async function end<Question extends { readonly keys: RecordKeys; readonly token: string }>(
    script: Script<Question, unknown>,
    question: Question,
  ): Promise<void> {
    const sent = scripts.send(script, question)
    try {
      await sent.inTime
    } catch (error) {
      late.insist(question.keys.id, sent, () => scripts.send(script, question))
      throw storeError('store-unavailable', error)
    }
    ends.ended(question.keys.id)
  }

  /**
   * Runs a script whose success the client will be told, so that as many servers as configured must
   * have what it wrote.
   */
  function write<Question, Reply>(
    script: Script<Question, Reply>,
    question: Question,
  ): Pick<Sent<Reply>, 'inTime'> & Sent<unknown> {
    const failed = (error: unknown): never => {
      throw storeError('commit-failed', error)
    }
    if (replicas === undefined) {
      const sent = scripts.send(script, question, INSIST_MS)
      return { ...sent, inTime: sent.inTime.catch(failed) }
    }
    const sent = scripts.sendReplicated(script, question, replicas, INSIST_MS)
    const written = sent.inTime.then(({ reply, acknowledged }) => {
      if (reply === 'superseded' || acknowledged >= replicas.count) return reply
      throw tooFew(acknowledged, replicas)
    })
    return { ...sent, inTime: written.catch(failed) }
  }

  function open(): Attempt<never> {
    const token = randomUUID()
    let ended: 'stored' | 'undone' | undefined

    async function complete({ events, writes }: Completion): Promise<'stored' | 'superseded'> {
      if (ended !== undefined) return ended === 'stored' ? 'stored' : 'superseded'
      const [first] = events
      if (first !== undefined && writes === 'keep') {
        const question = { ...openAttemptKeys(first.orderingKey, token), events }
        // No claim came before it, which would have been refused.
        if (scripts.hangs(appendEventsScript, question))
          throw storeError('commit-failed', hanging())
        await write(appendEventsScript, question).inTime
      }
      ended = 'stored'
      return 'stored'
    }

    const undo = async (): Promise<void> => {
      ended ??= 'undone'
    }

    return {
      number: 1,
      transaction: noTransaction,
      complete,
      release: undo,
      abandon: undo,
      renew: async () => (ended === undefined ? 'held' : 'stale'),
    }
  }

  return { wonBy, open }
}

/**
 * How long a completion is sent again while its slot is being moved, so that a client that retries
 * after `commit-failed` finds it. Few completions wait like that, because no attempt can begin in
 * such a slot. Milliseconds.
 */
const INSIST_MS = 60_000

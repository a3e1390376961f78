import { endsWithin } from '@oncekey/core'
import type { ScriptRunner, Sent } from '../../client/run-script.ts'
import type { Script } from '../../client/script.ts'
import { isAnswer } from '../../client/store-error.ts'
import { storeTimeout } from '../../client/store-timeout.ts'

/**
 * Sends a write only once the client has nothing of the one before it any more. A relay sends what
 * it has to record again until that succeeds, up to some megabytes, and while a server hangs, the
 * client would keep every copy.
 */
export type OneAtATime = <Question, Reply>(
  /** Of the writes of one name, one at a time is under way. */
  name: string,
  script: Script<Question, Reply>,
  question: Question,
) => Promise<Reply>

export function oneAtATime(scripts: ScriptRunner, timeoutMs: number): OneAtATime {
  const last = new Map<string, Sent<unknown>>()

  return async (name, script, question) => {
    const before = last.get(name)
    if (before !== undefined) {
      const ended = before.atLast.catch(() => {})
      await endsWithin(ended, timeoutMs)
      if (!(await before.isGone())) throw storeTimeout(timeoutMs)
    }
    const sent = scripts.send(script, question)
    last.set(name, sent)
    const forget = (): void => {
      if (last.get(name) === sent) last.delete(name)
    }
    sent.atLast.then(forget, (error) => {
      if (isAnswer(error)) forget()
    })
    return sent.inTime
  }
}

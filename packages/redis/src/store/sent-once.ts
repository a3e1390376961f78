import { endsWithin, type Tries } from '@oncekey/core'
import type { Sent } from '../client/run-script.ts'

/**
 * The attempts of work that is insisted on. A server that hangs breaks no connection, so the client
 * keeps what was sent until it is answered, however long that takes, and a command that is sent
 * again each time would fill the memory. So a piece of work is sent again only once the client does
 * not have its command any more: the server has refused it, or a connection was lost that was up,
 * or the client has rejected it and the server has answered something later. Until then an attempt
 * waits for that command, or asks something small.
 */
export interface SentOnce<Work> {
  /** Tells of a command for this work that was sent before. */
  wasSent(work: Work, command: Sent<unknown>): void
  attempt(works: ReadonlyMap<string, Work>): Promise<Tries>
}

export function sentOnce<Work extends object>(
  send: (work: Work) => Sent<unknown>,
  timeoutMs: number,
): SentOnce<Work> {
  /** The commands that the client still has. */
  const underWay = new WeakMap<Work, Command>()

  function watch(work: Work, sent: Sent<unknown>): Command {
    sent.inTime.catch(() => {})
    const isAnswered = sent.atLast.then(
      () => true,
      () => {
        command.isRejected = true
        return false
      },
    )
    const command: Command = { sent, isAnswered, isRejected: false }
    underWay.set(work, command)
    return command
  }

  async function isDone(work: Work): Promise<boolean> {
    const before = underWay.get(work)
    const isPending = before?.isRejected === false && before.sent.isKept()
    if (!isPending && before !== undefined && !(await before.sent.isGone())) return false
    const { isAnswered } = isPending ? before : watch(work, send(work))
    return (await endsWithin(isAnswered, timeoutMs)) && (await isAnswered)
  }

  return {
    wasSent: watch,
    async attempt(works) {
      // A command that has failed already is found out in the next turn, and sent again at once.
      await Promise.resolve()
      const ids = [...works.keys()]
      const done = await Promise.all([...works.values()].map(isDone))
      return { done: ids.filter((_, index) => done[index]) }
    },
  }
}

interface Command {
  readonly sent: Sent<unknown>
  readonly isAnswered: Promise<boolean>
  isRejected: boolean
}

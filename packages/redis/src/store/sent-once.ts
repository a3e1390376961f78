import { endsWithin, type Tries } from '@oncekey/core'
import type { Sent } from '../client/run-script.ts'

/**
 * The attempts of work that is insisted on. A server that hangs breaks no connection, so the client
 * keeps what was sent until it is answered, however long that takes, and a command that is sent
 * again each time would fill the memory. So a piece of work is sent again only once the client has
 * given its command up or has lost a connection that was up; until then an attempt waits for that
 * command.
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

  function watch(work: Work, { inTime, atLast, isKept }: Sent<unknown>): Command {
    inTime.catch(() => {})
    const isAnswered = atLast.then(
      () => true,
      () => {
        if (underWay.get(work) === command) underWay.delete(work)
        return false
      },
    )
    const command: Command = { isAnswered, isKept }
    underWay.set(work, command)
    return command
  }

  async function isDone(work: Work): Promise<boolean> {
    const before = underWay.get(work)
    const { isAnswered } = before?.isKept() === true ? before : watch(work, send(work))
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
  readonly isAnswered: Promise<boolean>
  readonly isKept: Sent<unknown>['isKept']
}

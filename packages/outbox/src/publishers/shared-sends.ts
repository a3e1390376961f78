import { callLater, type Later } from '@oncekey/core'

export interface SharedSendOptions<Message> {
  readonly batchSize: number
  /** Sends all of the messages or none. */
  readonly send: (to: string, messages: Message[]) => Promise<unknown>
  /**
   * Whether a failure is permanent. If several messages were sent together, only one of them may
   * have caused it.
   */
  readonly isPermanent: (error: unknown) => boolean
}

/**
 * Sends messages for one destination together, one request at a time: messages that arrive during a
 * request are sent in the next one, in order. Destinations do not share requests, because if one
 * destination was refused, the messages for the others would be refused too and sent again. When a
 * request with several messages fails permanently, they are sent one by one, so that each gets its
 * own outcome.
 *
 * A client may lose a reply for good. So a request without a reply is abandoned when the time of
 * its last message is up, and the next request is sent. A message is not sent once its own time is
 * up.
 */
export function sharedSends<Message>({
  batchSize,
  send,
  isPermanent,
}: SharedSendOptions<Message>): (to: string, message: Message, timeoutMs: number) => Promise<void> {
  /** The messages of the next request, for each destination that has a request under way. */
  const queues = new Map<string, Entry<Message>[]>()

  async function run(to: string, queue: Entry<Message>[]): Promise<void> {
    // Waits so that all messages of this turn of the event loop are collected.
    await undefined
    while (queue.length > 0) await sendTogether(to, queue.splice(0, batchSize))
    queues.delete(to)
  }

  async function sendTogether(to: string, all: readonly Entry<Message>[]): Promise<void> {
    const entries = all.filter(isInTime)
    if (entries.length === 0) return
    const until = Math.max(...entries.map((entry) => entry.until))
    const noAnswer = unanswered(until - performance.now())
    try {
      await Promise.race([
        send(
          to,
          entries.map(({ message }) => message),
        ),
        noAnswer.rejection,
      ])
      for (const { resolve } of entries) resolve()
    } catch (error) {
      if (entries.length > 1 && isPermanent(error)) {
        for (const entry of entries) await sendTogether(to, [entry])
      } else {
        for (const { reject } of entries) reject(error)
      }
    } finally {
      noAnswer.cancel()
    }
  }

  return (to, message, timeoutMs) =>
    new Promise((resolve, reject) => {
      const queue = queues.get(to)
      const entry = { message, until: performance.now() + timeoutMs, resolve, reject }
      if (queue !== undefined) {
        queue.push(entry)
        return
      }
      const begun = [entry]
      queues.set(to, begun)
      void run(to, begun)
    })
}

function isInTime<Message>({ until, reject }: Entry<Message>): boolean {
  if (performance.now() < until) return true
  reject(new Error('Not sent: the previous request took all of the time allowed.'))
  return false
}

function unanswered(afterMs: number): { readonly rejection: Promise<never>; cancel(): void } {
  let later: Later | undefined
  const rejection = new Promise<never>((_, reject) => {
    const giveUp = () => reject(new Error('The client did not answer the request in time.'))
    later = callLater(giveUp, afterMs)
  })
  return { rejection, cancel: () => later?.cancel() }
}

interface Entry<Message> {
  readonly message: Message
  /** When the message's time is up, by `performance.now()`. */
  readonly until: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

import { callLater, type Later } from '@oncekey/core'
import { ownFailure } from './own-failure.ts'
import { waiters } from './waiters.ts'

export interface SharedSendOptions<Message> {
  readonly batchSize: number
  /** The most bytes of a request of several messages, by `bytesOf`. Without it, any number. */
  readonly maxBytes?: number
  readonly bytesOf?: (message: Message) => number
  /**
   * Sends the messages in one request. Resolves to the failures of single messages, all others of
   * which the broker has taken; rejects if it has taken none, or if that is not known. The signal
   * says that nobody waits for the answer any longer.
   */
  readonly send: (
    to: string,
    messages: Message[],
    signal: AbortSignal,
  ) => Promise<SendFailures<Message>>
  /**
   * Whether a failure is permanent. If several messages were sent together, only one of them may
   * have caused it.
   */
  readonly isPermanent: (error: unknown) => boolean
}

export type SharedSend<Message> = (
  to: string,
  message: Message,
  timeoutMs: number,
  signal: AbortSignal,
) => Promise<void>

/** Why the broker refused single messages of a request. */
export type SendFailures<Message> = ReadonlyMap<Message, unknown>

/**
 * Sends messages for one destination together, one request at a time: messages that come in during
 * a request go with the next one, in order. Destinations do not share requests: if one was refused,
 * the messages of the others would be refused with it and sent again. When a request with several
 * messages fails permanently as a whole, they are sent one by one, so that each gets its own
 * outcome. When the broker answers for each message, only those that failed are rejected.
 *
 * A request without an answer is aborted when the time of all its messages is up, and the next
 * request is sent: the broker's client may have lost the answer for good. It is also told to end
 * when the signals of all its messages have aborted. A message whose own time
 * is up, or whose signal has aborted, before its request is sent is not sent.
 */
export function sharedSends<Message>({
  batchSize,
  maxBytes = Number.POSITIVE_INFINITY,
  bytesOf = () => 0,
  send,
  isPermanent,
}: SharedSendOptions<Message>): SharedSend<Message> {
  /** The messages of the next request, for each destination that has a request under way. */
  const queues = new Map<string, Entry<Message>[]>()

  async function run(to: string, queue: Entry<Message>[]): Promise<void> {
    // Waits so that all messages of this turn of the event loop are collected.
    await undefined
    while (queue.length > 0) await sendTogether(to, queue.splice(0, fitting(queue)))
    queues.delete(to)
  }

  /** How many of the first messages fit into one request: one at least, however large it is. */
  function fitting(queue: readonly Entry<Message>[]): number {
    let count = 0
    let bytes = 0
    for (const { message } of queue.slice(0, batchSize)) {
      bytes += bytesOf(message)
      if (count > 0 && bytes > maxBytes) break
      count += 1
    }
    return count
  }

  async function sendTogether(to: string, all: readonly Entry<Message>[]): Promise<void> {
    const entries = all.filter(isWanted)
    if (entries.length === 0) return
    const until = Math.max(...entries.map((entry) => entry.until))
    const noAnswer = unanswered(until - performance.now())
    const waiting = waiters()
    for (const { signal } of entries) waiting.add(signal)
    const messages = entries.map(({ message }) => message)
    try {
      const signal = AbortSignal.any([waiting.signal, noAnswer.signal])
      const failures = await Promise.race([send(to, messages, signal), noAnswer.rejection])
      for (const { message, resolve, reject } of entries) {
        if (failures.has(message)) reject(failures.get(message))
        else resolve()
      }
    } catch (error) {
      if (entries.length > 1 && isPermanent(error)) {
        for (const entry of entries) await sendTogether(to, [entry])
      } else {
        for (const { reject } of entries) reject(error)
      }
    } finally {
      noAnswer.cancel()
      waiting.end()
    }
  }

  return (to, message, timeoutMs, signal) =>
    new Promise((resolve, reject) => {
      const queue = queues.get(to)
      const entry = { message, until: performance.now() + timeoutMs, signal, resolve, reject }
      if (queue !== undefined) {
        queue.push(entry)
        return
      }
      const begun = [entry]
      queues.set(to, begun)
      void run(to, begun)
    })
}

function isWanted<Message>({ until, signal, reject }: Entry<Message>): boolean {
  if (signal.aborted) reject(signal.reason)
  else if (performance.now() >= until) {
    reject(ownFailure('Not sent: the previous request took all of the time allowed.'))
  } else return true
  return false
}

function unanswered(afterMs: number): {
  readonly rejection: Promise<never>
  readonly signal: AbortSignal
  cancel(): void
} {
  const abandoned = new AbortController()
  let later: Later | undefined
  const rejection = new Promise<never>((_, reject) => {
    later = callLater(() => {
      reject(ownFailure('The client did not answer the request in time.'))
      abandoned.abort()
    }, afterMs)
  })
  return { rejection, signal: abandoned.signal, cancel: () => later?.cancel() }
}

interface Entry<Message> {
  readonly message: Message
  /** When the message's time is up, by `performance.now()`. */
  readonly until: number
  /** Aborts when nobody wants the message to be sent any longer. */
  readonly signal: AbortSignal
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

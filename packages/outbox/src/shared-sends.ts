export interface SharedSendOptions<Message> {
  readonly batchSize: number
  /** Takes all of them or none. */
  readonly send: (messages: Message[]) => Promise<unknown>
  /** Such a failure of many may be about one of them. */
  readonly isPermanent: (error: unknown) => boolean
}

/**
 * Sends messages together, one request at a time: what is handed in while one is under way goes with
 * the next, in order. When a request of many is refused for good, its messages are sent one by one, so
 * that each has an outcome of its own.
 */
export function sharedSends<Message>({
  batchSize,
  send,
  isPermanent,
}: SharedSendOptions<Message>): (message: Message) => Promise<void> {
  const queue: Entry<Message>[] = []
  let running = false

  async function run(): Promise<void> {
    running = true
    // What is handed in in this turn goes together.
    await undefined
    while (queue.length > 0) await settle(queue.splice(0, batchSize))
    running = false
  }

  async function settle(entries: readonly Entry<Message>[]): Promise<void> {
    try {
      await send(entries.map(({ message }) => message))
      for (const { resolve } of entries) resolve()
    } catch (error) {
      if (entries.length > 1 && isPermanent(error)) {
        for (const entry of entries) await settle([entry])
      } else {
        for (const { reject } of entries) reject(error)
      }
    }
  }

  return (message) =>
    new Promise((resolve, reject) => {
      queue.push({ message, resolve, reject })
      if (!running) void run()
    })
}

interface Entry<Message> {
  readonly message: Message
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

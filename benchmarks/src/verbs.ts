/** The requests that a program answers, by name (its verbs). */
// biome-ignore lint/suspicious/noExplicitAny: the parameters are each verb's own
export type Verbs = Record<string, (...given: any[]) => unknown>

export interface Question {
  readonly id: number
  readonly verb: string
  readonly given: unknown[]
}

export interface Answer {
  readonly id: number
  readonly value?: unknown
  readonly error?: string
}

/** Answers requests of the parent process until the parent is gone. */
export function answer<V extends Verbs>(verbs: V): void {
  process.on('message', async ({ id, verb, given }: Question) => {
    try {
      process.send?.({ id, value: await verbs[verb]?.(...given) } satisfies Answer)
    } catch (error) {
      process.send?.({ id, error: (error as Error)?.stack ?? String(error) } satisfies Answer)
    }
  })
  process.once('disconnect', () => process.exit())
}

/**
 * Processor time since the program began, including the threads of its garbage collector.
 * Microseconds.
 */
export function cpuMicros(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

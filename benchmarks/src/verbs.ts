/** What a program can be asked, by name. */
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

/** Answers the process that started this one, until that is gone. */
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
 * Microseconds on a processor since the program began, its garbage collector's threads included.
 */
export function cpuMicros(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}
